/**
 * Names of active devices. Each has a record, a link to `/dev/loopN` in a folder of the pool, and while it may be used a public link of
 * the same kind at `<runtime>/dev/<name>`. Links, because device nodes are dead below /run on most hosts (it is mounted nodev).
 *
 * All of it lies on a tmpfs and is gone after a restart of the host. Links are hints: what `/dev/loopN` is attached to is asked each time.
 *
 * Nothing here waits for a disk, so it is done at once and not in the libuv pool, where it would wait behind flushes.
 */
import { mkdirSync, readdirSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { limits } from '../../base/limits.ts';
import { DunnageError, fromSystemError } from '../../errors/dunnage-error.ts';
import { systemCode } from '../../native/system-error.ts';

export class DeviceNames {
  readonly #publicFolder: string;
  readonly #recordFolder: string;
  readonly #prefix: string;

  /** Absolute paths. The public folder may be that of several pools, whose prefixes tell them apart. */
  constructor(publicFolder: string, recordFolder: string, prefix = '') {
    this.#publicFolder = publicFolder;
    this.#recordFolder = recordFolder;
    this.#prefix = prefix;
  }

  async open(): Promise<void> {
    for (const folder of [this.#publicFolder, this.#recordFolder]) mkdirSync(folder, { recursive: true, mode: 0o755 });
  }

  /** @throws DunnageError INVALID_ARGUMENT for what cannot be a file name, or begins with a dot */
  path(name: string): string {
    if (!/^[^./][^/\0]*$/.test(name) || Buffer.byteLength(this.#prefix + name) > limits.nameBytesMax) {
      throw new DunnageError('INVALID_ARGUMENT', `"${name}" cannot be the name of a device`, {
        remedy: 'take a name without "/" that does not begin with a dot, of at most 255 bytes',
      });
    }
    return join(this.#publicFolder, this.#prefix + name);
  }

  #record(name: string): string {
    this.path(name);
    return join(this.#recordFolder, name);
  }

  /** Number of the loop device that had the name last. */
  async numberOf(name: string): Promise<number | undefined> {
    return loopNumber(this.#record(name));
  }

  async isPublic(name: string): Promise<boolean> {
    return loopNumber(this.path(name)) !== undefined;
  }

  async all(): Promise<readonly { readonly name: string; readonly number: number }[]> {
    const rows = readdirSync(this.#recordFolder).map((name) => ({ name, number: loopNumber(this.#record(name)) }));
    return rows.filter((row): row is { name: string; number: number } => row.number !== undefined);
  }

  /** @throws DunnageError BUSY if the name is recorded already */
  async record(name: string, number: number): Promise<void> {
    link(this.#record(name), number, name);
  }

  /** @throws DunnageError BUSY if another pool, or somebody else, has something there */
  async publish(name: string, number: number): Promise<void> {
    const path = this.path(name);
    if (loopNumber(path) === number) return;
    link(path, number, name);
  }

  async hide(name: string): Promise<void> {
    rmSync(this.path(name), { force: true });
  }

  /** Preconditions: it is hidden, or the public link belongs to this record. */
  async remove(name: string): Promise<void> {
    const number = loopNumber(this.#record(name));
    if (number !== undefined && loopNumber(this.path(name)) === number) await this.hide(name);
    rmSync(this.#record(name), { force: true });
  }
}

function link(path: string, number: number, name: string): void {
  try {
    symlinkSync(`/dev/loop${number}`, path);
  } catch (error) {
    if (systemCode(error) === 'EEXIST') {
      throw new DunnageError('BUSY', `a device named ${name} is active already: ${path}`, { cause: error });
    }
    throw fromSystemError(error, `cannot name a device ${name}`);
  }
}

function loopNumber(path: string): number | undefined {
  let target: string;
  try {
    target = readlinkSync(path);
  } catch {
    return undefined;
  }
  const match = /^\/dev\/loop(\d+)$/.exec(target);
  return match === null ? undefined : Number(match[1]);
}
