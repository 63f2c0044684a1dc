/** Damages a plain directory behind a writer's back. */
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Plant } from '../../conformance/atomic-writer.ts';

export function plantIn(root: string): Plant {
  return {
    symlink: (name, target) => symlink(target, join(root, name)),
    file: (name, content) => writeFile(join(root, name), content),
    directory: async (name) => void (await mkdir(join(root, name))),
    remove: (name) => rm(join(root, name), { recursive: true }),
  };
}
