/**
 * The file system of the root connection: the fixed directories, and beside them `live`, which has a file system of its own, and
 * `devices`. Node ids tell which of them a request is for.
 */
import { constants } from 'node:fs';
import { type NodeId, ROOT_NODE_ID } from '../base/ids.ts';
import { DunnageError } from '../errors/dunnage-error.ts';
import { isLiveNode as isAboveFixed, LIVE_NODE_ID } from '../projection/live/live-ids.ts';
import type { LiveTree } from '../projection/live/live-tree.ts';
import type {
  AttributesReply,
  Awaitable,
  Caller,
  DirectoryEntry,
  Entry,
  FileSystem,
  FileSystemStatus,
  OpenReply,
  SetAttributesRequest,
} from '../vfs/file-system.ts';
import { DEVICES_NODE_ID, type DeviceLinks, isDeviceNode } from './device-links.ts';
import { DEVICES_DIRECTORY, LIVE_DIRECTORY, TOP_LEVEL_DIRECTORIES } from './places.ts';
import type { RootTree } from './root-tree.ts';

const LIVE_COOKIE = TOP_LEVEL_DIRECTORIES.length + 1;
const DEVICES_COOKIE = LIVE_COOKIE + 1;

const isLiveNode = (node: NodeId): boolean => isAboveFixed(node) && !isDeviceNode(node);

export class GraftedTree implements FileSystem {
  readonly #root: RootTree;
  readonly #live: LiveTree;
  readonly #devices: DeviceLinks;

  constructor(root: RootTree, live: LiveTree, devices: DeviceLinks) {
    this.#root = root;
    this.#live = live;
    this.#devices = devices;
  }

  lookup(caller: Caller, parent: NodeId, name: string): Entry {
    if (isLiveNode(parent)) return this.#live.lookup(caller, parent, name);
    if (isDeviceNode(parent)) return this.#devices.lookup(parent, name);
    if (parent === ROOT_NODE_ID && name === LIVE_DIRECTORY) return this.#live.rootEntry();
    if (parent === ROOT_NODE_ID && name === DEVICES_DIRECTORY) return this.#devices.rootEntry;
    return this.#root.lookup(caller, parent, name);
  }

  forget(nodeId: NodeId, count: number): void {
    if (isLiveNode(nodeId)) this.#live.forget(nodeId, count);
  }

  getAttributes(caller: Caller, nodeId: NodeId): AttributesReply {
    if (isLiveNode(nodeId)) return this.#live.getAttributes(caller, nodeId);
    if (isDeviceNode(nodeId)) return { attributes: this.#devices.attributes(nodeId), attributeTimeoutSeconds: 0 };
    const reply = this.#root.getAttributes(caller, nodeId);
    if (nodeId !== ROOT_NODE_ID) return reply;
    return { ...reply, attributes: { ...reply.attributes, nlink: reply.attributes.nlink + 2 } };
  }

  *readDirectory(caller: Caller, nodeId: NodeId, handle: number, cookie: number): IterableIterator<DirectoryEntry> {
    if (isLiveNode(nodeId)) {
      yield* this.#live.readDirectory(caller, nodeId, handle, cookie);
      return;
    }
    if (isDeviceNode(nodeId)) {
      yield* this.#devices.list(nodeId, cookie);
      return;
    }
    yield* this.#root.readDirectory(caller, nodeId, handle, cookie);
    if (nodeId !== ROOT_NODE_ID) return;
    const type = constants.S_IFDIR;
    if (cookie < LIVE_COOKIE) yield { name: LIVE_DIRECTORY, nodeId: LIVE_NODE_ID, type, cookie: LIVE_COOKIE };
    if (cookie < DEVICES_COOKIE)
      yield { name: DEVICES_DIRECTORY, nodeId: DEVICES_NODE_ID, type, cookie: DEVICES_COOKIE };
  }

  readLink(_caller: Caller, nodeId: NodeId): string {
    if (isDeviceNode(nodeId) && nodeId !== DEVICES_NODE_ID) return this.#devices.readLink(nodeId);
    throw new DunnageError('INVALID_ARGUMENT', 'not a link');
  }

  statFileSystem(caller: Caller, nodeId: NodeId): FileSystemStatus {
    return isLiveNode(nodeId) ? this.#live.statFileSystem(caller, nodeId) : this.#root.statFileSystem();
  }

  getExtendedAttribute(caller: Caller, nodeId: NodeId, name: string): Uint8Array | undefined {
    return isLiveNode(nodeId) ? this.#live.getExtendedAttribute(caller, nodeId, name) : undefined;
  }

  listExtendedAttributes(caller: Caller, nodeId: NodeId): readonly string[] {
    return isLiveNode(nodeId) ? this.#live.listExtendedAttributes(caller, nodeId) : [];
  }

  open(caller: Caller, nodeId: NodeId, flags: number): OpenReply {
    if (!isLiveNode(nodeId)) throw new DunnageError('IS_A_DIRECTORY', 'there are only directories here');
    return this.#live.open(caller, nodeId, flags);
  }

  release(nodeId: NodeId, handle: number, resent: boolean): void {
    if (isLiveNode(nodeId)) this.#live.release(nodeId, handle, resent);
  }

  read(caller: Caller, nodeId: NodeId, handle: number, offset: number, sizeBytes: number): Awaitable<Uint8Array> {
    if (!isLiveNode(nodeId)) throw new DunnageError('IS_A_DIRECTORY', 'there are only directories here');
    return this.#live.read(caller, nodeId, handle, offset, sizeBytes);
  }

  write(caller: Caller, nodeId: NodeId, handle: number, offset: number, data: Uint8Array): number {
    return this.#liveFor(nodeId).write(caller, nodeId, handle, offset, data);
  }

  setAttributes(caller: Caller, nodeId: NodeId, request: SetAttributesRequest): AttributesReply {
    return this.#liveFor(nodeId).setAttributes(caller, nodeId, request);
  }

  makeDirectory(caller: Caller, parent: NodeId, name: string): Entry {
    return this.#liveFor(parent).makeDirectory(caller, parent, name);
  }

  makeFile(caller: Caller, parent: NodeId, name: string): Entry {
    return this.#liveFor(parent).makeFile(caller, parent, name);
  }

  unlink(caller: Caller, parent: NodeId, name: string): void {
    this.#liveFor(parent).unlink(caller, parent, name);
  }

  removeDirectory(caller: Caller, parent: NodeId, name: string): void {
    this.#liveFor(parent).removeDirectory(caller, parent, name);
  }

  /** Nothing else can be changed. */
  #liveFor(nodeId: NodeId): LiveTree {
    if (isLiveNode(nodeId)) return this.#live;
    throw new DunnageError('READ_ONLY', 'the top of the mount cannot be changed');
  }
}
