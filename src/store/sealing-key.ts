/**
 * The key that secret content is sealed with. It lives in a file of the runtime directory (tmpfs: gone after a reboot)
 * or where the configuration says. Three keys are derived from it, so that no use can weaken another: one encrypts,
 * one names content, one identifies the key itself in public.
 */
import { createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { closeSync, fstatSync, fsyncSync, linkSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { DunnageError, fromSystemError } from '../errors/dunnage-error.ts';
import { type Digest, toDigest } from './digest.ts';

const KEY_BYTES = 32;
const ID_BYTES = 8;

function derive(secret: Uint8Array, purpose: string, sizeBytes: number): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, Buffer.alloc(0), `dunnage/v1/${purpose}`, sizeBytes));
}

export class SealingKey {
  /** Public fingerprint, 16 hex digits; stored with everything sealed. */
  readonly id: string;
  readonly #secret: Buffer;
  readonly #encryptionKey: Buffer;
  readonly #namingKey: Buffer;

  private constructor(secret: Uint8Array) {
    this.#secret = Buffer.from(secret);
    this.#encryptionKey = derive(secret, 'encryption', KEY_BYTES);
    this.#namingKey = derive(secret, 'naming', KEY_BYTES);
    this.id = derive(secret, 'identity', ID_BYTES).toString('hex');
  }

  /**
   * Reads the key, or makes one if the file does not exist. Two processes that start at once get the same key.
   * Throws PERMISSION_DENIED if others may read the file, CORRUPT if it is not 32 bytes long.
   */
  static loadOrCreate(keyFile: string): SealingKey {
    return new SealingKey(load(keyFile) ?? create(keyFile));
  }

  static fromBytes(bytes: Uint8Array): SealingKey {
    if (bytes.length !== KEY_BYTES)
      throw new DunnageError('INVALID_ARGUMENT', `a sealing key has ${KEY_BYTES} bytes, not ${bytes.length}`);
    return new SealingKey(bytes);
  }

  /** A copy, to hand to another thread of this process. Never log it, never write it to disk. */
  toBytes(): Uint8Array {
    return Uint8Array.from(this.#secret);
  }

  /** AES-256 key. */
  get encryptionKey(): Uint8Array {
    return this.#encryptionKey;
  }

  /** Digest of secret content: without the key nobody can test a guess against it. */
  digestOf(data: Uint8Array): Digest {
    return toDigest(createHmac('sha256', this.#namingKey).update(data).digest());
  }

  // The key must not leave through JSON or inspection by accident.
  toJSON(): string {
    return `SealingKey(${this.id})`;
  }
}

function load(keyFile: string): Buffer | undefined {
  let fd: number;
  try {
    fd = openSync(keyFile, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw fromSystemError(error, `cannot open the sealing key ${keyFile}`);
  }
  try {
    const status = fstatSync(fd);
    if (!status.isFile())
      throw new DunnageError('CORRUPT', `the sealing key ${keyFile} is not a regular file`, {
        remedy: 'Name a file of 32 random bytes.',
      });
    if ((status.mode & 0o077) !== 0) {
      const mode = (status.mode & 0o777).toString(8).padStart(4, '0');
      throw new DunnageError('PERMISSION_DENIED', `the sealing key ${keyFile} is accessible to others (mode ${mode})`, {
        remedy: `Run: chmod 600 ${keyFile}. If others may have read it, replace it and apply the secrets again.`,
      });
    }
    const secret = Buffer.alloc(KEY_BYTES + 1);
    const sizeBytes = readSync(fd, secret, 0, secret.length, 0);
    if (sizeBytes !== KEY_BYTES) {
      throw new DunnageError('CORRUPT', `the sealing key ${keyFile} must hold exactly ${KEY_BYTES} bytes`, {
        remedy: `Restore it, or remove it: a new one is made, and secrets must be applied again. To make one: head -c ${KEY_BYTES} /dev/urandom`,
      });
    }
    return secret.subarray(0, KEY_BYTES);
  } finally {
    closeSync(fd);
  }
}

/** The finished file appears under its name at once (link), so nobody ever reads half a key; the loser of a race takes the winner's. */
function create(keyFile: string): Buffer {
  const temporary = `${keyFile}.${process.pid}.${randomBytes(6).toString('hex')}.tmp`;
  const secret = randomBytes(KEY_BYTES);
  try {
    const fd = openSync(temporary, 'wx', 0o600);
    try {
      if (writeSync(fd, secret) !== KEY_BYTES)
        throw new DunnageError('NO_SPACE', `cannot write the sealing key ${keyFile}`);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    linkSync(temporary, keyFile);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST')
      throw fromSystemError(error, `cannot create the sealing key ${keyFile}`);
    const existing = load(keyFile);
    if (existing === undefined) throw fromSystemError(error, `cannot create the sealing key ${keyFile}`);
    return existing;
  } finally {
    unlinkIfThere(temporary);
  }
  flushDirectory(dirname(keyFile));
  return secret;
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
