/**
 * What every transport must do with a file system, tried through a real mount of the sample file system (see
 * kernel/helpers/sample-file-system.ts). A transport brings a factory and says what it does not do, with the reason.
 */
import { describe } from 'node:test';
import type { SampleSettings } from '../kernel/helpers/sample-server.ts';
import { cachingTests } from './file-system/caching.ts';
import { changeTests } from './file-system/changes.ts';
import { lifeTests } from './file-system/life.ts';
import { listingTests } from './file-system/listings.ts';
import { readingTests } from './file-system/reading.ts';

/** A served sample. */
export interface Served {
  readonly mountPoint: string;
  /** Runs a command of the daemon (see `SampleServer.commands`). */
  command<T>(name: string, fields?: Record<string, unknown>): Promise<T>;
  unmount(): Promise<void>;
  /** Ends the connection as an administrator would. */
  abort(): Promise<void>;
  /** Leaves nothing behind, whatever hangs. */
  stop(): Promise<void>;
}

export type Ability =
  /** Attributes and names are cached until invalidated; hot reads make no request. */
  | 'zero-message'
  /** df shows each object's own size. */
  | 'statfs-per-object'
  | 'extended-attributes'
  | 'interrupts'
  /** References are counted down to zero. */
  | 'forget'
  | 'handles'
  | 'abort';

export interface Transport {
  readonly name: string;
  start(settings: Omit<SampleSettings, 'mountPoint'>): Promise<Served>;
  /** Why nothing can be mounted here; undefined if it can. */
  readonly skip: string | undefined;
  /** What this transport cannot do, and why. */
  readonly lacks: Readonly<Partial<Record<Ability, string>>>;
}

export function fileSystemConformance(transport: Transport): void {
  const options = transport.skip === undefined ? {} : { skip: transport.skip };
  describe(`file system over ${transport.name}`, { timeout: 120_000, ...options }, () => {
    readingTests(transport);
    listingTests(transport);
    changeTests(transport);
    cachingTests(transport);
    lifeTests(transport);
  });
}
