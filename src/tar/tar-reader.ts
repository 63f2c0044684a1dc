/** Reads an archive from a stream, entry by entry. */
import { fromSystemError } from '../errors/dunnage-error.ts';
import type { TarEntry } from './entry.ts';
import { type ParserOptions, type TarEvent, TarParser } from './tar-parser.ts';

/** Some bytes of a file and where they belong in it. Of a sparse file only its data comes. */
export interface ContentPiece {
  readonly bytes: Uint8Array;
  readonly offset: number;
}

export interface ReadEntry {
  readonly entry: TarEntry;
  /** To be read before the next entry is asked for, or not at all. */
  readonly content: AsyncIterable<ContentPiece>;
}

/**
 * The entries of an archive in their order. The input is read as they are, no faster; it is read to its end, or closed if the caller
 * stops before.
 * @throws DunnageError CORRUPT if the archive is damaged or cut off, NOT_SUPPORTED for what is not read.
 */
export async function* readArchive(
  input: AsyncIterable<Uint8Array>,
  options: ParserOptions = {},
): AsyncGenerator<ReadEntry, void, void> {
  const events = eventsOf(input, new TarParser(options));
  try {
    for (;;) {
      const { value: event } = await events.next();
      if (event === undefined) return;
      if (event.kind !== 'entry') continue;
      yield { entry: event.entry, content: contentOf(events) };
    }
  } finally {
    await events.return(undefined);
  }
}

async function* contentOf(events: AsyncGenerator<TarEvent>): AsyncGenerator<ContentPiece, void, void> {
  for (;;) {
    const { value: event } = await events.next();
    if (event?.kind !== 'content') return;
    yield event;
  }
}

async function* eventsOf(
  input: AsyncIterable<Uint8Array>,
  parser: TarParser,
): AsyncGenerator<TarEvent, undefined, void> {
  const pieces = input[Symbol.asyncIterator]();
  try {
    for (;;) {
      const event = parser.next();
      if (event !== undefined) {
        yield event;
        continue;
      }
      const { value, done } = await pieces.next().catch((error: unknown) => {
        throw fromSystemError(error, 'cannot read the archive');
      });
      if (done === true) break;
      parser.feed(value);
    }
    parser.end();
    return undefined;
  } finally {
    await pieces.return?.();
  }
}
