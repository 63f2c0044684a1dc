/** The checks of the content store, in the order in which they must run: what one mends the next relies on. */
import { blobContentCheck, type ContentCheckOptions } from './blob-content.ts';
import { blobIndexCheck } from './blob-index.ts';
import { blobLeftoversCheck } from './blob-leftovers.ts';
import { blobStatisticsCheck } from './blob-statistics.ts';
import type { Check } from './finding.ts';

export function blobChecks(options: ContentCheckOptions): readonly Check[] {
  const { scene } = options;
  return [blobIndexCheck(scene), blobContentCheck(options), blobLeftoversCheck(scene), blobStatisticsCheck(scene)];
}
