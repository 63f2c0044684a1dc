/** Programs in C++ that tests and benchmarks need; compiled when they are first used. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from './repository.ts';

const COMPILER = ['-std=c++20', '-O2', '-Wall', '-Wextra', '-Werror'] as const;

/** Compiles a source of the repository to `build/<name>` if the program there is older. Returns its path. */
export function compileProgram(source: string, name: string): string {
  const root = repositoryRoot();
  const from = join(root, source);
  const program = join(root, 'build', name);
  const built = statSync(program, { throwIfNoEntry: false });
  if (built === undefined || built.mtimeMs < statSync(from).mtimeMs) {
    mkdirSync(join(root, 'build'), { recursive: true });
    execFileSync('g++', [...COMPILER, '-o', program, from], { stdio: 'inherit' });
  }
  return program;
}
