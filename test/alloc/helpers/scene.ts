/** An alloc in a temporary directory, and what tests look at. */
import { statSync } from 'node:fs';
import type { TestContext } from 'node:test';
import type { AllocDir } from '../../../src/alloc/alloc-dir.ts';
import type { PlainDirectory } from '../../../src/alloc/plain-directory.ts';
import { testAllocDir } from '../../../src/alloc/test-alloc-dir.ts';
import { type MountRow, readMountTable } from '../../../src/mounts/mount-table.ts';
import { skipUnlessRoot } from '../../native/helpers/fuse-available.ts';

export const needsRoot: { readonly skip: string | false } = { skip: skipUnlessRoot() };

export interface AllocScene {
  readonly allocDir: AllocDir;
  readonly directory: PlainDirectory;
}

export async function allocScene(context: TestContext, id?: string): Promise<AllocScene> {
  const { allocDir, directory, cleanup } = await testAllocDir(id === undefined ? {} : { id });
  context.after(cleanup);
  return { allocDir, directory };
}

/** `755 0:0`. */
export function look(path: string): string {
  const { mode, uid, gid } = statSync(path);
  return `${(mode & 0o7777).toString(8)} ${uid}:${gid}`;
}

export async function mountPoints(beneath: string): Promise<readonly string[]> {
  return (await readMountTable()).map(({ mountPoint }) => mountPoint).filter((path) => path.startsWith(`${beneath}/`));
}

export async function mountAt(path: string): Promise<MountRow | undefined> {
  return (await readMountTable()).findLast(({ mountPoint }) => mountPoint === path);
}
