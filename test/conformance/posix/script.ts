/**
 * Tests of system calls as tables. A script is run line by line, in an empty directory that everybody may write to:
 *
 *   mkdir d 01777                      a call (see native/) that must succeed
 *   alice: create d/a 0600 text        the same as another user
 *   bob: unlink d/a -> EPERM           must fail with that (`EPERM|EACCES`: with one of them)
 *   stat d/a -> mode=0600 uid=61001    must have these fields, `!ino=5` must not
 *   content d/a -> text                must be that
 *   f = open d/a O_RDWR                keeps the value as $f
 *   i = stat d/a .ino                  keeps one field of it
 *   &2 alice: flock $f LOCK_EX         in another process
 *   lock := &2 flock 5 LOCK_EX         begins a call that waits,
 *   done lock                          and waits for its end; `waits lock` says that it has not ended
 *   times d -> mc                      which of atime, mtime, ctime have changed since the last `times d` (`none`)
 *   # words
 */
import assert from 'node:assert/strict';
import { Actor, type Launch } from './actor.ts';

/** User, group, supplementary groups. */
export const USERS: Readonly<Record<string, string>> = {
  root: '0 0',
  alice: '61001 61001',
  bob: '61002 61002',
  /** A member of alice's group. */
  carol: '61003 61003 61001',
};

const LINE =
  /^(?:&(?<process>\d) )?(?:(?<user>\w+): )?(?:(?<variable>\w+) (?<assign>:?=) )?(?<call>[\w-]+)(?<words>(?: \S+)*?)(?: \.(?<field>\w+))?(?: -> (?<expected>.+))?$/;

const ERROR = /^E[A-Z0-9]+$/;

/** Says why a reply is not what was expected; undefined if it is. */
export function disagreement(reply: string, expected: string | undefined): string | undefined {
  if (expected === 'any') return undefined;
  if (expected === undefined) {
    return ERROR.test(reply) || /^(?:no:|twice|SIG)/.test(reply) ? `failed with ${reply}` : undefined;
  }
  const fields = new Set(reply.split(' '));
  const isFields = expected.split(' ').every((word) => /^!?\w+=/.test(word));
  const holds = isFields
    ? expected.split(' ').every((word) => (word.startsWith('!') ? !fields.has(word.slice(1)) : fields.has(word)))
    : expected.split('|').includes(reply);
  // A list of fields that "must not be" is not met by an error.
  if (holds && !(isFields && ERROR.test(reply))) return undefined;
  return `gave ${reply} instead of ${expected}`;
}

/** The processes of scripts that run one after another: to start them anew for each would take longer than most scripts. */
export class Cast {
  readonly #launch: Launch | undefined;
  readonly #idle: Actor[] = [];

  constructor(launch?: Launch) {
    this.#launch = launch;
  }

  take(): Actor {
    return this.#idle.pop() ?? new Actor(this.#launch);
  }

  /** One that has nothing left to say. */
  async giveBack(actor: Actor): Promise<void> {
    const reply = await actor.call('reset');
    if (reply !== '0') throw new Error(`reset: ${reply}`);
    this.#idle.push(actor);
  }

  async end(): Promise<void> {
    for (const actor of this.#idle.splice(0)) await actor.end();
  }
}

export class ScriptRun {
  readonly #directory: string;
  readonly #cast: Cast;
  readonly #actors = new Map<string, { actor: Actor; user: string }>();
  readonly #values = new Map<string, string>();
  readonly #times = new Map<string, readonly string[]>();
  readonly #pending = new Map<string, { reply: Promise<string>; hasEnded: boolean }>();

  constructor(directory: string, cast: Cast) {
    this.#directory = directory;
    this.#cast = cast;
  }

  async run(text: string): Promise<void> {
    const lines = text.split('\n').map((line) => line.trim());
    for (const [index, line] of lines.entries()) {
      if (line === '' || line.startsWith('#')) continue;
      const problem = await this.#step(line);
      assert.equal(problem, undefined, `line ${index}: ${line}: ${problem}`);
    }
  }

  /** After a script that went as it should. */
  async end(): Promise<void> {
    for (const { actor } of this.#actors.values()) await this.#cast.giveBack(actor);
  }

  /** After one that did not: its processes may wait in a call. */
  async abandon(): Promise<void> {
    for (const { actor } of this.#actors.values()) await actor.end();
    for (const { reply } of this.#pending.values()) await reply.catch(() => undefined);
  }

  async #step(line: string): Promise<string | undefined> {
    const groups = LINE.exec(line)?.groups;
    if (groups === undefined) throw new SyntaxError(`not a line of a script: ${line}`);
    const words = (groups['words'] ?? '').split(' ').filter((word) => word !== '');
    const values = words.map((word) => this.#fill(word));
    const expected = groups['expected'] === undefined ? undefined : this.#fill(groups['expected']);
    const call = groups['call'] ?? '';
    if (call === 'done' || call === 'waits') return await this.#await(call, words[0] ?? '', expected);
    const actor = await this.#actor(groups['process'] ?? '1', groups['user'] ?? 'root');
    if (groups['assign'] === ':=')
      return this.#begin(groups['variable'] ?? '', actor.call([call, ...values].join(' ')));
    const reply =
      call === 'times' ? await this.#changes(actor, values[0] ?? '') : await actor.call([call, ...values].join(' '));
    const value = groups['field'] === undefined ? reply : fieldOf(reply, groups['field']);
    if (groups['variable'] !== undefined) this.#values.set(groups['variable'], value);
    return disagreement(value, expected);
  }

  #fill(text: string): string {
    return text.replaceAll(/\$(\w+)/g, (_, name: string) => {
      const value = this.#values.get(name);
      if (value === undefined) throw new SyntaxError(`$${name} is not set`);
      return value;
    });
  }

  async #actor(process: string, user: string): Promise<Actor> {
    let known = this.#actors.get(process);
    if (known === undefined) {
      known = { actor: this.#cast.take(), user: 'root' };
      this.#actors.set(process, known);
      await known.actor.call('umask 0');
      const reply = await known.actor.call(`chdir ${this.#directory}`);
      if (reply !== '0') throw new Error(`chdir ${this.#directory}: ${reply}`);
    }
    if (known.user !== user) {
      const ids = USERS[user];
      if (ids === undefined) throw new SyntaxError(`no user ${user}`);
      const reply = await known.actor.call(`as ${ids}`);
      if (reply !== '0') throw new Error(`as ${user}: ${reply}`);
      known.user = user;
    }
    return known.actor;
  }

  #begin(name: string, reply: Promise<string>): undefined {
    const pending = { reply, hasEnded: false };
    this.#pending.set(name, pending);
    reply.then(
      () => {
        pending.hasEnded = true;
      },
      () => undefined,
    );
  }

  async #await(call: string, name: string, expected: string | undefined): Promise<string | undefined> {
    const pending = this.#pending.get(name);
    if (pending === undefined) throw new SyntaxError(`${name} was not begun`);
    if (call === 'waits') return pending.hasEnded ? `ended already with ${await pending.reply}` : undefined;
    const reply = await pending.reply;
    this.#pending.delete(name);
    this.#values.set(name, reply);
    return disagreement(reply, expected);
  }

  /** Which times have changed since the last call for this path. The next change gets another time, as the clock has moved on. */
  async #changes(actor: Actor, path: string): Promise<string> {
    const now = await actor.call(`lstat ${path}`);
    const times = ['atime', 'mtime', 'ctime'].map((name) => fieldOf(now, name));
    const before = this.#times.get(path);
    this.#times.set(path, times);
    await actor.call('tick');
    if (before === undefined) return 'none';
    const changed = times.map((time, index) => (time === before[index] ? '' : ('amc'[index] ?? ''))).join('');
    return changed === '' ? 'none' : changed;
  }
}

function fieldOf(reply: string, name: string): string {
  const field = reply.split(' ').find((word) => word.startsWith(`${name}=`));
  return field === undefined ? reply : field.slice(name.length + 1);
}
