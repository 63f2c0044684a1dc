/**
 * A driver without a kernel: devices are files of a directory, and so is what a kernel would know. So the tests of what stands above
 * the drivers run anywhere, and one process can be killed and another go on.
 *
 *   <root>/pool/<id>         content
 *   <root>/pool/transaction  number of the last change
 *   <root>/kernel/<name>     [id, isSuspended]; gone after a restart of the host
 *   <root>/dev/<name>        link to the content
 */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { DunnageError } from '../../../src/errors/dunnage-error.ts';
import type { ErrorCode } from '../../../src/errors/table.ts';
import type { DeviceUsage, DriverDevice, DriverKind, PoolDriver, PoolStatus } from '../../../src/thinpool/driver.ts';

const BLOCK_BYTES = 65_536;
const TOTAL_BYTES = 128 * 1024 * 1024;

export class FileDriver implements PoolDriver {
  readonly kind: DriverKind = 'reflink';
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  /** As a restart of the host leaves it. */
  static forgetKernel(root: string): void {
    for (const folder of ['kernel', 'dev']) rmSync(join(root, folder), { recursive: true, force: true });
  }

  async open(): Promise<void> {
    for (const folder of ['pool', 'kernel', 'dev']) mkdirSync(join(this.#root, folder), { recursive: true });
  }

  async close(): Promise<void> {
    // Nothing is open.
  }

  async destroy(): Promise<void> {
    if (this.#active().length > 0) fail('BUSY', 'a device is active');
  }

  async createThin(id: number): Promise<void> {
    if (existsSync(this.#content(id))) fail('ALREADY_EXISTS', `id ${id} is taken`);
    writeFileSync(this.#content(id), '');
  }

  async createSnapshot(id: number, originId: number): Promise<void> {
    if (existsSync(this.#content(id))) fail('ALREADY_EXISTS', `id ${id} is taken`);
    if (!existsSync(this.#content(originId))) fail('NOT_FOUND', `there is no id ${originId}`);
    const staged = join(this.#root, `staged-${id}`);
    copyFileSync(this.#content(originId), staged);
    renameSync(staged, this.#content(id));
  }

  async delete(id: number): Promise<void> {
    if (!existsSync(this.#content(id))) fail('NOT_FOUND', `there is no id ${id}`);
    if (this.#active().some((row) => row.id === id)) fail('BUSY', `id ${id} is active`);
    rmSync(this.#content(id));
  }

  async activate(name: string, id: number, sizeBytes: number): Promise<void> {
    if (sizeBytes <= 0 || sizeBytes % 512 !== 0) fail('INVALID_ARGUMENT', `no size: ${sizeBytes}`);
    if (!existsSync(this.#content(id))) fail('NOT_FOUND', `there is no id ${id}`);
    if (this.#active().some((row) => row.id === id || row.name === name)) fail('BUSY', `${name} or ${id} is active`);
    if (statSync(this.#content(id)).size < sizeBytes) truncateSync(this.#content(id), sizeBytes);
    rmSync(this.path(name), { force: true });
    symlinkSync(this.#content(id), this.path(name));
    this.#note(name, id, false);
  }

  async resize(name: string, sizeBytes: number): Promise<void> {
    const path = this.#content(this.#row(name).id);
    if (sizeBytes < statSync(path).size) fail('INVALID_ARGUMENT', `${name} would become smaller`);
    truncateSync(path, sizeBytes);
  }

  async deactivate(name: string): Promise<void> {
    rmSync(join(this.#root, 'kernel', name), { force: true });
    rmSync(this.path(name), { force: true });
  }

  async suspend(name: string): Promise<void> {
    this.#note(name, this.#row(name).id, true);
  }

  async resume(name: string): Promise<void> {
    this.#note(name, this.#row(name).id, false);
  }

  async isActive(name: string): Promise<boolean> {
    return existsSync(join(this.#root, 'kernel', name));
  }

  async discard(name: string): Promise<void> {
    const path = this.#content(this.#row(name).id);
    const { size } = statSync(path);
    truncateSync(path, 0);
    truncateSync(path, size);
  }

  path(name: string): string {
    return join(this.#root, 'dev', name);
  }

  /** A block that another device has just so at the same place counts as shared. */
  async usage(id: number): Promise<DeviceUsage> {
    if (!existsSync(this.#content(id))) fail('NOT_FOUND', `there is no id ${id}`);
    const others = this.#ids().filter((other) => other !== id);
    const elsewhere = others.map((other) => readFileSync(this.#content(other)));
    const content = readFileSync(this.#content(id));
    let [ownBytes, sharedBytes] = [0, 0];
    for (let offset = 0; offset < content.length; offset += BLOCK_BYTES) {
      const block = content.subarray(offset, offset + BLOCK_BYTES);
      if (block.every((byte) => byte === 0)) continue;
      const isShared = elsewhere.some((other) => other.subarray(offset, offset + BLOCK_BYTES).equals(block));
      if (isShared) sharedBytes += BLOCK_BYTES;
      else ownBytes += BLOCK_BYTES;
    }
    return { ownBytes, sharedBytes };
  }

  async status(): Promise<PoolStatus> {
    const used = this.#ids().reduce((sum, id) => sum + statSync(this.#content(id)).blocks * 512, 0);
    return {
      dataUsedBytes: used,
      dataTotalBytes: TOTAL_BYTES,
      metadataUsedBytes: 0,
      metadataTotalBytes: 0,
      promisableBytes: TOTAL_BYTES,
      isReadOnly: false,
      needsCheck: false,
    };
  }

  async list(): Promise<readonly DriverDevice[]> {
    const active = this.#active();
    return this.#ids().map((id) => {
      const row = active.find((one) => one.id === id);
      if (row === undefined) return { id, isActive: false, isSuspended: false };
      const sizeBytes = statSync(this.#content(id)).size;
      return { id, name: row.name, isActive: true, isSuspended: row.isSuspended, sizeBytes };
    });
  }

  async transaction(): Promise<number> {
    const path = join(this.#root, 'pool/transaction');
    return existsSync(path) ? Number(readFileSync(path, 'utf8')) : 0;
  }

  async setTransaction(transaction: number): Promise<void> {
    this.#replace(join(this.#root, 'pool/transaction'), String(transaction));
  }

  #ids(): readonly number[] {
    return readdirSync(join(this.#root, 'pool'))
      .filter((name) => name !== 'transaction')
      .map(Number);
  }

  #active(): readonly { readonly name: string; readonly id: number; readonly isSuspended: boolean }[] {
    return readdirSync(join(this.#root, 'kernel')).map((name) => this.#row(name));
  }

  #row(name: string): { readonly name: string; readonly id: number; readonly isSuspended: boolean } {
    const path = join(this.#root, 'kernel', name);
    if (!existsSync(path)) fail('NOT_FOUND', `${name} is not active`);
    const [id, isSuspended] = JSON.parse(readFileSync(path, 'utf8')) as [number, boolean];
    return { name, id, isSuspended };
  }

  #note(name: string, id: number, isSuspended: boolean): void {
    this.#replace(join(this.#root, 'kernel', name), JSON.stringify([id, isSuspended]));
  }

  /** Whole or not at all, whenever the process is killed. */
  #replace(path: string, content: string): void {
    const staged = join(this.#root, 'staged');
    writeFileSync(staged, content);
    renameSync(staged, path);
  }

  #content(id: number): string {
    return join(this.#root, 'pool', String(id));
  }
}

function fail(code: ErrorCode, message: string): never {
  throw new DunnageError(code, message);
}
