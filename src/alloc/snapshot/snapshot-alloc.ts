/**
 * A snapshot of an alloc: a plain tar stream of `alloc/data` and of the tasks' `local`, with names relative to the alloc's directory. The same
 * files always give the same bytes.
 *
 * Not in it: logs, tmp and secrets; whatever is mounted there (projected Secrets are); files of secrets that lie on the disk, whatever other
 * names they were given; sockets and devices. The report counts them.
 */
import { closeSync, openSync, WriteStream } from 'node:fs';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { byteText } from '../../base/byte-text.ts';
import { DunnageError, fromSystemError } from '../../errors/dunnage-error.ts';
import { READ_DIRECTORY } from '../../native/open-flags.ts';
import { PIECE_BYTES } from '../../tar/piece-memory.ts';
import type { BackingDirectory } from '../backing-directory.ts';
import { requireAllocId, TaskPrivate, TaskSecrets } from '../layout.ts';
import type { SnapshotReport } from './messages.ts';
import { snapshotRoots } from './snapshot-names.ts';
import { SnapshotThread } from './snapshot-thread.ts';

/** Bytes on their way into a file: it writes several pieces at once. */
const FILE_AHEAD_BYTES = 2 * PIECE_BYTES;

export interface SnapshotSource {
  readonly directory: Pick<BackingDirectory, 'path'>;
  readonly id: string;
  readonly tasks: readonly string[];
  /** Identities (`nodeIdentity`) of what else is not to be in it. */
  readonly excluded?: readonly string[];
}

/**
 * Writes the snapshot, and ends the output in any case but that of an error of the output itself. If something cannot be read, the stream is
 * ended with an entry `SnapshotErrorFilename`, and this fails with `failed to snapshot PATH: ...`.
 * @throws DunnageError NOT_FOUND if there is no such alloc; INTERRUPTED if it was aborted (the stream is broken off then).
 */
export async function snapshotAlloc(
  source: SnapshotSource,
  output: Writable,
  signal?: AbortSignal,
): Promise<SnapshotReport> {
  requireAllocId(source.id);
  const roots = snapshotRoots(source.tasks);
  if (signal?.aborted) throw interrupted(signal);
  const directory = openAlloc(source);
  const secret = source.tasks.flatMap((task) => [`${task}/${TaskSecrets}`, `${task}/${TaskPrivate}`]);
  const thread = new SnapshotThread({
    kind: 'snapshot',
    directory,
    allocId: source.id,
    roots,
    secret: secret.map(byteText),
    excluded: source.excluded ?? [],
  });
  const abort = (): void => thread.stop();
  signal?.addEventListener('abort', abort);
  const sink = new OutputSink(output);
  thread.onPiece((bytes, giveBack) => sink.write(bytes, giveBack));
  try {
    const report = (await thread.end()) as SnapshotReport;
    await sink.end();
    return report;
  } catch (error) {
    // What was read before belongs to the receiver, with the reason at its end.
    if (isReadFailure(error)) await sink.end();
    else output.destroy(error instanceof Error ? error : undefined);
    throw signal?.aborted ? interrupted(signal) : error;
  } finally {
    signal?.removeEventListener('abort', abort);
    await thread.close();
    closeSync(directory);
  }
}

function isReadFailure(error: unknown): boolean {
  return error instanceof DunnageError && error.message.startsWith('failed to snapshot ');
}

function interrupted(signal: AbortSignal): DunnageError {
  return new DunnageError('INTERRUPTED', 'the snapshot was stopped on request', { cause: signal.reason });
}

function openAlloc({ directory, id }: SnapshotSource): number {
  try {
    return openSync(join(directory.path, id), READ_DIRECTORY);
  } catch (error) {
    throw fromSystemError(error, `cannot open the directory of alloc ${id}`);
  }
}

/** A Writable that says when it has taken something, and whose errors are thrown to who writes. */
class OutputSink {
  readonly #output: Writable;
  /** What was written to a file is needed by nobody; other outputs may pass the memory itself on. */
  readonly #isFile: boolean;
  #failure: Error | undefined;

  constructor(output: Writable) {
    this.#output = output;
    this.#isFile = output instanceof WriteStream;
    output.on('error', (error) => {
      this.#failure ??= error;
    });
  }

  /** Resolves when more may come. */
  write(bytes: Uint8Array, giveBack: () => void): Promise<void> | void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#output.destroyed || this.#output.writableEnded) throw closedEarly();
    const takesMore = this.#isFile ? this.#output.write(bytes, giveBack) : this.#output.write(bytes);
    if (takesMore || (this.#isFile && this.#output.writableLength <= FILE_AHEAD_BYTES)) return;
    return this.#drained();
  }

  end(): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#output.once('error', reject);
      this.#output.once('close', () => (this.#output.writableFinished ? resolve() : reject(closedEarly())));
      this.#output.end(() => resolve());
    });
  }

  #drained(): Promise<void> {
    const output = this.#output;
    return new Promise((resolve, reject) => {
      const settle = (error?: Error): void => {
        output.off('drain', drain).off('close', close).off('error', settle);
        if (error === undefined) resolve();
        else reject(error);
      };
      const drain = (): void => settle();
      const close = (): void => settle(closedEarly());
      output.on('drain', drain).on('close', close).on('error', settle);
    });
  }
}

function closedEarly(): DunnageError {
  return new DunnageError('INTERRUPTED', 'the receiver of the snapshot hung up');
}
