/**
 * Paths as texts: what they mean before the file system is asked. A request is relative to the root of the alloc, also if it
 * begins with a slash, and `..` in it takes the name before it away. Links are another matter: see `alloc-walk.ts`.
 */
import { DunnageError } from '../../errors/dunnage-error.ts';

/** The components of a request. @throws DunnageError INVALID_PATH if it leaves the root, or cannot be a path. */
export function requestedNames(path: string): string[] {
  if (path.includes('\0')) throw new DunnageError('INVALID_PATH', 'a path has no NUL characters');
  if (escapesByText('', path)) throw escapes();
  const names: string[] = [];
  for (const name of namesOf(path)) {
    if (name === '..') names.pop();
    else names.push(name);
  }
  return names;
}

/** Whether `path`, seen from the directory `prefix` of the alloc, leads out of the alloc by its text alone. */
export function escapesByText(prefix: string, path: string): boolean {
  let depth = path.startsWith('/') ? 0 : namesOf(prefix).length;
  for (const name of namesOf(path)) {
    depth += name === '..' ? -1 : 1;
    if (depth < 0) return true;
  }
  return false;
}

/** Without regard to case, as file systems of other kinds see it; by whole components, so that `/a/foobar` is not below `/a/foo`. */
export function isBelowIgnoringCase(path: string, directory: string): boolean {
  const [names, prefix] = [namesOf(path), namesOf(directory)];
  return prefix.every((name, index) => names[index]?.toLowerCase() === name.toLowerCase());
}

/** Said by every operation, whether a text or a link leads out. */
export function escapes(): DunnageError {
  return new DunnageError('INVALID_PATH', 'Path escapes the alloc directory', {
    remedy: 'name a path within the alloc; links must be relative and stay within it',
  });
}

/** Of a path or of the text of a link: without empty ones and `.`. */
export function namesOf(path: string): string[] {
  return path.split('/').filter((name) => name !== '' && name !== '.');
}
