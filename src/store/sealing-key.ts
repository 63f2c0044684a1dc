/**
 * The key that secret content is sealed with. It comes from a file of the runtime directory (tmpfs: gone after a reboot)
 * or from the operator's key file. Three keys are derived from it, so that no use can weaken another: one encrypts, one names
 * content, one identifies the key itself in public.
 *
 * All of them lie in memory that is neither swapped out nor dumped, and no thread hands them to another by message.
 */
import { createHmac, hkdfSync } from 'node:crypto';
import { closeSync } from 'node:fs';
import { DunnageError } from '../errors/dunnage-error.ts';
import { type Digest, type Digester, toDigest } from './digest.ts';
import { createKeyFile, KEY_BYTES, openKey, readKeyFile } from './key-file.ts';
import { LockedBytes, type PinnedFile, type SharedBytes } from './locked-bytes.ts';

const ID_BYTES = 8;
/** Where in the locked bytes what begins. */
const ENCRYPTION_AT = KEY_BYTES;
const NAMING_AT = 2 * KEY_BYTES;
/** Behind the keys: room to read and make key files. */
const SCRATCH_AT = 1024;

export class SealingKey {
  /** Public fingerprint, 16 hex digits; stored with everything sealed. */
  readonly id: string;
  readonly #memory: LockedBytes;
  readonly #encryptionKey: Uint8Array;
  readonly #namingKey: Uint8Array;
  /** The key's own file, where it can be pinned. */
  readonly #pinned: Uint8Array | undefined;
  /** Why the key may be swapped out all the same: an errno of mlock(2); 0 if it cannot be. */
  readonly lockErrno: number;

  /** `memory` begins with the secret. */
  private constructor(memory: LockedBytes, file?: PinnedFile) {
    const secret = memory.bytes.subarray(0, KEY_BYTES);
    this.#memory = memory;
    this.#encryptionKey = memory.bytes.subarray(ENCRYPTION_AT, ENCRYPTION_AT + KEY_BYTES);
    this.#namingKey = memory.bytes.subarray(NAMING_AT, NAMING_AT + KEY_BYTES);
    deriveInto(this.#encryptionKey, secret, 'encryption');
    deriveInto(this.#namingKey, secret, 'naming');
    const id = new Uint8Array(ID_BYTES);
    deriveInto(id, secret, 'identity');
    this.id = Buffer.from(id).toString('hex');
    this.#pinned = file?.pinned;
    this.lockErrno = memory.lockErrno || (file?.lockErrno ?? 0);
  }

  /**
   * Reads the key of the runtime directory, or makes one if the file does not exist. Two processes that start at once get the
   * same key. Throws PERMISSION_DENIED if others may read the file, CORRUPT if it is not 32 bytes long.
   */
  static loadOrCreate(keyFile: string): SealingKey {
    const memory = LockedBytes.allocate();
    const isThere = (): boolean => readInto(memory, keyFile);
    if (!isThere()) {
      createKeyFile(keyFile, memory.bytes.subarray(SCRATCH_AT));
      if (!isThere()) throw missing(keyFile);
    }
    return new SealingKey(memory, pin(keyFile));
  }

  /** Reads an operator's key file. Throws NOT_FOUND if there is none, and what `loadOrCreate` throws. */
  static load(keyFile: string): SealingKey {
    const memory = LockedBytes.allocate();
    if (!readInto(memory, keyFile)) throw missing(keyFile);
    return new SealingKey(memory);
  }

  /** Takes a copy. Throws INVALID_ARGUMENT unless there are 32 bytes. */
  static fromBytes(bytes: Uint8Array): SealingKey {
    if (bytes.length !== KEY_BYTES)
      throw new DunnageError('INVALID_ARGUMENT', `a sealing key has ${KEY_BYTES} bytes, not ${bytes.length}`);
    const memory = LockedBytes.allocate();
    memory.bytes.set(bytes);
    return new SealingKey(memory);
  }

  /** The key that another thread of this process `share`d. */
  static ofShared(descriptor: number): SealingKey {
    return new SealingKey(LockedBytes.ofShared(descriptor));
  }

  /** For another thread of this process. To be released when that has it. */
  share(): SharedBytes {
    return this.#memory.share();
  }

  /** AES-256 key. */
  get encryptionKey(): Uint8Array {
    return this.#encryptionKey;
  }

  /** Whether the key's file is kept in memory too. */
  get isPinned(): boolean {
    return this.#pinned !== undefined;
  }

  /** Digest of secret content: without the key nobody can test a guess against it. */
  digestOf(data: Uint8Array): Digest {
    return toDigest(createHmac('sha256', this.#namingKey).update(data).digest());
  }

  /** `digestOf` in pieces. */
  digester(): Digester {
    return createHmac('sha256', this.#namingKey);
  }

  // The key must not leave through JSON or inspection by accident.
  toJSON(): string {
    return `SealingKey(${this.id})`;
  }
}

function deriveInto(target: Uint8Array, secret: Uint8Array, purpose: string): void {
  const derived = new Uint8Array(hkdfSync('sha256', secret, Buffer.alloc(0), `dunnage/v1/${purpose}`, target.length));
  target.set(derived);
  derived.fill(0);
}

/** By way of the scratch room: a file that is too long must not run into the keys. */
function readInto(memory: LockedBytes, keyFile: string): boolean {
  const scratch = memory.bytes.subarray(SCRATCH_AT);
  if (!readKeyFile(keyFile, scratch)) return false;
  memory.bytes.set(scratch.subarray(0, KEY_BYTES));
  scratch.fill(0);
  return true;
}

/** The page of a file on a tmpfs could be swapped out like any memory. */
function pin(keyFile: string): PinnedFile {
  const descriptor = openKey(keyFile, 'r+');
  if (descriptor === undefined) throw missing(keyFile);
  try {
    return LockedBytes.pin(descriptor, KEY_BYTES);
  } finally {
    closeSync(descriptor);
  }
}

function missing(keyFile: string): DunnageError {
  return new DunnageError('NOT_FOUND', `there is no sealing key ${keyFile}`, {
    remedy: `Make one: (umask 077; head -c ${KEY_BYTES} /dev/urandom > ${keyFile}), and keep a copy in a safe place.`,
  });
}
