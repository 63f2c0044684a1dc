/** Programs in C++ that tests and benchmarks need; compiled when they are first used. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from './repository.ts';

const COMPILER = ['-std=c++20', '-O2', '-Wall', '-Wextra', '-Werror'] as const;

const changedAt = (path: string): number => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;

/**
 * Compiles a source of the repository, or all sources of a folder, to `build/<name>` if the program there is older.
 * Returns its path.
 */
export function compileProgram(source: string, name: string): string {
  const root = repositoryRoot();
  const from = join(root, source);
  const program = join(root, 'build', name);
  const parts = statSync(from).isDirectory() ? readdirSync(from).map((file) => join(from, file)) : [from];
  if (changedAt(program) < Math.max(...parts.map(changedAt))) {
    mkdirSync(join(root, 'build'), { recursive: true });
    // Another test file may be running the old one, or be compiling as well.
    const fresh = `${program}.${process.pid}`;
    const sources = parts.filter((path) => path.endsWith('.cc'));
    execFileSync('g++', [...COMPILER, '-o', fresh, ...sources], { stdio: 'inherit' });
    renameSync(fresh, program);
  }
  return program;
}
