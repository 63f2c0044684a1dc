import assert from 'node:assert/strict';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  watch as watchDirectory,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { silentLog } from '../../../src/base/log.ts';
import { HostWatch } from '../../../src/projection/sources/host-watch.ts';

let folder: string;
let watch: HostWatch;
let onEvent: () => void;

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'dunnage-host-watch-')));
  onEvent = () => undefined;
});
afterEach(async () => {
  await watch.close();
  rmSync(folder, { recursive: true, force: true });
});

async function watching(name: string): Promise<void> {
  const path = join(folder, name);
  watch = new HostWatch({ path, mountPoint: join(folder, 'mnt'), onChange: () => onEvent(), log: silentLog });
  await watch.arm();
}

/** Resolves when the watch tells of something after the change; a test that waits for nothing ends by its timeout. */
async function tells(change: () => void): Promise<void> {
  const told = new Promise<void>((resolve) => {
    onEvent = resolve;
  });
  change();
  await told;
  await watch.arm();
}

describe('HostWatch', { timeout: 20_000 }, () => {
  it('tells of files written, replaced and removed in a directory and below, also in new directories', async () => {
    mkdirSync(join(folder, 'd/sub'), { recursive: true });
    await watching('d');
    await tells(() => writeFileSync(join(folder, 'd/a'), '1'));
    await tells(() => writeFileSync(join(folder, 'd/sub/b'), '1'));
    await tells(() => appendFileSync(join(folder, 'd/sub/b'), '2'));
    await tells(() => mkdirSync(join(folder, 'd/new/deep'), { recursive: true }));
    await tells(() => rmSync(join(folder, 'd/a')));
  });

  it('tells of a swap of ..data', async () => {
    mkdirSync(join(folder, 'd/..one'), { recursive: true });
    mkdirSync(join(folder, 'd/..two'));
    symlinkSync('..one', join(folder, 'd/..data'));
    await watching('d');
    await tells(() => {
      symlinkSync('..two', join(folder, 'd/..data_tmp'));
      renameSync(join(folder, 'd/..data_tmp'), join(folder, 'd/..data'));
    });
  });

  it('tells of a file that is replaced, removed and made again', async () => {
    writeFileSync(join(folder, 'f'), '1');
    await watching('f');
    await tells(() => writeFileSync(join(folder, 'f'), '2'));
    await tells(() => {
      writeFileSync(join(folder, '.f'), '3');
      renameSync(join(folder, '.f'), join(folder, 'f'));
    });
    await tells(() => rmSync(join(folder, 'f')));
    await tells(() => writeFileSync(join(folder, 'f'), '4'));
    await tells(() => appendFileSync(join(folder, 'f'), '5'));
  });

  it('tells when a path begins to exist, each step of the way', async () => {
    await watching('a/b/c');
    await tells(() => mkdirSync(join(folder, 'a')));
    await tells(() => mkdirSync(join(folder, 'a/b')));
    await tells(() => writeFileSync(join(folder, 'a/b/c'), '1'));
  });

  it('tells when a link on the way leads elsewhere, and follows it', async () => {
    mkdirSync(join(folder, '1'));
    mkdirSync(join(folder, '2'));
    symlinkSync('1', join(folder, 'current'));
    await watching('current');
    await tells(() => writeFileSync(join(folder, '1/a'), '1'));
    await tells(() => {
      symlinkSync('2', join(folder, 'next'));
      renameSync(join(folder, 'next'), join(folder, 'current'));
    });
    await tells(() => writeFileSync(join(folder, '2/a'), '1'));
  });

  it('says what cannot be watched, asks for no reading while it tries, and is whole again once it can', async () => {
    writeFileSync(join(folder, 'f'), '1');
    const warned: unknown[] = [];
    const log = { ...silentLog, warn: (fields: unknown) => warned.push(fields) };
    let isFull = true;
    const start: typeof watchDirectory = ((...given: Parameters<typeof watchDirectory>) => {
      if (isFull) throw Object.assign(new Error('ENOSPC: System limit for number of file watchers reached'), {});
      return watchDirectory(...given);
    }) as typeof watchDirectory;
    let told = 0;
    const onChange = (): void => {
      told += 1;
      onEvent();
    };
    watch = new HostWatch({ path: join(folder, 'f'), mountPoint: '/nowhere', onChange, log, watchDirectory: start });
    await watch.arm();
    await watch.arm();
    assert.match(watch.failure ?? '', /changes of .*\/f cannot be watched: ENOSPC/);
    assert.deepEqual([told, warned.length], [0, 1]);
    isFull = false;
    await watch.arm();
    assert.equal(watch.failure, undefined);
    await tells(() => rmSync(join(folder, 'f')));
  });

  it('tells when a directory is replaced as a whole', async () => {
    mkdirSync(join(folder, 'd'));
    mkdirSync(join(folder, 'e'));
    await watching('d');
    await tells(() => {
      renameSync(join(folder, 'd'), join(folder, 'old'));
      renameSync(join(folder, 'e'), join(folder, 'd'));
    });
    await tells(() => writeFileSync(join(folder, 'd/a'), '1'));
    assert.equal(watch.failure, undefined);
  });
});
