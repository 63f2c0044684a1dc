/** For tests of programs that use this library: an alloc in a temporary directory, built, and gone afterwards. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, realpath } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { byteText } from '../base/byte-text.ts';
import { AllocDir } from './alloc-dir.ts';
import { PlainDirectory } from './plain-directory.ts';
import { runTreeJob } from './tree-work/run-tree-job.ts';

export interface TestAllocDir {
  readonly allocDir: AllocDir;
  readonly directory: PlainDirectory;
  /** Unmounts and removes everything. Idempotent. */
  cleanup(): Promise<void>;
}

export interface TestAllocDirOptions {
  /** A random UUID by default. */
  readonly id?: string;
  /** Where the temporary directory is made; that of the host by default. */
  readonly parentPath?: string;
}

/** Register `cleanup` with the test that calls this, e.g. `context.after(cleanup)`. @throws DunnageError if it cannot be made. */
export async function testAllocDir(options: TestAllocDirOptions = {}): Promise<TestAllocDir> {
  const folder = await realpath(await mkdtemp(join(options.parentPath ?? tmpdir(), 'dunnage-alloc-')));
  const directory = await PlainDirectory.open({ path: join(folder, 'allocs'), runtimePath: join(folder, 'runtime') });
  const allocDir = new AllocDir({ directory, id: options.id ?? randomUUID() });
  let ended: Promise<void> | undefined;
  const end = async (): Promise<void> => {
    try {
      await allocDir.destroy();
    } finally {
      await directory.close();
    }
    // Not by node:fs, which would empty what somebody has mounted in it.
    await runTreeJob({ kind: 'remove', trees: [{ directory: dirname(folder), name: byteText(basename(folder)) }] });
  };
  await allocDir.build();
  return {
    allocDir,
    directory,
    cleanup: () => {
      ended ??= end();
      return ended;
    },
  };
}
