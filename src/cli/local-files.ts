/** `--file PATH=LOCALFILE`: files of this host on their way to a Projection, read while they are sent. */
import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import { DunnageError, fromSystemError } from '../errors/dunnage-error.ts';
import { MODE_MAX } from '../projection/path-rules.ts';
import type { ControlClient } from '../server/control-client.ts';
import type { ApplyResult, SizedFile } from '../server/operations.ts';

export interface LocalFile {
  /** In the Projection. */
  readonly path: string;
  /** On this host; `-` is standard input. */
  readonly local: string;
}

const CHUNK_BYTES = 256 * 1024;
const OCTAL = 8;

/** @throws DunnageError INVALID_ARGUMENT */
export function parseLocalFile(text: string): LocalFile {
  const at = text.indexOf('=');
  const [path, local] = [text.slice(0, at), text.slice(at + 1)];
  if (at > 0 && local !== '') return { path, local };
  throw new DunnageError('INVALID_ARGUMENT', `--file "${text}" is not PATH=LOCALFILE`, {
    remedy: 'write the path in the Projection, "=", and the file on this host (- is standard input)',
  });
}

/** Permission bits, octal. @throws DunnageError INVALID_ARGUMENT */
export function parseMode(text: string): number {
  const mode = /^(?:0o?)?[0-7]{1,3}$/.test(text) ? Number.parseInt(text.replace('o', ''), OCTAL) : MODE_MAX + 1;
  if (mode <= MODE_MAX) return mode;
  throw new DunnageError('INVALID_ARGUMENT', `--mode ${text} is not a mode between 0 and 0777`, {
    remedy: 'write it octal, e.g. 0640',
  });
}

/** Sends them all in one swap. One file may be of any kind; several must be regular files, whose length is known before. */
export async function sendLocalFiles(
  client: ControlClient,
  name: string,
  files: readonly LocalFile[],
  mode: number | undefined,
): Promise<ApplyResult> {
  const attributes = mode === undefined ? {} : { mode };
  const [first] = files;
  if (files.length === 1 && first !== undefined) {
    return await client.writeFile(name, { path: first.path, ...attributes, content: readLocal(first) });
  }
  // Opened before anything is sent: a name that is wrong is said at once.
  const opened: Opened[] = [];
  try {
    for (const file of files) opened.push(await openRegular(file));
    return await client.writeFiles(name, sized(opened, attributes));
  } finally {
    for (const { handle } of opened) await handle.close();
  }
}

interface Opened extends LocalFile {
  readonly handle: FileHandle;
  readonly sizeBytes: number;
}

async function* sized(opened: readonly Opened[], attributes: { mode?: number }): AsyncGenerator<SizedFile> {
  for (const { path, local, handle, sizeBytes } of opened) {
    yield { path, sizeBytes, ...attributes, content: chunksOf(handle, local) };
  }
}

async function openRegular({ path, local }: LocalFile): Promise<Opened> {
  if (local === '-') throw notRegular('standard input');
  const handle = await open(local).catch((error: unknown) => {
    throw fromSystemError(error, `cannot read ${local}`);
  });
  const status = await handle.stat();
  if (status.isFile()) return { path, local, handle, sizeBytes: status.size };
  await handle.close();
  throw notRegular(local);
}

function notRegular(what: string): DunnageError {
  return new DunnageError('INVALID_ARGUMENT', `${what} is no regular file, so its length is not known before`, {
    remedy: 'send it alone, or put it into a file first',
  });
}

async function* readLocal({ local }: LocalFile): AsyncGenerator<Uint8Array> {
  if (local === '-') {
    try {
      for await (const chunk of process.stdin) yield chunk as Buffer;
    } catch (error) {
      throw fromSystemError(error, 'cannot read standard input');
    }
    return;
  }
  const handle = await open(local).catch((error: unknown) => {
    throw fromSystemError(error, `cannot read ${local}`);
  });
  try {
    yield* chunksOf(handle, local);
  } finally {
    await handle.close();
  }
}

async function* chunksOf(handle: FileHandle, local: string): AsyncGenerator<Uint8Array> {
  for (;;) {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    const { bytesRead } = await handle.read(chunk, 0, CHUNK_BYTES, null).catch((error: unknown) => {
      throw fromSystemError(error, `cannot read ${local}`);
    });
    if (bytesRead === 0) return;
    yield chunk.subarray(0, bytesRead);
  }
}
