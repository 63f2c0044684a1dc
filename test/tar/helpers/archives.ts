/** Archives in memory and trees on the disk, both ways, through the classes that are tested. */

import { once } from 'node:events';
import { closeSync, constants, createReadStream, createWriteStream, mkdirSync, openSync } from 'node:fs';
import { type ByteText, byteText } from '../../../src/base/byte-text.ts';
import type { NativeBinding } from '../../../src/native/binding.ts';
import { loadNative } from '../../../src/native/load.ts';
import type { TarEntry } from '../../../src/tar/entry.ts';
import { hostOwners } from '../../../src/tar/host-owners.ts';
import { type ParserOptions, type TarEvent, TarParser } from '../../../src/tar/tar-parser.ts';
import { type Content, TarWriter } from '../../../src/tar/tar-writer.ts';
import { TreeWalk, type WalkOptions } from '../../../src/tar/tree-walk.ts';
import { TreeWriter, type TreeWriterOptions, type UnpackReport } from '../../../src/tar/tree-writer.ts';

export const native: NativeBinding = loadNative();
export const isRoot: boolean = process.geteuid?.() === 0;

export async function archiveOf(entries: readonly (readonly [TarEntry, Content?])[]): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  const writer = new TarWriter((piece) => void pieces.push(piece));
  for (const [entry, content] of entries) await writer.add(entry, content);
  await writer.finish();
  return Buffer.concat(pieces);
}

export interface ParsedEntry {
  readonly entry: TarEntry;
  /** With its holes as zeros. */
  readonly content: Buffer;
}

/** All entries, with the input cut into pieces of that size. */
export function parseArchive(archive: Uint8Array, pieceBytes = 65_536, options: ParserOptions = {}): ParsedEntry[] {
  const parsed: ParsedEntry[] = [];
  for (const event of parseEvents(archive, pieceBytes, options)) {
    if (event.kind === 'entry') parsed.push({ entry: event.entry, content: Buffer.alloc(event.entry.sizeBytes) });
    else if (event.kind === 'content') parsed.at(-1)?.content.set(event.bytes, event.offset);
  }
  return parsed;
}

export function* parseEvents(
  archive: Uint8Array,
  pieceBytes = 65_536,
  options: ParserOptions = {},
): Generator<TarEvent, void, void> {
  const parser = new TarParser(options);
  for (let at = 0; ; at += pieceBytes) {
    for (let event = parser.next(); event !== undefined; event = parser.next()) yield event;
    if (at >= archive.length) break;
    parser.feed(archive.subarray(at, at + pieceBytes));
  }
  parser.end();
}

/** Archives the directory into a file, under the name `.`. */
export async function archiveTree(path: string, file: string, options: WalkOptions = {}): Promise<TreeWalk> {
  const root = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  const output = createWriteStream(file);
  try {
    const writer = new TarWriter(async (piece) => {
      if (!output.write(piece)) await once(output, 'drain');
    });
    const walk = new TreeWalk(native, options);
    for (const { entry, content } of walk.walk(root, byteText('.'))) await writer.add(entry, content);
    await writer.finish();
    return walk;
  } finally {
    output.end();
    await once(output, 'close');
    closeSync(root);
  }
}

/** Unpacks into the directory, which is made if it is missing. */
export async function unpackTree(
  file: string,
  path: string,
  options: TreeWriterOptions = { owners: isRoot, devices: 'make' },
): Promise<UnpackReport> {
  mkdirSync(path, { recursive: true });
  const root = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  const writer = new TreeWriter(native, root, options);
  const parser = new TarParser({ ownerNumbers: hostOwners() });
  try {
    const drain = (): void => {
      for (let event = parser.next(); event !== undefined; event = parser.next()) {
        if (event.kind === 'entry') writer.begin(event.entry);
        else if (event.kind === 'content') writer.write(event.bytes, event.offset);
        else if (event.kind === 'entry-end') writer.end();
      }
    };
    for await (const piece of createReadStream(file)) {
      parser.feed(piece as Buffer);
      drain();
    }
    parser.end();
    writer.finish();
    return writer.report;
  } finally {
    writer.close();
    closeSync(root);
  }
}

export function names(parsed: readonly ParsedEntry[]): ByteText[] {
  return parsed.map(({ entry }) => entry.name);
}
