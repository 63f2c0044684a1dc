/** Bytes that no record names: rows beside the index, content files, and files of writes that were cut short. */

import { lstatSync, unlinkSync } from 'node:fs';
import { unlink } from 'node:fs/promises';
import type { Digest } from '../digest.ts';
import type { BlobScene, ContentFile, TemporaryFile } from './blob-scene.ts';
import { blobIssue, type Check, type Issue } from './finding.ts';

export function blobLeftoversCheck(scene: BlobScene): Check {
  return {
    name: 'leftovers',
    async *find(): AsyncGenerator<Issue> {
      yield* danglingRows(scene);
      for await (const file of scene.files()) {
        const issue = danglingFile(scene, file);
        if (issue !== undefined) yield issue;
      }
      for await (const file of scene.temporaries()) yield temporary(file);
    },
  };
}

function* danglingRows(scene: BlobScene): IterableIterator<Issue> {
  for (const { rawKey, key, value } of scene.inline.rows()) {
    if (key !== undefined && isNamed(scene, key, 'inline')) continue;
    const digest = key?.toString('hex');
    yield blobIssue('blob-row-dangling', {
      object: digest === undefined ? `content, key of ${rawKey.length} bytes` : `content ${digest.slice(0, 16)}`,
      what: digest === undefined ? 'the key is no digest' : 'its bytes are in the metadata, and no record says so',
      freedBytes: value?.length ?? 0,
      action: 'remove the bytes',
      repair: () =>
        scene.change(() => {
          if (key === undefined || !isNamed(scene, key, 'inline')) scene.inline.removeRaw(rawKey);
        }),
    });
  }
  for (const { rawKey, key } of scene.garbage.rows()) {
    if (key !== undefined) continue;
    yield blobIssue('blob-row-dangling', {
      object: `list of removed content, key of ${rawKey.length} bytes`,
      what: 'the key is no digest',
      action: 'remove the row',
      repair: () => scene.change(() => scene.garbage.removeRaw(rawKey)),
    });
  }
}

/** Whether a record says that the content is there. A record that cannot be read may say so. */
function isNamed(scene: BlobScene, digest: Digest, place: 'inline' | 'file'): boolean {
  const found = scene.records.look(digest);
  if (found.state === 'present') return found.value.place === place;
  return found.state === 'unreadable';
}

function danglingFile(scene: BlobScene, { digest, path }: ContentFile): Issue | undefined {
  if (isNamed(scene, digest, 'file') || scene.options.isInUse(digest)) return undefined;
  const sizeBytes = lstatSync(path, { throwIfNoEntry: false })?.size;
  if (sizeBytes === undefined) return undefined;
  return blobIssue('blob-file-dangling', {
    object: path,
    what: `${sizeBytes} bytes that no record names`,
    freedBytes: sizeBytes,
    action: 'remove the file',
    repair: async () => {
      // If power failed with the removal of a record not yet on disk, the record would come back and need its file.
      await scene.options.store.flush();
      scene.change(() => {
        // In a transaction, so that nobody can begin to refer to it meanwhile.
        if (isNamed(scene, digest, 'file') || scene.options.isInUse(digest)) return;
        unlinkSync(path);
        scene.garbage.remove(digest);
      });
    },
  });
}

function temporary({ path, sizeBytes }: TemporaryFile): Issue {
  return blobIssue('temporary-file', {
    object: path,
    what: `${sizeBytes} bytes of a write that was cut short`,
    freedBytes: sizeBytes,
    action: 'remove the file',
    repair: () => unlink(path),
  });
}
