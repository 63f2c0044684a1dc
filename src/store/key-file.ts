/**
 * Files that hold the sealing key: exactly 32 random bytes, readable by the daemon's user alone. What is read goes straight
 * into memory that is never swapped out.
 *
 *   <runtime-dir>/secret.key   made by the daemon; on a tmpfs, whose page is pinned while the daemon runs
 *   --key-file                 made by the operator, never by the daemon: a key that appears where one should have been
 *                              mounted would seal Secrets with a key that nobody keeps
 */
import { randomBytes, randomFillSync } from 'node:crypto';
import type { Stats } from 'node:fs';
import { closeSync, fstatSync, fsyncSync, linkSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { DunnageError, fromSystemError } from '../errors/dunnage-error.ts';

export const KEY_BYTES = 32;

/** Whom a key file may belong to. */
export interface KeyReader {
  readonly uid: number;
  /** systemd's `$CREDENTIALS_DIRECTORY`: files in it may be root's, and readable by an access list, which shows as group bits. */
  readonly credentialsDirectory: string | undefined;
}

export function currentReader(): KeyReader {
  return { uid: process.geteuid?.() ?? 0, credentialsDirectory: process.env['CREDENTIALS_DIRECTORY'] };
}

/**
 * Reads the key into the first 32 bytes of `into`. False if the file does not exist.
 * @throws DunnageError PERMISSION_DENIED if it belongs to somebody else or others may read it, CORRUPT if it is no key.
 */
export function readKeyFile(path: string, into: Uint8Array, reader: KeyReader = currentReader()): boolean {
  const fd = openKey(path, 'r');
  if (fd === undefined) return false;
  try {
    const status = fstatSync(fd);
    checkOwner(path, status, reader);
    // One byte more, to notice a longer file.
    const sizeBytes = readSync(fd, into, 0, KEY_BYTES + 1, 0);
    if (sizeBytes === KEY_BYTES) return true;
    into.fill(0, 0, KEY_BYTES + 1);
    throw wrongSize(path, status.size);
  } finally {
    closeSync(fd);
  }
}

/** Makes a file with a random key, under its name at once (link), so that nobody ever reads half a key. False if another process was quicker. */
export function createKeyFile(path: string, scratch: Uint8Array): boolean {
  const temporary = `${path}.${process.pid}.${randomBytes(6).toString('hex')}.tmp`;
  const secret = randomFillSync(scratch.subarray(0, KEY_BYTES));
  try {
    const fd = openSync(temporary, 'wx', 0o600);
    try {
      if (writeSync(fd, secret) !== KEY_BYTES)
        throw new DunnageError('NO_SPACE', `cannot write the sealing key ${path}`);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    linkSync(temporary, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw fromSystemError(error, `cannot create the sealing key ${path}`);
  } finally {
    secret.fill(0);
    unlinkIfThere(temporary);
  }
  flushDirectory(dirname(path));
  return true;
}

/** Opened for writing as well it can be mapped and pinned. Undefined if the file does not exist. */
export function openKey(path: string, flags: 'r' | 'r+'): number | undefined {
  try {
    return openSync(path, flags);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw fromSystemError(error, `cannot open the sealing key ${path}`);
  }
}

function checkOwner(path: string, status: Stats, { uid, credentialsDirectory }: KeyReader): void {
  if (!status.isFile()) {
    throw new DunnageError('CORRUPT', `the sealing key ${path} is not a regular file`, {
      remedy: `Name a file of ${KEY_BYTES} random bytes: the daemon reads it at every start.`,
    });
  }
  const isCredential = credentialsDirectory !== undefined && dirname(resolve(path)) === resolve(credentialsDirectory);
  if (status.uid !== uid && !(isCredential && status.uid === 0)) {
    throw new DunnageError(
      'PERMISSION_DENIED',
      `the sealing key ${path} belongs to user ${status.uid}, not to ${uid}`,
      {
        remedy: `Run: chown ${uid} ${path} && chmod 600 ${path}. If others may have read it, replace it and apply the secrets again.`,
      },
    );
  }
  const forbidden = isCredential ? 0o037 : 0o077;
  if ((status.mode & forbidden) === 0) return;
  const mode = (status.mode & 0o777).toString(8).padStart(4, '0');
  throw new DunnageError('PERMISSION_DENIED', `the sealing key ${path} is accessible to others (mode ${mode})`, {
    remedy: `Run: chmod 600 ${path}. If others may have read it, replace it and apply the secrets again.`,
  });
}

/** Sizes of 32 bytes as people write them, with or without a line break. */
const TEXT_FORMS: Readonly<Record<number, string>> = {
  44: 'base64 -d',
  45: 'base64 -d',
  64: 'xxd -r -p',
  65: 'xxd -r -p',
};

function wrongSize(path: string, sizeBytes: number): DunnageError {
  const decoder = TEXT_FORMS[sizeBytes];
  const make = `(umask 077; head -c ${KEY_BYTES} /dev/urandom > FILE)`;
  return new DunnageError('CORRUPT', `the sealing key ${path} must hold exactly ${KEY_BYTES} bytes, not ${sizeBytes}`, {
    remedy:
      decoder === undefined
        ? `Restore it, or replace it and apply the secrets again: ${make}`
        : `If it is a key written as text, keep its bytes instead: (umask 077; ${decoder} ${path} > FILE)`,
  });
}

function unlinkIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw fromSystemError(error, `cannot remove ${path}`);
  }
}

function flushDirectory(directory: string): void {
  const fd = openSync(directory, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
