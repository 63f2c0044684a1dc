/** Whether a list of files is one that a writer could have made, and what its record must say about it. */
import { limits } from '../../base/limits.ts';
import type { Codec } from '../../store/codecs.ts';
import { type ContentNode, contentNodesCodec, DIRECTORY_INDEX, nodeCount } from '../generation-nodes.ts';
import { MODE_MAX } from '../path-rules.ts';
import type { GenerationRecord } from '../records.ts';

/** Index of the first entry of a list. */
export const FIRST_INDEX = 2;

/** Also refuses bytes that the codec reads but would not write: names that are no UTF-8. */
export const strictNodesCodec: Codec<readonly ContentNode[]> = {
  encode: (nodes) => contentNodesCodec.encode(nodes),
  decode(bytes) {
    const nodes = contentNodesCodec.decode(bytes);
    if (!Buffer.from(contentNodesCodec.encode(nodes)).equals(bytes)) throw new RangeError('not as it was written');
    return nodes;
  },
};

/** What is wrong with the list; undefined if nothing is. */
export function faultOf(content: readonly ContentNode[]): string | undefined {
  const names = new Map<number, Set<string>>([[DIRECTORY_INDEX, new Set()]]);
  for (const [position, node] of content.entries()) {
    const siblings = names.get(node.parent);
    if (siblings === undefined) return `entry ${position} is in something that is no directory before it`;
    if (!isName(node)) return `entry ${position} has no possible name`;
    if (node.kind === 'file' && node.mode > MODE_MAX) return `entry ${position} has impossible permission bits`;
    if (siblings.has(node.name)) return `entry ${position} has the name of another one`;
    siblings.add(node.name);
    if (node.kind === 'directory') names.set(position + FIRST_INDEX, new Set());
  }
  return undefined;
}

function isName({ name, parent }: ContentNode): boolean {
  if (name === '' || name === '.' || name === '..' || /[/\0]/.test(name)) return false;
  if (parent === DIRECTORY_INDEX && name.startsWith('..')) return false;
  return Buffer.byteLength(name) <= limits.nameBytesMax;
}

/** The fields of the record that the list determines. */
export function countsOf(
  content: readonly ContentNode[],
): Pick<GenerationRecord, 'nodes' | 'directories' | 'files' | 'sizeBytes'> {
  const files = content.filter((node) => node.kind === 'file');
  const directories = content.filter((node) => node.kind === 'directory' && node.parent === DIRECTORY_INDEX).length;
  const sizeBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
  return { nodes: nodeCount(content), directories, files: files.length, sizeBytes };
}

/** Paths of the files, by the index of their entry. */
export function pathsOf(content: readonly ContentNode[]): readonly string[] {
  const prefixes = new Map<number, string>([[DIRECTORY_INDEX, '']]);
  return content.map((node, position) => {
    const path = `${prefixes.get(node.parent) ?? ''}${node.name}`;
    if (node.kind === 'directory') prefixes.set(position + FIRST_INDEX, `${path}/`);
    return path;
  });
}
