/**
 * Writes the archive of an alloc's directory. If something cannot be read, what was written so far is ended with an entry that says so, because who
 * receives the stream may have no other way to learn it.
 */
import { closeSync } from 'node:fs';
import { type ByteText, byteText, readableText } from '../../base/byte-text.ts';
import { DunnageError, fromSystemError } from '../../errors/dunnage-error.ts';
import type { NativeBinding } from '../../native/binding.ts';
import { READ_DIRECTORY } from '../../native/open-flags.ts';
import { systemCode } from '../../native/system-error.ts';
import { tarEntry } from '../../tar/entry.ts';
import type { TakePiece } from '../../tar/piece-memory.ts';
import { type Emit, TarWriter } from '../../tar/tar-writer.ts';
import { TreeWalk } from '../../tar/tree-walk.ts';
import type { SnapshotJob, SnapshotReport } from './messages.ts';
import { collectSecrets } from './secret-identities.ts';
import { rootPath, SNAPSHOT_ERROR_TIME, SnapshotErrorFilename } from './snapshot-names.ts';

type Job = SnapshotJob & { readonly kind: 'snapshot' };

/** `checkStop` throws to end the work: then nothing more is written. */
export async function archiveAlloc(
  native: NativeBinding,
  job: Job,
  emit: Emit,
  takePiece: TakePiece,
  checkStop: () => void,
): Promise<SnapshotReport> {
  let archiveBytes = 0;
  let isBroken = false;
  const writer = new TarWriter((piece) => {
    archiveBytes += piece.length;
    try {
      return emit(piece);
    } catch (error) {
      isBroken = true;
      throw error;
    }
  }, takePiece);
  const counts = { entries: 0, devices: 0 };
  let at = byteText('the alloc directory');
  try {
    const excluded = new Set(job.excluded);
    for (const path of job.secret) collectSecrets(native, job.directory, path, excluded);
    const walk = new TreeWalk(native, { excluded, takePiece });
    for (const root of job.roots) {
      at = rootPath(root);
      const opened = openRoot(native, job.directory, at);
      if (opened === undefined) continue;
      try {
        for (const { entry, content } of walk.walk(opened, at)) {
          at = entry.name;
          checkStop();
          if (entry.type === 'character-device' || entry.type === 'block-device') {
            counts.devices += 1;
            continue;
          }
          counts.entries += 1;
          const waiting = writer.add(entry, content);
          if (waiting !== undefined) await waiting;
        }
      } catch (error) {
        at = walk.current;
        throw error;
      } finally {
        closeSync(opened);
      }
    }
    await writer.finish();
    const { sockets, mountPoints, excluded: secret, vanished } = walk.skipped;
    return {
      entries: counts.entries,
      archiveBytes,
      skipped: { sockets, devices: counts.devices, mountPoints, secret, vanished },
    };
  } catch (error) {
    const failure = fromSystemError(error, 'cannot read');
    if (isBroken || failure.code === 'INTERRUPTED') throw failure;
    await endWithError(writer, job.allocId, at, failure);
    throw new DunnageError(failure.code, `failed to snapshot ${readableText(at)}: ${failure.message}`, {
      ...(failure.remedy === undefined ? {} : { remedy: failure.remedy }),
      cause: failure,
    });
  }
}

/** Undefined if there is none, or a link or file in its place: tasks may move their own directories away. */
function openRoot(native: NativeBinding, directory: number, path: ByteText): number | undefined {
  try {
    return native.openNode(directory, path, READ_DIRECTORY, 0, true);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP', 'EXDEV'].includes(systemCode(error) ?? '')) return undefined;
    throw error;
  }
}

async function endWithError(writer: TarWriter, allocId: string, at: ByteText, failure: DunnageError): Promise<void> {
  const body = Buffer.from(`Error snapshotting: failed to snapshot ${readableText(at)}: ${failure.message}`);
  const entry = tarEntry({
    type: 'file',
    name: byteText(SnapshotErrorFilename(allocId)),
    mode: 0o666,
    sizeBytes: body.length,
    modifyTime: SNAPSHOT_ERROR_TIME,
    accessTime: SNAPSHOT_ERROR_TIME,
    changeTime: SNAPSHOT_ERROR_TIME,
  });
  await writer.add(entry, body);
  await writer.finish();
}
