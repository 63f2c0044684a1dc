/** Where the build left its native outputs: `build/Release` beside the package.json this module belongs to. */
import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DunnageError } from '../errors/dunnage-error.ts';

/**
 * Absolute path of one output of the native build.
 * @throws DunnageError MISSING_DEPENDENCY if it was not built.
 */
export function builtFile(name: string): string {
  const path = join(packageDirectory(), 'build', 'Release', name);
  if (!existsSync(path)) {
    throw new DunnageError('MISSING_DEPENDENCY', `the native part ${name} is not built (${path} does not exist)`, {
      remedy: 'build it: npm run build',
    });
  }
  return path;
}

/** A compiled tree elsewhere has a package.json that is a link: the outputs are where the real one lies. */
function packageDirectory(): string {
  let directory = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    const manifest = join(directory, 'package.json');
    if (existsSync(manifest)) return dirname(realpathSync(manifest));
    const parent = dirname(directory);
    if (parent === directory) {
      throw new DunnageError('MISSING_DEPENDENCY', `there is no package.json above ${fileURLToPath(import.meta.url)}`, {
        remedy: 'install dunnage as a whole package',
      });
    }
    directory = parent;
  }
}
