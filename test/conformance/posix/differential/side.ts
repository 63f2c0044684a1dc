/** One of the two file systems that get the same operations: runs them and tells what can be compared. */
import { Actor } from '../actor.ts';
import { USERS } from '../script.ts';
import type { Operation } from './operations.ts';

/** Times below were given by an operation, those above by the clock. */
const GIVEN_SECONDS_MAX = 1_000_000_000;

/** What differs between two file systems without being a difference. */
const OWN_FIELDS = new Set(['ino', 'dev', 'blocks', 'blksize']);

/**
 * Set-group-ID of a file that the group may not execute goes with the first write of a stranger, or never: that depends on what
 * the kernel remembers of earlier writes (S_NOSEC), on ext4 as well.
 */
function withoutLooseSetgid(mode: string): string {
  const bits = Number.parseInt(mode, 8);
  return (bits & 0o2010) === 0o2000 ? `0${(bits & ~0o2000).toString(8)}` : mode;
}

/** Attributes without what is each file system's own; times of the clock are only said to be such. Sizes of directories too. */
function comparable(reply: string): string {
  if (!reply.startsWith('type=')) return reply;
  const isDirectory = reply.startsWith('type=d');
  return reply
    .split(' ')
    .flatMap((field) => {
      const [name = '', value = ''] = field.split('=');
      if (OWN_FIELDS.has(name) || name === 'atime' || (name === 'size' && isDirectory)) return [];
      const isClock = name.endsWith('time') && Number(value) > GIVEN_SECONDS_MAX;
      if (name === 'mode' && reply.startsWith('type=f')) return [`mode=${withoutLooseSetgid(value)}`];
      return [isClock ? `${name}=clock` : field];
    })
    .join(' ');
}

export class Side {
  readonly #actor = new Actor();
  readonly #slots: (string | undefined)[] = [];
  readonly #directory: string;
  #user = 'root';

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** `directory`: empty, for everybody. */
  static async start(directory: string, umask = '0'): Promise<Side> {
    const side = new Side(directory);
    await side.#actor.call(`umask ${umask}`);
    await side.#actor.call(`chdir ${directory}`);
    return side;
  }

  async perform(operation: Operation): Promise<string> {
    if (operation.user !== this.#user) {
      await this.#actor.call(`as ${USERS[operation.user]}`);
      this.#user = operation.user;
    }
    const line = operation.line.replaceAll(/#(\d)/g, (_, slot: string) => this.#slots[Number(slot)] ?? '999');
    const reply = await this.#actor.call(line);
    if (operation.slot === undefined) return comparable(reply);
    if (!/^\d+$/.test(reply)) return reply;
    const before = this.#slots[operation.slot];
    this.#slots[operation.slot] = reply;
    if (before !== undefined) await this.#actor.call(`close ${before}`);
    return 'opened';
  }

  /** Everything there is, a line for each name and each open descriptor. */
  async picture(): Promise<readonly string[]> {
    await this.#actor.call('as 0 0');
    this.#user = 'root';
    const lines: string[] = [];
    await this.#describe(this.#directory, '.', lines);
    for (const descriptor of this.#slots) {
      if (descriptor !== undefined) lines.push(`open: ${comparable(await this.#actor.call(`stat @${descriptor}`))}`);
    }
    return lines;
  }

  async #describe(path: string, shown: string, lines: string[]): Promise<void> {
    const status = await this.#actor.call(`lstat ${path}`);
    const parts = [shown, comparable(status)];
    if (status.startsWith('type=f')) parts.push(await this.#actor.call(`content ${path}`));
    if (status.startsWith('type=l')) parts.push(await this.#actor.call(`readlink ${path}`));
    for (const name of await this.#names(`llistxattr ${path}`)) {
      parts.push(`${name}=${await this.#actor.call(`lgetxattr ${path} ${name}`)}`);
    }
    lines.push(parts.join(' '));
    if (!status.startsWith('type=d')) return;
    lines.push(`${shown} ${await this.#actor.call(`agree ${path}`)}`);
    for (const entry of await this.#names(`list ${path}`)) {
      const name = entry.slice(0, -2);
      await this.#describe(`${path}/${name}`, `${shown}/${name}`, lines);
    }
  }

  async #names(call: string): Promise<readonly string[]> {
    const reply = await this.#actor.call(call);
    return reply === 'none' ? [] : reply.split(' ');
  }

  end(): Promise<void> {
    return this.#actor.end();
  }
}
