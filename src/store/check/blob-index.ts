/**
 * The content index against those who refer to content: every reference has a record, every record has exactly as many
 * references as it says, and every record can be read.
 */
import type { BlobRecord } from '../blob-records.ts';
import type { Digest } from '../digest.ts';
import type { BlobScene } from './blob-scene.ts';
import { blobIssue, type Check, type Issue } from './finding.ts';
import { recoverRecord } from './recover-record.ts';
import { nameContent, type Reference, type References } from './references.ts';

/** Above it the codec cannot count. */
const REFERENCES_MAX = 2 ** 32 - 1;

export function blobIndexCheck(scene: BlobScene): Check {
  return {
    name: 'content index',
    *find(): IterableIterator<Issue> {
      const references = scene.options.references();
      const seen = new Set<string>();
      const recount = new Recount(scene);
      for (const { rawKey, key, value } of scene.records.rows()) {
        if (key === undefined) yield unnamedRow(scene, rawKey);
        else {
          seen.add(key.toString('hex'));
          const issue = checkRow(scene, recount, references, key, value);
          if (issue !== undefined) yield issue;
        }
      }
      for (const reference of references.all()) {
        if (!seen.has(reference.digest.toString('hex'))) yield missingRecord(scene, reference);
      }
    },
  };
}

function checkRow(
  scene: BlobScene,
  recount: Recount,
  references: References,
  digest: Digest,
  record: BlobRecord | undefined,
): Issue | undefined {
  const reference = references.get(digest);
  if (record === undefined) return unreadableRecord(scene, references, digest);
  const count = reference?.count ?? 0;
  if (record.references === count) return undefined;
  // Content that nobody could name yet counts too: a list of files that is unreadable may refer to it.
  if (!references.isComplete && record.references > count) return undefined;
  return count === 0 ? unreferenced(recount, digest, record) : wrongCount(recount, digest, record, count, reference);
}

function unnamedRow(scene: BlobScene, rawKey: Uint8Array): Issue {
  return blobIssue('blob-record-unreadable', {
    object: `content index, key of ${rawKey.length} bytes`,
    what: 'the key is no digest',
    action: 'remove the row',
    repair: () => scene.change(() => scene.records.removeRaw(rawKey)),
  });
}

function unreadableRecord(scene: BlobScene, references: References, digest: Digest): Issue | undefined {
  const reference = references.get(digest);
  if (reference === undefined && !references.isComplete) return undefined;
  return blobIssue('blob-record-unreadable', {
    object: nameContent(digest, reference),
    what: `the record of content ${digest.toString('hex')} cannot be read`,
    action: reference === undefined ? 'remove it: no file refers to it' : 'make it anew from the stored bytes',
    repair: async () => {
      if (reference === undefined) scene.change(() => scene.records.remove(digest));
      else await writeRecovered(scene, reference);
    },
  });
}

function missingRecord(scene: BlobScene, reference: Reference): Issue {
  return blobIssue('blob-record-missing', {
    object: nameContent(reference.digest, reference),
    what: `the index has no record of content ${reference.digest.toString('hex')}`,
    action: 'make it anew from the stored bytes; if they are gone, mark the content as lost',
    repair: () => writeRecovered(scene, reference),
  });
}

/** If files come and go while the bytes are read, the next round finds the number wrong and mends it. */
async function writeRecovered(scene: BlobScene, reference: Reference): Promise<void> {
  const { digest } = reference;
  const { record } = await recoverRecord(scene, reference);
  scene.change(() => {
    if (scene.records.look(digest).state !== 'present') scene.records.put(digest, record);
  });
}

function wrongCount(
  recount: Recount,
  digest: Digest,
  record: BlobRecord,
  count: number,
  reference: Reference | undefined,
): Issue {
  return blobIssue('blob-count-wrong', {
    object: nameContent(digest, reference),
    what: `${record.references} references are recorded, there are ${count}`,
    action: `record ${count}`,
    repair: recount.of(digest),
  });
}

function unreferenced(recount: Recount, digest: Digest, record: BlobRecord): Issue {
  return blobIssue('blob-unreferenced', {
    object: nameContent(digest, undefined),
    what: `${record.sizeBytes} bytes are kept, and no file refers to them`,
    freedBytes: record.sizeBytes,
    action: 'remove the content',
    repair: recount.of(digest),
  });
}

/**
 * Counts all references once more, in one transaction for all that were found wrong: counting reads every list of files.
 * The bytes of what nobody refers to go with the rows and files that no record names: that check comes later.
 */
class Recount {
  readonly #scene: BlobScene;
  readonly #digests: Digest[] = [];

  constructor(scene: BlobScene) {
    this.#scene = scene;
  }

  /** The repair of one finding; the first one that runs mends all. */
  of(digest: Digest): () => void {
    this.#digests.push(digest);
    return () => this.#run();
  }

  #run(): void {
    const digests = this.#digests.splice(0);
    if (digests.length === 0) return;
    const { records, options } = this.#scene;
    this.#scene.change(() => {
      const references = options.references();
      for (const digest of digests) {
        const record = records.get(digest);
        const count = references.get(digest)?.count ?? 0;
        if (record === undefined) continue;
        if (count > 0) records.put(digest, { ...record, references: Math.min(count, REFERENCES_MAX) });
        else if (references.isComplete) records.remove(digest);
      }
    });
  }
}
