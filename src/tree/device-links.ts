/**
 * `devices/`: a link for each active thin device, to where its block device is. What is there is what the drivers have put into the folder
 * of the runtime directory, asked each time: nothing is remembered here, nor cached by the kernel.
 *
 * The node id of a link follows from its name, so that every daemon gives it the same.
 */
import { createHash } from 'node:crypto';
import { constants, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { NodeId } from '../base/ids.ts';
import { DunnageError } from '../errors/dunnage-error.ts';
import type { Attributes, DirectoryEntry, Entry, Timestamp } from '../vfs/file-system.ts';

export interface DeviceLinksOptions {
  /** Folder with what the links lead to, absolute. */
  readonly folder: string;
  readonly uid: number;
  readonly gid: number;
}

/** Above every id of the live view. */
export const DEVICES_NODE_ID: NodeId = (2 ** 51) as NodeId;
/** Bits of a name's digest in a node id. */
const DIGEST_BYTES = 6;

export const isDeviceNode = (node: NodeId): boolean => node >= DEVICES_NODE_ID;

export class DeviceLinks {
  readonly #options: DeviceLinksOptions;

  constructor(options: DeviceLinksOptions) {
    this.#options = options;
  }

  get rootEntry(): Entry {
    return uncached(this.attributes(DEVICES_NODE_ID));
  }

  lookup(parent: NodeId, name: string): Entry {
    const mtime = parent === DEVICES_NODE_ID ? this.#mtimeOf(name) : undefined;
    return uncached(mtime === undefined ? undefined : this.#link(name, mtime));
  }

  attributes(node: NodeId): Attributes {
    if (node !== DEVICES_NODE_ID) {
      const name = this.#nameOf(node);
      return this.#link(name, this.#mtimeOf(name) ?? { seconds: 0, nanoseconds: 0 });
    }
    const { uid, gid, folder } = this.#options;
    const mtime = timeOf(folder) ?? { seconds: 0, nanoseconds: 0 };
    return { nodeId: node, mode: constants.S_IFDIR | 0o755, nlink: 2, uid, gid, sizeBytes: 4096, blocks: 0, mtime };
  }

  *list(node: NodeId, cookie: number): IterableIterator<DirectoryEntry> {
    if (node !== DEVICES_NODE_ID) return;
    for (const [position, name] of this.#names().entries()) {
      if (position < cookie) continue;
      yield { name, nodeId: nodeIdOf(name), type: constants.S_IFLNK, cookie: position + 1 };
    }
  }

  /** @throws DunnageError STALE if the device is not active any more */
  readLink(node: NodeId): string {
    return join(this.#options.folder, this.#nameOf(node));
  }

  #link(name: string, mtime: Timestamp): Attributes {
    const { uid, gid, folder } = this.#options;
    const sizeBytes = Buffer.byteLength(join(folder, name));
    return { nodeId: nodeIdOf(name), mode: constants.S_IFLNK | 0o777, nlink: 1, uid, gid, sizeBytes, blocks: 0, mtime };
  }

  #nameOf(node: NodeId): string {
    const name = this.#names().find((one) => nodeIdOf(one) === node);
    if (name === undefined) throw new DunnageError('STALE', `node ${node} is gone`);
    return name;
  }

  /** Sorted. Without what is just being made. */
  #names(): readonly string[] {
    try {
      return readdirSync(this.#options.folder).filter(isShown).sort();
    } catch {
      // No pool was ever in service.
      return [];
    }
  }

  #mtimeOf(name: string): Timestamp | undefined {
    return isShown(name) ? timeOf(join(this.#options.folder, name)) : undefined;
  }
}

const isShown = (name: string): boolean => !name.startsWith('.') && !name.includes('/');

function timeOf(path: string): Timestamp | undefined {
  const found = lstatSync(path, { throwIfNoEntry: false });
  return found && { seconds: Math.floor(found.mtimeMs / 1000), nanoseconds: Math.floor((found.mtimeMs % 1000) * 1e6) };
}

function nodeIdOf(name: string): NodeId {
  const digest = createHash('sha256').update(name).digest();
  return (DEVICES_NODE_ID + 1 + digest.readUIntBE(0, DIGEST_BYTES)) as NodeId;
}

function uncached(attributes: Attributes | undefined): Entry {
  return { attributes, entryTimeoutSeconds: 0, attributeTimeoutSeconds: 0 };
}
