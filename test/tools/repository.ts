/** Where the repository is, seen from a compiled test. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * Absolute path of the checkout. Usually the folder above dist/; somewhere else if the tests were compiled to another
 * folder, and then it is the working directory.
 */
export function repositoryRoot(): string {
  const isRoot = (folder: string): boolean => existsSync(join(folder, 'src/README.md'));
  for (let folder = dirname(fileURLToPath(import.meta.url)); folder !== '/'; folder = dirname(folder)) {
    if (isRoot(folder)) return folder;
  }
  if (isRoot(process.cwd())) return process.cwd();
  throw new Error('run the tests from the root of the repository');
}

/** The folder that holds this compilation's src/ and test/ (dist/, usually). */
export function compiledRoot(): string {
  return dirname(dirname(dirname(fileURLToPath(import.meta.url))));
}
