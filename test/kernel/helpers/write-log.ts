/**
 * What the kernel's target dm-log-writes has recorded of a disk: every write, in the order in which the disk had taken them, with the flushes in
 * between and the marks of the test.
 *
 *   sector 0: magic, version, count, sector size | an entry: sector, length, flags, length of its data | its data, or the next entry
 *
 * A disk that loses its power keeps what was flushed, and of what it took since any part. `DiskAfterPowerLoss` makes such disks.
 */
import assert from 'node:assert/strict';
import { closeSync, openSync, readSync, writeSync } from 'node:fs';

const MAGIC = 0x6a_73_66_77_73_68_72n;
const FLAGS = { flush: 1n, forcedUnitAccess: 2n, discard: 4n, mark: 8n } as const;
const ENTRY_BYTES = 32;

export interface LoggedWrite {
  readonly offsetBytes: number;
  readonly lengthBytes: number;
  /** In the log; of a discard there is nothing. */
  readonly dataAt: number | undefined;
  /** All that was written before it is on the disk. */
  readonly isFlush: boolean;
  /** It is on the disk itself when it has ended. */
  readonly isForced: boolean;
  readonly mark: string | undefined;
}

export function readWriteLog(path: string): readonly LoggedWrite[] {
  const log = openSync(path, 'r');
  try {
    const header = readAt(log, 0, ENTRY_BYTES);
    assert.equal(header.readBigUInt64LE(0), MAGIC, 'the log of writes has no beginning');
    const count = Number(header.readBigUInt64LE(16));
    const sectorBytes = header.readUInt32LE(24);
    const entries: LoggedWrite[] = [];
    for (let at = sectorBytes; entries.length < count; ) {
      const raw = readAt(log, at, sectorBytes);
      const flags = raw.readBigUInt64LE(16);
      const lengthBytes = Number(raw.readBigUInt64LE(8)) * sectorBytes;
      const markBytes = Number(raw.readBigUInt64LE(24));
      const hasData = (flags & FLAGS.discard) === 0n && lengthBytes > 0;
      entries.push({
        offsetBytes: Number(raw.readBigUInt64LE(0)) * sectorBytes,
        lengthBytes,
        dataAt: hasData ? at + sectorBytes : undefined,
        isFlush: (flags & FLAGS.flush) !== 0n,
        isForced: (flags & FLAGS.forcedUnitAccess) !== 0n,
        mark:
          (flags & FLAGS.mark) === 0n
            ? undefined
            : raw.toString('latin1', ENTRY_BYTES, ENTRY_BYTES + markBytes).replace(/\0.*$/s, ''),
      });
      at += sectorBytes + (hasData ? lengthBytes : 0);
    }
    return entries;
  } finally {
    closeSync(log);
  }
}

/** Where writes before `cut` were flushed for the last time: everything up to there is on the disk for certain. */
export function lastFlushBefore(entries: readonly LoggedWrite[], cut: number): number {
  for (let index = cut - 1; index >= 0; index -= 1) if (entries[index]?.isFlush === true) return index + 1;
  return 0;
}

/** Writes entries of a log to a disk (or the file of one). */
export function replay(logPath: string, entries: readonly LoggedWrite[], diskPath: string): void {
  const log = openSync(logPath, 'r');
  const disk = openSync(diskPath, 'r+');
  try {
    for (const { offsetBytes, lengthBytes, dataAt } of entries) {
      const data = dataAt === undefined ? Buffer.alloc(lengthBytes) : readAt(log, dataAt, lengthBytes);
      assert.equal(writeSync(disk, data, 0, lengthBytes, offsetBytes), lengthBytes);
    }
  } finally {
    closeSync(disk);
    closeSync(log);
  }
}

function readAt(file: number, offsetBytes: number, lengthBytes: number): Buffer {
  const bytes = Buffer.alloc(lengthBytes);
  assert.equal(readSync(file, bytes, 0, lengthBytes, offsetBytes), lengthBytes, 'the log of writes ends too early');
  return bytes;
}
