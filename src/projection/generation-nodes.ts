/**
 * The immutable content of one generation as a flat array of nodes, in the order in which their node ids were given:
 *
 *   index 0      the timestamped directory            node id = generation id
 *   index 1      the link `..data` that names it      node id = generation id + 1
 *   index 2...   directories and files, parents first node id = generation id + index
 *
 * So a node id alone tells generation and index, and nothing but the generation has to be looked up.
 */
import type { GenerationId, NodeId } from '../base/ids.ts';
import { DunnageError } from '../errors/dunnage-error.ts';
import type { Codec } from '../store/codecs.ts';
import type { Digest } from '../store/digest.ts';

export const DIRECTORY_INDEX = 0;
export const DATA_LINK_INDEX = 1;
const FIRST_CONTENT_INDEX = 2;

export interface DirectoryNode {
  readonly kind: 'directory';
  readonly parent: number;
  readonly name: string;
}

export interface FileNode {
  readonly kind: 'file';
  /** Index of the directory it is in. */
  readonly parent: number;
  readonly name: string;
  /** Permission bits. */
  readonly mode: number;
  /** Undefined: the daemon's own. */
  readonly uid: number | undefined;
  readonly gid: number | undefined;
  readonly sizeBytes: number;
  readonly digest: Digest;
}

/** Directories and files; entry i is the node with index i + 2. */
export type ContentNode = DirectoryNode | FileNode;

export type FileContent = Omit<FileNode, 'kind' | 'parent' | 'name'>;

/** Builds the nodes of a generation from cleaned paths. Paths are sorted by bytes, so equal payloads make equal arrays. */
export function buildNodes(files: ReadonlyMap<string, FileContent>): ContentNode[] {
  const nodes: ContentNode[] = [];
  const directories = new Map<string, number>([['', DIRECTORY_INDEX]]);
  const directoryIndex = (path: string): number => {
    const known = directories.get(path);
    if (known !== undefined) return known;
    const slash = path.lastIndexOf('/');
    const parent = directoryIndex(slash < 0 ? '' : path.slice(0, slash));
    nodes.push({ kind: 'directory', parent, name: path.slice(slash + 1) });
    const index = nodes.length - 1 + FIRST_CONTENT_INDEX;
    directories.set(path, index);
    return index;
  };
  for (const path of [...files.keys()].sort()) {
    const content = files.get(path) as FileContent;
    const slash = path.lastIndexOf('/');
    const parent = directoryIndex(slash < 0 ? '' : path.slice(0, slash));
    nodes.push({ kind: 'file', parent, name: path.slice(slash + 1), ...content });
  }
  return nodes;
}

/** A generation as it is served: children by directory, made once when it is loaded. */
export class GenerationNodes {
  readonly id: GenerationId;
  readonly content: readonly ContentNode[];
  readonly #children: ReadonlyMap<number, ReadonlyMap<string, number>>;

  constructor(id: GenerationId, content: readonly ContentNode[]) {
    this.id = id;
    this.content = content;
    const children = new Map<number, Map<string, number>>([[DIRECTORY_INDEX, new Map()]]);
    content.forEach((node, position) => {
      const index = position + FIRST_CONTENT_INDEX;
      if (node.kind === 'directory') children.set(index, new Map());
      children.get(node.parent)?.set(node.name, index);
    });
    this.#children = children;
  }

  node(index: number): ContentNode | undefined {
    return this.content[index - FIRST_CONTENT_INDEX];
  }

  nodeId(index: number): NodeId {
    return (this.id + index) as NodeId;
  }

  /** Names in the directory with that index; undefined if it is no directory. */
  children(index: number): ReadonlyMap<string, number> | undefined {
    return this.#children.get(index);
  }

  /** Of a directory or file, relative to the timestamped directory. */
  path(index: number): string {
    const names: string[] = [];
    for (let node = this.node(index); node !== undefined; node = this.node(node.parent)) names.unshift(node.name);
    return names.join('/');
  }

  /** Directories directly in that directory, for st_nlink. */
  directoryCount(index: number): number {
    let count = 0;
    for (const child of this.#children.get(index)?.values() ?? []) {
      if (this.node(child)?.kind === 'directory') count += 1;
    }
    return count;
  }

  /** Every file with its path. */
  files(): IterableIterator<FileOfContent> {
    return filesOf(this.content);
  }
}

export interface FileOfContent {
  readonly path: string;
  readonly file: FileNode;
}

/** Every file with its path. */
export function* filesOf(content: readonly ContentNode[]): IterableIterator<FileOfContent> {
  const directories = new Map<number, string>([[DIRECTORY_INDEX, '']]);
  for (const [position, node] of content.entries()) {
    const path = `${directories.get(node.parent) ?? ''}${node.name}`;
    if (node.kind === 'directory') directories.set(position + FIRST_CONTENT_INDEX, `${path}/`);
    else yield { path, file: node };
  }
}

/** Node ids a generation takes. */
export function nodeCount(content: readonly ContentNode[]): number {
  return content.length + FIRST_CONTENT_INDEX;
}

const KIND_DIRECTORY = 0;
const KIND_FILE = 1;
const NO_OWNER = 0xffffffff;
const DIGEST_BYTES = 32;
const COMMON_BYTES = 1 + 4 + 2;
const FILE_BYTES = 2 + 4 + 4 + 6 + DIGEST_BYTES;

/** Binary, because a generation of thousands of files is read on the thread that serves FUSE. */
export const contentNodesCodec: Codec<readonly ContentNode[]> = {
  encode(nodes) {
    const sizeBytes = nodes.reduce(
      (sum, node) => sum + COMMON_BYTES + Buffer.byteLength(node.name) + (node.kind === 'file' ? FILE_BYTES : 0),
      0,
    );
    const bytes = Buffer.allocUnsafe(sizeBytes);
    let at = 0;
    for (const node of nodes) {
      const nameBytes = bytes.write(node.name, at + COMMON_BYTES, 'utf8');
      at = bytes.writeUInt8(node.kind === 'file' ? KIND_FILE : KIND_DIRECTORY, at);
      at = bytes.writeUInt32LE(node.parent, at);
      at = bytes.writeUInt16LE(nameBytes, at) + nameBytes;
      if (node.kind === 'directory') continue;
      at = bytes.writeUInt16LE(node.mode, at);
      at = bytes.writeUInt32LE(node.uid ?? NO_OWNER, at);
      at = bytes.writeUInt32LE(node.gid ?? NO_OWNER, at);
      at = bytes.writeUIntLE(node.sizeBytes, at, 6);
      bytes.set(node.digest, at);
      at += DIGEST_BYTES;
    }
    return bytes;
  },
  decode(encoded) {
    const bytes = Buffer.from(encoded.buffer, encoded.byteOffset, encoded.byteLength);
    const nodes: ContentNode[] = [];
    let at = 0;
    try {
      while (at < bytes.length) {
        const kind = bytes.readUInt8(at);
        const parent = bytes.readUInt32LE(at + 1);
        const nameLength = bytes.readUInt16LE(at + 5);
        at += COMMON_BYTES;
        const name = bytes.toString('utf8', at, at + nameLength);
        at += nameLength;
        if (at + (kind === KIND_FILE ? FILE_BYTES : 0) > bytes.length) throw new RangeError('a node ends early');
        if (kind === KIND_DIRECTORY) {
          nodes.push({ kind: 'directory', parent, name });
          continue;
        }
        const uid = bytes.readUInt32LE(at + 2);
        const gid = bytes.readUInt32LE(at + 6);
        nodes.push({
          kind: 'file',
          parent,
          name,
          mode: bytes.readUInt16LE(at),
          uid: uid === NO_OWNER ? undefined : uid,
          gid: gid === NO_OWNER ? undefined : gid,
          sizeBytes: bytes.readUIntLE(at + 10, 6),
          digest: bytes.subarray(at + 16, at + 16 + DIGEST_BYTES) as unknown as Digest,
        });
        at += FILE_BYTES;
      }
    } catch (cause) {
      throw new DunnageError('CORRUPT', 'a generation record in the store is truncated', { cause });
    }
    return nodes;
  },
};
