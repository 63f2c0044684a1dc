/** Users of the host by number and by name, as the host's own databases know them. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { DunnageError } from '../errors/dunnage-error.ts';
import type { Owner } from './directories.ts';

const run = promisify(execFile);
const ID_MAX = 0xffff_fffe;
const LOOK_UP_MS_MAX = 10_000;
/** What the kernel itself takes for whom it cannot name, where the host has no such user. */
const NOBODY: Owner = { uid: 65_534, gid: 65_534 };

/**
 * Reads `1000`, `1000:1000`, `www-data` or `www-data:adm`. Without a group, a name has that of its entry and a number the group of the same number.
 * @throws DunnageError INVALID_ARGUMENT for what is none of that, NOT_FOUND for an unknown name.
 */
export async function resolveUser(text: string): Promise<Owner> {
  const [user = '', group, ...more] = text.split(':');
  if (user === '' || group === '' || more.length > 0) {
    throw new DunnageError('INVALID_ARGUMENT', `"${text}" is no user`, {
      remedy: 'write a name or a number, and a group behind a colon: 1000:1000',
    });
  }
  const owner = /^\d+$/.test(user) ? { uid: idOf(user), gid: idOf(user) } : await namedUser(user);
  if (group === undefined) return owner;
  return { uid: owner.uid, gid: /^\d+$/.test(group) ? idOf(group) : Number((await entry('group', group))[2]) };
}

/** The user that owns what every task may write. */
export async function nobody(): Promise<Owner> {
  try {
    return await namedUser('nobody');
  } catch (error) {
    if (error instanceof DunnageError && error.code === 'NOT_FOUND') return NOBODY;
    throw error;
  }
}

async function namedUser(name: string): Promise<Owner> {
  const fields = await entry('passwd', name);
  return { uid: Number(fields[2]), gid: Number(fields[3]) };
}

function idOf(text: string): number {
  const id = Number(text);
  if (id > ID_MAX) throw new DunnageError('INVALID_ARGUMENT', `${text} is no user id: the largest is ${ID_MAX}`);
  return id;
}

/** From the file, which answers at once; from getent(1) for users that come from elsewhere. */
async function entry(database: 'passwd' | 'group', name: string): Promise<readonly string[]> {
  const found = entryIn(await readFile(`/etc/${database}`, 'utf8'), name) ?? entryIn(await asked(database, name), name);
  if (found !== undefined) return found;
  throw new DunnageError(
    'NOT_FOUND',
    `there is no ${database === 'passwd' ? 'user' : 'group'} ${JSON.stringify(name)} on this host`,
    {
      remedy: 'use the number, or make it',
    },
  );
}

function entryIn(text: string, name: string): readonly string[] | undefined {
  return text
    .split('\n')
    .map((line) => line.split(':'))
    .find((fields) => fields[0] === name && /^\d+$/.test(fields[2] ?? ''));
}

async function asked(database: string, name: string): Promise<string> {
  try {
    return (await run('getent', ['--', database, name], { timeout: LOOK_UP_MS_MAX })).stdout;
  } catch {
    // It ends with 2 for a name it does not know; where it is not installed, the file was all there is.
    return '';
  }
}
