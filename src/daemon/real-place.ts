/**
 * Where a path leads. The mount table knows places by their real paths only, so whoever mounts or looks for mounts has to.
 */
import { readlink } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { DunnageError } from '../errors/dunnage-error.ts';

/** As many as the kernel follows. */
const LINKS_MAX = 40;

/**
 * The absolute path without symlinks; what does not exist is taken as it is written. Only readlink(2) is asked, which no
 * mount has to answer: the place may be a tree that nobody serves.
 * @throws DunnageError INVALID_ARGUMENT for links that lead in a circle.
 */
export function realPlace(path: string): Promise<string> {
  let linksLeft = LINKS_MAX;
  const walk = async (to: string): Promise<string> => {
    const parent = dirname(to);
    if (parent === to) return to;
    const realParent = await walk(parent);
    const here = join(realParent, basename(to));
    const target = await readlink(here).catch(() => undefined);
    if (target === undefined) return here;
    if (linksLeft === 0) throw new DunnageError('INVALID_ARGUMENT', `${path} leads through too many symbolic links`);
    linksLeft -= 1;
    return await walk(resolve(realParent, target));
  };
  return walk(resolve(path));
}
