/**
 * What an alloc, its tasks and the places in a task may be called. Every name is one component of a path, so the rules are
 * narrow; a path in a task is relative, in its shortest form, and never leaves the task.
 */
import { DunnageError } from '../../errors/dunnage-error.ts';

/** Longest alloc id and task name: a log file is `<task>.stdout.<n>`, a tmpfs lies at `<runtime-dir>/secrets/<alloc>/<task>`. */
const NAME_LENGTH_MAX = 128;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
const PATH_BYTES_MAX = 1024;
const COMPONENT_BYTES_MAX = 255;
const SHOWN_MAX = 80;

/** Directories of a task that are made for it: nothing else can be presented as one of them. */
const OF_EVERY_TASK: ReadonlySet<string> = new Set(['alloc', 'local', 'secrets', 'tmp', 'private']);
/** Where nothing can be put: mounts of their own. */
const CLOSED: ReadonlySet<string> = new Set(['alloc', 'secrets', 'private']);

/** @throws DunnageError INVALID_ARGUMENT */
export function validateAllocId(id: string): void {
  validateName(id, 'alloc id');
}

/** @throws DunnageError INVALID_ARGUMENT */
export function validateTaskName(name: string): void {
  validateName(name, 'task name');
  if (name.toLowerCase() !== 'alloc') return;
  throw new DunnageError('INVALID_ARGUMENT', 'a task cannot be called "alloc": that is the directory all tasks share', {
    remedy: 'choose another name',
  });
}

function validateName(name: string, what: string): void {
  if (name.length <= NAME_LENGTH_MAX && NAME.test(name)) return;
  throw new DunnageError('INVALID_ARGUMENT', `the ${what} ${quoted(name)} cannot be the name of a directory here`, {
    remedy: `use at most ${NAME_LENGTH_MAX} letters, digits, ".", "_" and "-", beginning with a letter or digit`,
  });
}

/**
 * The shortest form of a path in a task directory. `/etc/ssl` is the same as `etc/ssl`: the task directory is the root.
 * @throws DunnageError INVALID_PATH if it leaves the task directory, or is or lies in one that something else is mounted on.
 */
export function cleanTaskPath(path: string): string {
  const components = path.split('/').filter((component) => component !== '' && component !== '.');
  const refuse = (reason: string, remedy: string): never => {
    throw new DunnageError('INVALID_PATH', `the path ${quoted(path)} ${reason}`, { remedy });
  };
  if (components.includes('..')) refuse('has the component ".."', 'name a place in the task directory');
  if (hasControlCharacter(path)) refuse('has a control character', 'remove it');
  const isLong =
    Buffer.byteLength(path) > PATH_BYTES_MAX ||
    components.some((component) => Buffer.byteLength(component) > COMPONENT_BYTES_MAX);
  if (isLong) refuse('is too long', `use at most ${PATH_BYTES_MAX} bytes, ${COMPONENT_BYTES_MAX} for each component`);
  const [first] = components;
  if (first === undefined) return refuse('is the task directory itself', 'name a place in the task directory');
  if (components.length === 1 && OF_EVERY_TASK.has(first))
    refuse('is a directory that every task has', `put it into ${first === 'tmp' ? 'tmp' : 'local'}/`);
  if (CLOSED.has(first))
    refuse(`lies in ${first}/, which is mounted by itself`, 'put it elsewhere, for example local/');
  return components.join('/');
}

/** @throws DunnageError INVALID_PATH unless absolute and in its shortest form after cleaning */
export function cleanHostPath(path: string): string {
  const components = path.split('/').filter((component) => component !== '' && component !== '.');
  if (path.startsWith('/') && !components.includes('..') && !hasControlCharacter(path) && path.length <= PATH_BYTES_MAX)
    return `/${components.join('/')}`;
  throw new DunnageError('INVALID_PATH', `the host path ${quoted(path)} is not an absolute path without ".."`, {
    remedy: 'write where it is on the host, for example /etc/ssl',
  });
}

/** The first of the paths that is, or lies in, another one: each would hide the other. */
export function overlapping(paths: readonly string[]): readonly [string, string] | undefined {
  const sorted = [...paths].sort();
  for (const [index, path] of sorted.entries()) {
    const other = sorted.slice(index + 1).find((next) => next === path || next.startsWith(`${path}/`));
    if (other !== undefined) return [path, other];
  }
  return undefined;
}

function hasControlCharacter(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return /[\u0000-\u001f\u007f]/.test(text);
}

/** For messages: what a user wrote, without anything that a terminal would obey. */
export function quoted(text: string): string {
  const cut = text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}...` : text;
  return JSON.stringify(cut);
}
