/**
 * A small file system in memory that has one of everything a transport must carry, and counts references.
 *
 * /hello (text), /big (8 MiB), /gate (reads wait until the gate opens or they are interrupted), /broken and /broken-later
 * (reads end in an exception), /denied (cannot be looked up), /fatal (whoever looks it up first kills the daemon), /link -> hello, /many (10,000 files), /changing (directories
 * and links can be made, renamed and removed), /object-a and /object-b (objects with a size of their own).
 */
import { constants } from 'node:fs';
import { type NodeId, ROOT_NODE_ID } from '../../../src/base/ids.ts';
import { DunnageError } from '../../../src/errors/dunnage-error.ts';
import { FOPEN } from '../../../src/fuse/abi.ts';
import {
  type Attributes,
  type AttributesReply,
  type Awaitable,
  type Caller,
  type DirectoryEntry,
  type Entry,
  type FileSystem,
  type FileSystemStatus,
  FOREVER_SECONDS,
} from '../../../src/vfs/file-system.ts';

export const BIG_BYTES: number = 8 * 1024 * 1024;
export const MANY_FILES = 10_000;
export const HELLO = 'hello from the sample\n';
export const GATE_CONTENT = 'the gate was open\n';
export const COLOR = { name: 'user.color', value: 'blue' } as const;

const { S_IFDIR, S_IFLNK, S_IFREG } = constants;
const BLOCK_SIZE_BYTES = 4096;

interface Child {
  readonly cookie: number;
  readonly node: Node;
}

interface Node {
  readonly id: NodeId;
  mode: number;
  content: Buffer;
  /** In the order of cookies: a name is always added at the end. */
  readonly children: Map<string, Child>;
  parent: Node | undefined;
  /** Blocks of the object that begins here. */
  objectBlocks: number | undefined;
}

/** Content of /big: every 4-byte word is its own index, so that a misplaced page is noticed. */
export function bigContent(): Buffer {
  const words = new Uint32Array(BIG_BYTES / 4);
  for (let index = 0; index < words.length; index += 1) words[index] = index;
  return Buffer.from(words.buffer);
}

export class SampleFileSystem implements FileSystem {
  readonly references: Map<number, number> = new Map();
  readonly resentOperations: string[] = [];
  openHandles = 0;
  #onForgotten: (() => void)[] = [];
  readonly #nodes = new Map<number, Node>();
  readonly #root: Node;
  #nextId: number = ROOT_NODE_ID;
  #nextCookie = 1;
  #gateOpen = false;
  #gateWaiters: (() => void)[] = [];

  getExtendedAttribute?: FileSystem['getExtendedAttribute'] & {};
  listExtendedAttributes?: FileSystem['listExtendedAttributes'] & {};
  open?: FileSystem['open'] & {};
  release?: FileSystem['release'] & {};

  constructor() {
    this.#root = this.#make(undefined, '', S_IFDIR | 0o755);
    this.#make(this.#root, 'hello', S_IFREG | 0o644, HELLO);
    this.#make(this.#root, 'big', S_IFREG | 0o644, bigContent());
    this.#make(this.#root, 'gate', S_IFREG | 0o644, GATE_CONTENT);
    this.#make(this.#root, 'broken', S_IFREG | 0o644, 'x');
    this.#make(this.#root, 'broken-later', S_IFREG | 0o644, 'x');
    this.#make(this.#root, 'denied', S_IFREG | 0o644, 'x');
    this.#make(this.#root, 'fatal', S_IFREG | 0o644, 'x');
    this.#make(this.#root, 'link', S_IFLNK | 0o777, 'hello');
    this.#make(this.#root, 'changing', S_IFDIR | 0o755);
    const many = this.#make(this.#root, 'many', S_IFDIR | 0o755);
    for (let index = 0; index < MANY_FILES; index += 1) this.#make(many, `file-${index}`, S_IFREG | 0o644, `${index}`);
    for (const [name, blocks] of [
      ['object-a', 1_000],
      ['object-b', 2_000_000],
    ] as const) {
      const object = this.#make(this.#root, name, S_IFDIR | 0o755);
      object.objectBlocks = blocks;
      this.#make(object, 'file', S_IFREG | 0o600, name);
    }
  }

  /** Has attributes on /hello from now on. */
  withExtendedAttributes(): this {
    this.getExtendedAttribute = (_caller, nodeId, name) => {
      if (name === COLOR.name && this.#isHello(nodeId)) return Buffer.from(COLOR.value);
      throw new DunnageError('NO_DATA', 'no such attribute');
    };
    this.listExtendedAttributes = (_caller, nodeId) => (this.#isHello(nodeId) ? [COLOR.name] : []);
    return this;
  }

  /** Opens files with handles, uncached. */
  withHandles(): this {
    this.open = (): { handle: number; flags: number } => {
      this.openHandles += 1;
      return { handle: 1_000 + this.openHandles, flags: FOPEN.DIRECT_IO };
    };
    this.release = (): void => {
      this.openHandles -= 1;
    };
    return this;
  }

  /** Adds a file without any request of the kernel. */
  addSilently(directory: string, name: string): NodeId {
    const parent = this.#root.children.get(directory)?.node;
    if (parent === undefined) throw new Error(`no directory ${directory}`);
    this.#make(parent, name, S_IFREG | 0o644, name);
    return parent.id;
  }

  openGate(): void {
    this.#gateOpen = true;
    for (const open of this.#gateWaiters.splice(0)) open();
  }

  /** Resolves when the kernel remembers nothing but the root. */
  async allForgotten(): Promise<void> {
    while (this.references.size > 0) await new Promise<void>((resolve) => this.#onForgotten.push(resolve));
  }

  lookup(caller: Caller, parent: NodeId, name: string): Entry {
    if (caller.resent) this.resentOperations.push('lookup');
    else if (name === 'fatal') process.kill(process.pid, 'SIGKILL');
    if (name === 'denied') throw new DunnageError('PERMISSION_DENIED', 'denied on purpose');
    const child = this.#directory(parent).children.get(name);
    if (child === undefined) {
      return { attributes: undefined, entryTimeoutSeconds: FOREVER_SECONDS, attributeTimeoutSeconds: 0 };
    }
    return this.#entry(child.node);
  }

  forget(nodeId: NodeId, count: number): void {
    const left = (this.references.get(nodeId) ?? 0) - count;
    if (left === 0) this.references.delete(nodeId);
    else this.references.set(nodeId, left);
    if (this.references.size === 0) for (const resolve of this.#onForgotten.splice(0)) resolve();
  }

  getAttributes(_caller: Caller, nodeId: NodeId): AttributesReply {
    return { attributes: this.#attributes(this.#node(nodeId)), attributeTimeoutSeconds: FOREVER_SECONDS };
  }

  *readDirectory(_caller: Caller, nodeId: NodeId, _handle: number, cookie: number): Iterable<DirectoryEntry> {
    for (const [name, child] of this.#directory(nodeId).children) {
      if (child.cookie <= cookie) continue;
      yield { name, nodeId: child.node.id, type: child.node.mode & constants.S_IFMT, cookie: child.cookie };
    }
  }

  statFileSystem(_caller: Caller, nodeId: NodeId): FileSystemStatus {
    let node: Node | undefined = this.#node(nodeId);
    while (node?.parent !== undefined && node.objectBlocks === undefined) node = node.parent;
    const blocks = node?.objectBlocks ?? 7;
    return {
      blockSizeBytes: BLOCK_SIZE_BYTES,
      blocks,
      blocksFree: blocks / 2,
      blocksAvailable: blocks / 4,
      files: 5,
      filesFree: 3,
      nameBytesMax: 255,
    };
  }

  readLink(_caller: Caller, nodeId: NodeId): string {
    return this.#node(nodeId).content.toString();
  }

  read(caller: Caller, nodeId: NodeId, _handle: number, offset: number, sizeBytes: number): Awaitable<Uint8Array> {
    const node = this.#node(nodeId);
    if (caller.resent) this.resentOperations.push('read');
    const name = [...(node.parent?.children ?? [])].find(([, child]) => child.node === node)?.[0];
    if (name === 'broken') throw new TypeError('an exception on purpose');
    if (name === 'broken-later') return Promise.reject(new TypeError('a rejection on purpose'));
    const part = node.content.subarray(offset, offset + sizeBytes);
    return name === 'gate' ? this.#throughGate(caller, part) : part;
  }

  makeDirectory(_caller: Caller, parent: NodeId, name: string, mode: number): Entry {
    return this.#entry(this.#make(this.#changeable(parent, name), name, S_IFDIR | mode));
  }

  makeSymlink(_caller: Caller, parent: NodeId, name: string, target: string): Entry {
    return this.#entry(this.#make(this.#changeable(parent, name), name, S_IFLNK | 0o777, target));
  }

  unlink(_caller: Caller, parent: NodeId, name: string): void {
    this.#changeable(parent).children.delete(name);
  }

  removeDirectory(_caller: Caller, parent: NodeId, name: string): void {
    const directory = this.#changeable(parent);
    if ((directory.children.get(name)?.node.children.size ?? 0) > 0) throw new DunnageError('NOT_EMPTY', 'not empty');
    directory.children.delete(name);
  }

  rename(_caller: Caller, parent: NodeId, name: string, newParent: NodeId, newName: string, flags: number): void {
    if (flags !== 0) throw new DunnageError('INVALID_ARGUMENT', 'no flags');
    const child = this.#changeable(parent).children.get(name);
    const target = this.#changeable(newParent);
    if (child === undefined) throw new DunnageError('NOT_FOUND', 'no such name');
    this.#changeable(parent).children.delete(name);
    // A replaced name gets a new position: it must stand at the end of the map.
    target.children.delete(newName);
    target.children.set(newName, { cookie: this.#nextCookie++, node: child.node });
    child.node.parent = target;
  }

  #throughGate(caller: Caller, part: Uint8Array): Promise<Uint8Array> {
    if (this.#gateOpen) return Promise.resolve(part);
    return new Promise((resolve, reject) => {
      this.#gateWaiters.push(() => resolve(part));
      caller.signal?.addEventListener('abort', () =>
        reject(new DunnageError('INTERRUPTED', 'interrupted at the gate')),
      );
    });
  }

  #make(parent: Node | undefined, name: string, mode: number, content: string | Buffer = ''): Node {
    const id = this.#nextId++ as NodeId;
    const node: Node = {
      id,
      mode,
      content: Buffer.from(content),
      children: new Map(),
      parent,
      objectBlocks: undefined,
    };
    this.#nodes.set(id, node);
    parent?.children.set(name, { cookie: this.#nextCookie++, node });
    return node;
  }

  #entry(node: Node): Entry {
    this.references.set(node.id, (this.references.get(node.id) ?? 0) + 1);
    return {
      attributes: this.#attributes(node),
      entryTimeoutSeconds: FOREVER_SECONDS,
      attributeTimeoutSeconds: FOREVER_SECONDS,
    };
  }

  #attributes(node: Node): Attributes {
    return {
      nodeId: node.id,
      mode: node.mode,
      nlink: (node.mode & constants.S_IFMT) === S_IFDIR ? 2 : 1,
      uid: 12,
      gid: 34,
      sizeBytes: node.content.length,
      blocks: Math.ceil(node.content.length / 512),
      mtime: { seconds: 1_700_000_000, nanoseconds: 123_456_789 },
    };
  }

  #node(nodeId: NodeId): Node {
    const node = this.#nodes.get(nodeId);
    if (node === undefined) throw new DunnageError('STALE', `no node ${nodeId}`);
    return node;
  }

  #directory(nodeId: NodeId): Node {
    const node = this.#node(nodeId);
    if ((node.mode & constants.S_IFMT) !== S_IFDIR) throw new DunnageError('NOT_A_DIRECTORY', 'not a directory');
    return node;
  }

  /** A directory in which `name` may be changed. */
  #changeable(nodeId: NodeId, name?: string): Node {
    const node = this.#directory(nodeId);
    let top: Node | undefined = node;
    while (top?.parent !== undefined && top.parent !== this.#root) top = top.parent;
    if (top !== this.#root.children.get('changing')?.node) throw new DunnageError('READ_ONLY', 'not changeable');
    if (name !== undefined && node.children.has(name)) throw new DunnageError('ALREADY_EXISTS', 'exists');
    return node;
  }

  #isHello(nodeId: NodeId): boolean {
    return this.#root.children.get('hello')?.node.id === nodeId;
  }
}
