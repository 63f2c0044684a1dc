/** A copy of the compiled product whose native parts were never built, as on a host without a compiler. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdtempSync, realpathSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compiledRoot, repositoryRoot } from './repository.ts';

/** Absolute path of the copy: `src/` lies in it, dependencies are those of the repository. The caller removes it. */
export function unbuiltPackage(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'dunnage-unbuilt-')));
  copyFileSync(join(repositoryRoot(), 'package.json'), join(folder, 'package.json'));
  symlinkSync(join(repositoryRoot(), 'node_modules'), join(folder, 'node_modules'));
  cpSync(join(compiledRoot(), 'src'), join(folder, 'src'), { recursive: true });
  return folder;
}

/** Runs a module's text in the copy and returns the JSON it printed. */
export function evaluateIn(folder: string, program: string): unknown {
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', program], {
    cwd: folder,
    encoding: 'utf8',
  });
  return JSON.parse(output);
}
