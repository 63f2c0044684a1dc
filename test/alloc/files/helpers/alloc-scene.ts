/** A directory laid out like an alloc, with the file API over it. */
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { AllocFiles } from '../../../../src/alloc/files/alloc-files.ts';
import type { FollowEvent } from '../../../../src/alloc/files/follow-event.ts';
import type { GuardedPath } from '../../../../src/alloc/files/secret-guard.ts';
import { Inotify } from '../../../../src/native/inotify.ts';

export class AllocScene {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'dunnage-alloc-files-'));
  readonly root: string = join(this.folder, 'allocs', 'a1');
  /** Outside of the alloc. */
  readonly outside: string = join(this.folder, 'outside');
  readonly inotify: Inotify = new Inotify();
  readonly files: AllocFiles;
  readonly #ends = new AbortController();
  readonly #followers: AsyncGenerator<FollowEvent>[] = [];

  constructor(options: { tasks?: readonly string[]; guarded?: () => readonly GuardedPath[] } = {}) {
    const { tasks = ['web', 'db'], guarded } = options;
    for (const directory of ['alloc/data', 'alloc/logs', 'alloc/tmp']) this.directory(directory);
    for (const task of tasks) {
      for (const directory of ['local', 'tmp', 'secrets']) this.directory(`${task}/${directory}`);
    }
    mkdirSync(this.outside);
    writeFileSync(join(this.outside, 'canary'), 'CANARY');
    this.files = new AllocFiles({
      root: this.root,
      tasks: () => tasks,
      inotify: this.inotify,
      ...(guarded === undefined ? {} : { guarded }),
    });
  }

  get signal(): AbortSignal {
    return this.#ends.signal;
  }

  path(path: string): string {
    return join(this.root, path);
  }

  directory(path: string): void {
    mkdirSync(this.path(path), { recursive: true });
  }

  write(path: string, content: string | Uint8Array): void {
    mkdirSync(dirname(this.path(path)), { recursive: true });
    writeFileSync(this.path(path), content);
  }

  append(path: string, content: string | Uint8Array): void {
    appendFileSync(this.path(path), content);
  }

  link(path: string, text: string): void {
    mkdirSync(dirname(this.path(path)), { recursive: true });
    symlinkSync(text, this.path(path));
  }

  /** Takes the events of a follower, which ends with the scene at the latest. */
  events(events: AsyncGenerator<FollowEvent>): Events {
    this.#followers.push(events);
    return new Events(events);
  }

  /** Ends what follows, and removes everything. */
  async close(): Promise<void> {
    this.#ends.abort();
    for (const follower of this.#followers) await follower.return(undefined);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Takes events as they come, so that a test can do something between two of them. */
export class Events {
  readonly #source: AsyncIterator<FollowEvent>;
  readonly seen: FollowEvent[] = [];

  constructor(events: AsyncIterable<FollowEvent>) {
    this.#source = events[Symbol.asyncIterator]();
  }

  /** The content so far. */
  get text(): string {
    return this.seen.map(({ data }) => data?.toString() ?? '').join('');
  }

  /** The next event; undefined at the end. */
  async next(): Promise<FollowEvent | undefined> {
    const { done, value } = await this.#source.next();
    if (done === true) return undefined;
    // The first one only says where it begins.
    if (value.data === undefined && value.fileEvent === undefined) return await this.next();
    this.seen.push(value);
    return value;
  }

  /** Goes on until the content ends with that text. */
  async untilText(text: string): Promise<void> {
    while (!this.text.endsWith(text)) {
      if ((await this.next()) === undefined) throw new Error(`the events ended before "${text}": "${this.text}"`);
    }
  }

  async untilEvent(name: string): Promise<FollowEvent> {
    for (;;) {
      const event = await this.next();
      if (event === undefined) throw new Error(`the events ended before "${name}"`);
      if (event.fileEvent === name) return event;
    }
  }

  async rest(): Promise<string> {
    while ((await this.next()) !== undefined);
    return this.text;
  }
}
