/** All that a file system keeps of a tree, as lines that can be compared. */
import { createHash } from 'node:crypto';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { type ByteText, readableText } from '../../../src/base/byte-text.ts';
import { loadNative } from '../../../src/native/load.ts';
import { NODE, nodeIdentity } from '../../../src/native/node-status.ts';
import { dataRegions } from '../../../src/tar/file-content.ts';
import { readXattrs } from '../../../src/tar/kept-xattrs.ts';

const native = loadNative();
const PAGE_BYTES = 4096;
const ZEROS = Buffer.alloc(PAGE_BYTES);
const O_PATH = 0o10000000;
const { S_IFMT, S_IFREG, S_IFDIR, S_IFLNK } = constants;

export interface DescribeOptions {
  /** Where holes are (in pieces of the file system's blocks). */
  readonly holes?: boolean;
  /** Formats before PAX keep times to a second, and no attributes. */
  readonly wholeSeconds?: boolean;
  readonly attributes?: boolean;
}

/** One line for each node below the directory, itself included, in the order of their names. */
export function describeTree(path: string, options: DescribeOptions = {}): string[] {
  const lines: string[] = [];
  const first = new Map<string, string>();
  const visit = (directory: number, name: string, shown: string): void => {
    const status = native.statNode(directory, name);
    const field = (index: number): number => status[index] ?? 0;
    const kind = field(NODE.mode) & S_IFMT;
    const parts = [shown, field(NODE.mode).toString(8), `${field(NODE.userId)}:${field(NODE.groupId)}`];
    const nanoseconds = options.wholeSeconds === true ? 0 : field(NODE.modifyNanoseconds);
    parts.push(`${field(NODE.modifySeconds)}.${nanoseconds}`);
    if (kind !== S_IFDIR) parts.push(`${field(NODE.specialMajor)},${field(NODE.specialMinor)}`);
    if (kind !== S_IFDIR && field(NODE.linkCount) > 1) {
      const identity = nodeIdentity(status);
      if (!first.has(identity)) first.set(identity, shown);
      parts.push(`links=${field(NODE.linkCount)} first=${first.get(identity)}`);
    }
    if (kind === S_IFLNK) parts.push(`-> ${JSON.stringify(native.readLinkText(directory, name))}`);
    const readable = kind === S_IFREG || kind === S_IFDIR;
    const flags = readable ? constants.O_RDONLY : O_PATH | constants.O_NOFOLLOW;
    const descriptor = native.openNode(directory, name, flags, 0, false);
    try {
      if (options.attributes !== false)
        for (const [key, value] of readXattrs(native, descriptor)) parts.push(`${key}=${value.toString('hex')}`);
      if (kind === S_IFREG) {
        parts.push(`size=${field(NODE.sizeBytes)}`, contentDigest(descriptor, field(NODE.sizeBytes)));
        if (options.holes === true)
          parts.push(JSON.stringify(dataRegions(native, descriptor, field(NODE.sizeBytes), 0) ?? 'no holes'));
      }
      lines.push(parts.join(' '));
      if (kind !== S_IFDIR) return;
      for (const child of native.listNodes(descriptor).names.sort())
        visit(descriptor, child, `${shown}/${readableText(child as ByteText)}`);
    } finally {
      closeSync(descriptor);
    }
  };
  const root = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    visit(root, '', '.');
  } finally {
    closeSync(root);
  }
  return lines;
}

/** Of everything but zeros, whether they are stored or holes. */
function contentDigest(descriptor: number, sizeBytes: number): string {
  const hash = createHash('sha256');
  const page = Buffer.alloc(PAGE_BYTES);
  for (const region of dataRegions(native, descriptor, sizeBytes, 0) ?? [{ offset: 0, sizeBytes }]) {
    const end = region.offset + region.sizeBytes;
    for (let at = region.offset - (region.offset % PAGE_BYTES); at < end; at += PAGE_BYTES) {
      const length = readSync(descriptor, page, 0, PAGE_BYTES, at);
      const bytes = page.subarray(0, length);
      if (!bytes.equals(ZEROS.subarray(0, length))) hash.update(`${at}:`).update(bytes);
    }
  }
  return hash.digest('hex').slice(0, 16);
}

/** What is only in one of them: short enough to be read when a test fails. */
export function treeDifferences(actual: readonly string[], expected: readonly string[]): string[] {
  const has = new Set(expected);
  const had = new Set(actual);
  return [
    ...actual.filter((line) => !has.has(line)).map((line) => `+ ${line.slice(0, 500)}`),
    ...expected.filter((line) => !had.has(line)).map((line) => `- ${line.slice(0, 500)}`),
  ];
}
