/** An alloc's directory with two tasks in a folder of its own, as a backing directory without mounts. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import type { TestContext } from 'node:test';
import type { SnapshotReport } from '../../../../src/alloc/snapshot/messages.ts';
import type { RestoreTarget } from '../../../../src/alloc/snapshot/restore-alloc.ts';
import { snapshotAlloc } from '../../../../src/alloc/snapshot/snapshot-alloc.ts';
import type { MountRow } from '../../../../src/mounts/mount-table.ts';
import type { TarEntry } from '../../../../src/tar/entry.ts';
import type { Content } from '../../../../src/tar/tar-writer.ts';
import { archiveOf } from '../../../tar/helpers/archives.ts';

export const ID = '5f8c0a3e-alloc';

export interface AllocScene extends RestoreTarget {
  /** Everything is in here. */
  readonly folder: string;
  /** Of the alloc. */
  readonly path: string;
  /** What `changed` was called with. */
  readonly told: string[];
  /** What is mounted, for `mounts.list`. */
  readonly mounted: MountRow[];
  /** Names in the staging directory. */
  staged(): string[];
}

/** In /var/tmp: a real disk, with extended attributes. */
export function allocScene(t: Pick<TestContext, 'after'>, tasks: readonly string[] = ['web', 'db']): AllocScene {
  const folder = mkdtempSync('/var/tmp/dunnage-snapshot-');
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'allocs', ID);
  for (const name of ['data', 'logs', 'tmp']) mkdirSync(join(path, 'alloc', name), { recursive: true });
  for (const task of tasks)
    for (const name of ['local', 'secrets', 'tmp']) mkdirSync(join(path, task, name), { recursive: true });
  mkdirSync(join(folder, 'staging'));
  const told: string[] = [];
  const mounted: MountRow[] = [];
  const directory = {
    path: join(folder, 'allocs'),
    visiblePath: join(folder, 'allocs'),
    stagingPath: join(folder, 'staging'),
    changed: async (changed: string) => void told.push(changed),
    mounts: { list: async () => mounted } as unknown as RestoreTarget['directory']['mounts'],
  };
  const staged = (): string[] => readdirSync(join(folder, 'staging'));
  return { folder, path, told, mounted, staged, directory, id: ID, tasks };
}

/** A file and a dangling link in `alloc/data` and in the first task's `local`; something in all that is not archived. */
export function fillAlloc({ path, tasks }: AllocScene): void {
  writeFileSync(join(path, 'alloc/data/file'), 'data');
  symlinkSync('nowhere', join(path, 'alloc/data/link'));
  writeFileSync(join(path, tasks[0] ?? '', 'local/file'), 'local');
  symlinkSync('nowhere', join(path, tasks[0] ?? '', 'local/link'));
  for (const left of ['alloc/logs/web.stdout.0', 'alloc/tmp/x', 'web/tmp/x', 'web/secrets/token'])
    writeFileSync(join(path, left), 'left out');
}

export async function snapshotOf(
  scene: AllocScene,
  excluded: readonly string[] = [],
): Promise<{ archive: Buffer; report: SnapshotReport }> {
  const { output, archive } = collector();
  const report = await snapshotAlloc({ ...scene, excluded }, output);
  return { archive: await archive, report };
}

export function collector(): { output: PassThrough; archive: Promise<Buffer> } {
  const output = new PassThrough();
  const archive = (async () => {
    const pieces: Buffer[] = [];
    for await (const piece of output) pieces.push(piece as Buffer);
    return Buffer.concat(pieces);
  })();
  archive.catch(() => undefined);
  return { output, archive };
}

export async function streamOf(...entries: readonly (readonly [TarEntry, Content?])[]): Promise<Readable> {
  return Readable.from([await archiveOf(entries)]);
}
