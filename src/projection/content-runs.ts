/**
 * Which files refer to content. The generations of a projection that are in the store are a chain, in the order of their
 * ids. A path that has the same content in some of them, one after another, is a run, and a run holds ONE reference,
 * however long it is:
 *
 *   generation    12   15   31   40
 *   app.conf       A    A    B    A      three runs: two references to A, one to B
 *   ca.crt         C    C    C    C      one run
 *
 * So a swap writes as many counts as files have changed, not as many as there are. A generation that is taken out of the
 * chain ends the runs that were in it alone, and joins those that it parted.
 */
import type { BlobStore, PreparedBlob } from '../store/blob-store.ts';
import { type ContentNode, type FileNode, filesOf } from './generation-nodes.ts';

export type Content = readonly ContentNode[];

/** How references are counted: `retain` of what this instance prepared, or `adopt` of what another did. */
export interface References extends Pick<BlobStore, 'retainExisting' | 'release'> {
  readonly retain: (blob: PreparedBlob) => void;
}

/** Files that begin a run: at their path `before`, the generation before in the chain, has other content or none. */
export function* runsBegun(content: Content, before: Content | undefined): IterableIterator<FileNode> {
  const inBefore = sameContentIn(before, content);
  for (const [position, node] of content.entries()) {
    if (node.kind === 'file' && !inBefore(position, node)) yield node;
  }
}

/**
 * Adds the references of a new generation. Content that is not among what was prepared has a reference already. What was
 * prepared and begins no run is stored anew if it was damaged, and counts no more than before.
 *
 * Preconditions: in a transaction. Throws NOT_FOUND if content is neither prepared nor stored.
 */
export function retainRuns(
  content: Content,
  before: Content | undefined,
  prepared: readonly PreparedBlob[],
  blobs: References,
): void {
  const waiting = new Map<string, PreparedBlob[]>();
  for (const blob of prepared) {
    const name = blob.digest.toString('hex');
    const others = waiting.get(name);
    if (others === undefined) waiting.set(name, [blob]);
    else others.push(blob);
  }
  for (const { digest } of runsBegun(content, before)) {
    const blob = waiting.get(digest.toString('hex'))?.pop();
    if (blob === undefined) blobs.retainExisting(digest);
    else blobs.retain(blob);
  }
  for (const blob of [...waiting.values()].flat()) {
    blobs.retain(blob);
    blobs.release(blob.digest);
  }
}

/** Files whose references go if `content` is taken out from between `before` and `after`. */
export function* runsEnded(
  content: Content,
  before: Content | undefined,
  after: Content | undefined,
): IterableIterator<FileNode> {
  const inBefore = sameContentIn(before, content);
  const inAfter = sameContentIn(after, content);
  for (const [position, node] of content.entries()) {
    if (node.kind === 'file' && !inBefore(position, node) && !inAfter(position, node)) yield node;
  }
  if (before === undefined || after === undefined) return;
  const continued = sameContentIn(before, after);
  const inContent = sameContentIn(content, after);
  for (const [position, node] of after.entries()) {
    if (node.kind === 'file' && continued(position, node) && !inContent(position, node)) yield node;
  }
}

type Holds = (position: number, node: FileNode) => boolean;

/** Tells of the files of `content` whether `other` has the same content at the same path. */
function sameContentIn(other: Content | undefined, content: Content): Holds {
  if (other === undefined || other.length === 0) return () => false;
  if (hasSameNames(other, content)) {
    return (position, node) => {
      const counterpart = other[position];
      return counterpart?.kind === 'file' && counterpart.digest.equals(node.digest);
    };
  }
  const theirs = new Map([...filesOf(other)].map(({ path, file }) => [path, file]));
  const held = new Set<FileNode>();
  for (const { path, file } of filesOf(content)) if (theirs.get(path)?.digest.equals(file.digest)) held.add(file);
  return (_position, node) => held.has(node);
}

/** As a rule a swap changes content only: then nobody has to put paths together. */
function hasSameNames(left: Content, right: Content): boolean {
  if (left.length !== right.length) return false;
  return left.every((node, position) => {
    const counterpart = right[position] as ContentNode;
    return node.kind === counterpart.kind && node.parent === counterpart.parent && node.name === counterpart.name;
  });
}
