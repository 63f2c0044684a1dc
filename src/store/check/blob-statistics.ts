/** The totals that are kept beside the index, against the index. */
import { type BlobStatistics, TOTAL } from '../blob-records.ts';
import type { BlobScene } from './blob-scene.ts';
import { blobIssue, type Check, type Issue } from './finding.ts';

export function blobStatisticsCheck(scene: BlobScene): Check {
  return {
    name: 'totals',
    *find(): IterableIterator<Issue> {
      const actual = count(scene);
      const found = scene.statistics.look(TOTAL);
      const recorded = found.state === 'present' ? found.value : undefined;
      if (recorded?.blobs === actual.blobs && recorded.sizeBytes === actual.sizeBytes) return;
      if (found.state === 'absent' && actual.blobs === 0) return;
      const said = recorded === undefined ? 'the totals cannot be read' : `the totals are ${text(recorded)}`;
      yield blobIssue('blob-totals-wrong', {
        object: 'content index',
        what: `${said}; the index has ${text(actual)}`,
        action: 'count again',
        repair: () => scene.change(() => scene.statistics.put(TOTAL, count(scene))),
      });
    },
  };
}

function count(scene: BlobScene): BlobStatistics {
  let blobs = 0;
  let sizeBytes = 0;
  for (const { value } of scene.records.rows()) {
    if (value === undefined) continue;
    blobs += 1;
    sizeBytes += value.sizeBytes;
  }
  return { blobs, sizeBytes };
}

function text({ blobs, sizeBytes }: BlobStatistics): string {
  return `${blobs} blobs with ${sizeBytes} bytes`;
}
