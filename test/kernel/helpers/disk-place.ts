/**
 * Folders on ext4 for tests of how files behave: the disk itself, or where the tests lie on something else (in the guest kernel on
 * an overlay), an image in a file. Mounted nosuid and nodev, as the directories of tasks are.
 */
import { chmod, mkdir, mkdtemp, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from './run.ts';

const EXT4_MAGIC = 0xef53;
/** Of the sparse image. */
const IMAGE_BYTES = 16 * 1024 ** 3;

export interface DiskPlace {
  /** Everybody may search it, root owns it. */
  readonly directory: string;
  stop(): Promise<void>;
}

export async function diskPlace(): Promise<DiskPlace> {
  const folder = await mkdtemp(join(tmpdir(), 'disk-'));
  await chmod(folder, 0o755);
  const directory = join(folder, 'place');
  await mkdir(directory, { mode: 0o755 });
  if ((await statfs(folder)).type === EXT4_MAGIC) {
    await run('mount', ['--bind', directory, directory]);
    await run('mount', ['-o', 'remount,bind,nosuid,nodev', directory]);
  } else {
    const image = join(folder, 'image');
    await run('truncate', ['--size', String(IMAGE_BYTES), image]);
    await run('mkfs.ext4', ['-q', '-F', '-E', 'lazy_itable_init=1,lazy_journal_init=1', image]);
    await run('mount', ['-o', 'loop,nosuid,nodev', image, directory]);
  }
  return {
    directory,
    stop: async () => {
      await run('umount', [directory]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}
