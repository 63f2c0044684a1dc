/** What a transport brings to the suite of file-system.ts. */
import type { SampleSettings } from '../../kernel/helpers/sample-server.ts';

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
  /** The end of a connection says whether it was unmounted or aborted. */
  | 'abort'
  /** Times are exact to the nanosecond. */
  | 'nanoseconds'
  /** A file can be opened for writing; it is the write that is refused. */
  | 'open-for-writing'
  /** A thread other than the main one can serve. */
  | 'worker';

export interface Transport {
  readonly name: string;
  start(settings: Omit<SampleSettings, 'mountPoint'>): Promise<Served>;
  /** Why nothing can be mounted here; undefined if it can. */
  readonly skip: string | undefined;
  /** What this transport cannot do, and why. */
  readonly lacks: Readonly<Partial<Record<Ability, string>>>;
}
