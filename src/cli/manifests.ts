/** Which files `apply -f` means: a directory stands for the manifests in it, in the order of their names. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DunnageError, fromSystemError } from '../errors/dunnage-error.ts';

const MANIFEST = /\.(?:yaml|yml|json)$/;

/** @throws NOT_FOUND; INVALID_ARGUMENT for a directory without manifests and for `-` given twice. */
export async function findManifests(named: readonly string[]): Promise<readonly string[]> {
  if (named.filter((file) => file === '-').length > 1) {
    throw new DunnageError('INVALID_ARGUMENT', 'standard input (-) can be given only once');
  }
  const files = await Promise.all(named.map((file) => (file === '-' ? [file] : expand(file))));
  return files.flat();
}

async function expand(file: string): Promise<readonly string[]> {
  try {
    if (!(await stat(file)).isDirectory()) return [file];
    // Hidden names are skipped: in a projected directory `..data` holds everything a second time.
    const names = (await readdir(file)).filter((name) => MANIFEST.test(name) && !name.startsWith('.')).toSorted();
    if (names.length > 0) return names.map((name) => join(file, name));
  } catch (error) {
    throw fromSystemError(error, `cannot read ${file}`);
  }
  throw new DunnageError('INVALID_ARGUMENT', `${file} holds no manifest`, {
    remedy: 'a directory is searched (not below) for *.yaml, *.yml and *.json',
  });
}
