/**
 * The bytes of all content against their digests. Damaged content for which no other copy is found is marked: reads of it
 * fail with CORRUPT (EIO) from then on, until its source is applied again. What is lost is said, never made up.
 */
import type { BlobRecord } from '../blob-records.ts';
import type { Digest } from '../digest.ts';
import type { BlobScene } from './blob-scene.ts';
import { blobIssue, type Check, type Issue } from './finding.ts';
import { recoverRecord, verifyAt } from './recover-record.ts';
import { nameContent, type References } from './references.ts';
import type { Verdict } from './verify-content.ts';

/** Records looked at in one turn of the event loop. */
const BATCH = 256;

export interface ContentTally {
  /** Blobs of which every byte was compared. */
  verified: number;
  verifiedBytes: number;
  /** Sealed with a key that is not here: only their length was checked. */
  unverifiable: number;
}

export interface ContentCheckOptions {
  readonly scene: BlobScene;
  readonly tally: ContentTally;
  /** Called when content was marked as damaged: what the kernel has cached of it must go. */
  readonly onDamaged: (digest: Digest) => void;
}

export function blobContentCheck(options: ContentCheckOptions): Check {
  const { scene } = options;
  /** Found whole in an earlier round of this run. */
  const intact = new Set<string>();
  return {
    name: 'content',
    async *find(): AsyncGenerator<Issue> {
      const references = scene.options.references();
      for (let last: Digest | undefined; ; ) {
        scene.options.store.refresh();
        const rows = scene.records.after(last, BATCH);
        for (const { key, value } of rows) {
          if (key === undefined || value === undefined || intact.has(key.toString('hex'))) continue;
          const issue = await checkContent(options, references, key, value, intact);
          if (issue !== undefined) yield issue;
        }
        const end = rows.findLast(({ key }) => key !== undefined)?.key;
        if (rows.length < BATCH || end === undefined) return;
        last = end;
      }
    },
  };
}

async function checkContent(
  options: ContentCheckOptions,
  references: References,
  digest: Digest,
  record: BlobRecord,
  intact: Set<string>,
): Promise<Issue | undefined> {
  const { scene, tally } = options;
  const verdict = await verifyAt(scene, digest, record, record.place);
  if (verdict.state === 'unverifiable') {
    tally.unverifiable += 1;
    intact.add(digest.toString('hex'));
    return undefined;
  }
  const object = nameContent(digest, references.get(digest));
  if (verdict.state === 'intact') {
    if (record.damaged === true) return markedButIntact(scene, digest, object);
    tally.verified += 1;
    tally.verifiedBytes += record.sizeBytes;
    intact.add(digest.toString('hex'));
    return undefined;
  }
  if (await isGone(scene, digest, record)) return undefined;
  return await describeDamage(options, references, digest, record, verdict);
}

/** Content that was released or replaced while it was read is nobody's damage. */
export async function isGone(scene: BlobScene, digest: Digest, seen: BlobRecord): Promise<boolean> {
  if (scene.options.isInUse(digest)) return true;
  scene.options.store.refresh();
  const now = scene.records.get(digest);
  if (now === undefined) return true;
  if (now.place === seen.place && now.damaged === seen.damaged) {
    return (await verifyAt(scene, digest, now, now.place)).state === 'intact';
  }
  return true;
}

/** The finding; its repair uses another copy, or marks the content. */
export async function describeDamage(
  options: ContentCheckOptions,
  references: References,
  digest: Digest,
  record: BlobRecord,
  verdict: Extract<Verdict, { state: 'damaged' }>,
): Promise<Issue | undefined> {
  const { scene } = options;
  const reference = references.get(digest);
  const object = nameContent(digest, reference);
  // Another place or another length than the record says: then it is the record that is wrong.
  const other = reference === undefined ? undefined : await recoverRecord(scene, reference);
  if (other?.verdict.state === 'intact') {
    return blobIssue(verdict.code, {
      object,
      what: `${verdict.how}; the same content is stored elsewhere`,
      action: 'use the other copy',
      repair: () => scene.change(() => replace(scene, digest, other.record)),
    });
  }
  if (record.damaged === true) {
    const action = 'apply its source again; until then reads of it fail with EIO';
    return blobIssue('content-lost', { object, what: verdict.how, action, repair: undefined });
  }
  return blobIssue(verdict.code, {
    object,
    what: verdict.how,
    action: 'mark it, so that reads fail with EIO until its source is applied again',
    repair: () => {
      scene.change(() => markDamaged(scene, digest));
      options.onDamaged(digest);
    },
  });
}

function markedButIntact(scene: BlobScene, digest: Digest, object: string): Issue {
  return blobIssue('content-intact', {
    object,
    what: 'it is marked as damaged, and its bytes match their digest',
    action: 'remove the mark',
    repair: () =>
      scene.change(() => {
        const record = scene.records.get(digest);
        if (record !== undefined) replace(scene, digest, record);
      }),
  });
}

/** Preconditions: in a transaction. */
export function markDamaged(scene: BlobScene, digest: Digest): void {
  const record = scene.records.get(digest);
  if (record !== undefined) scene.records.put(digest, { ...record, damaged: true });
}

/** The content at the place the record names is whole. Preconditions: in a transaction. */
function replace(scene: BlobScene, digest: Digest, { damaged: _, ...whole }: BlobRecord): void {
  const present = scene.records.get(digest);
  if (present !== undefined) scene.records.put(digest, { ...whole, references: present.references });
}
