/** Checking and mending what a real daemon stored, with the command line: while it runs, and while it does not. */
import assert from 'node:assert/strict';
import { readFileSync, watch, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { silentLog } from '../../src/base/log.ts';
import { withOfflineState } from '../../src/daemon/offline-maintenance.ts';
import type { FsckReport, GcReport } from '../../src/server/operations.ts';
import { blobPath } from '../../src/store/blob-files.ts';
import { bytesValue, numberKey } from '../../src/store/codecs.ts';
import { plainDigest } from '../../src/store/digest.ts';
import { Store } from '../../src/store/store.ts';
import { dunnage } from '../cli/run-dunnage.ts';
import type { DaemonProcess } from '../tools/daemon-process.ts';
import { killDaemon, projectionRoot, startDaemon, text } from './helpers/projected.ts';

const LARGE = 'large content. '.repeat(20_000);

let daemon: DaemonProcess;
beforeEach(async () => {
  daemon = await startDaemon();
});
afterEach(() => daemon.stop());

interface Fsck extends FsckReport {
  readonly exitCode: number | null;
}

async function command<T>(...words: readonly string[]): Promise<T & { readonly exitCode: number | null }> {
  const { stdout, stderr, exitCode } = await dunnage([
    ...words,
    ...['--state-dir', daemon.stateDir, '--runtime-dir', daemon.runtimeDir, '--json'],
  ]);
  if (stdout === '') throw new Error(`exit ${exitCode}: ${stderr}`);
  return { ...(JSON.parse(stdout) as T), exitCode };
}

const fsck = (...more: readonly string[]): Promise<Fsck> => command<FsckReport>('fsck', ...more);
const codes = (findings: FsckReport['remaining']): string[] => findings.map(({ code }) => code).sort();

function pathOf(content: string): string {
  return blobPath(daemon.stateDir, plainDigest(Buffer.from(content)));
}

/** Changes one byte of the file that has the content. */
function damage(content: string): void {
  const path = pathOf(content);
  const bytes = readFileSync(path);
  bytes[1234] = (bytes[1234] as number) ^ 1;
  writeFileSync(path, bytes);
}

async function errorOf(path: string): Promise<string | undefined> {
  try {
    await readFile(path);
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
}

describe('without a daemon', () => {
  it('[S71] [S72] damaged content is found, never served once marked, and healed by its source', async () => {
    await daemon.client.writeProjection('web', text({ large: LARGE, small: 'small' }));
    await daemon.dunnage('down');
    assert.deepEqual([(await fsck()).exitCode, (await fsck('--repair')).exitCode], [0, 0]);
    damage(LARGE);
    const damaged = readFileSync(pathOf(LARGE));

    const found = await fsck();
    assert.deepEqual([found.exitCode, found.online, codes(found.remaining)], [11, false, ['content-changed']]);
    assert.equal(found.remaining[0]?.object, 'web: large');
    assert.deepEqual(readFileSync(pathOf(LARGE)), damaged, 'a check changes nothing');

    const mended = await fsck('--repair');
    assert.deepEqual(
      [mended.exitCode, codes(mended.repaired), codes(mended.remaining)],
      [13, ['content-changed'], ['content-lost']],
    );

    await daemon.up();
    const root = projectionRoot(daemon, 'web');
    assert.equal(await errorOf(join(root, 'large')), 'EIO');
    assert.equal(await readFile(join(root, 'small'), 'utf8'), 'small');
    const { action } = await daemon.client.writeProjection('web', text({ large: LARGE, small: 'small' }));
    assert.equal(action, 'configured', 'content that is damaged is not unchanged');
    assert.ok((await readFile(join(root, 'large'), 'utf8')) === LARGE);
    const healed = await fsck();
    assert.deepEqual([healed.exitCode, healed.online], [0, true]);
  });

  it('no daemon starts meanwhile, and a directory without state is refused', async () => {
    await daemon.dunnage('down');
    const { stateDir, runtimeDir } = daemon;
    const options = { stateDir, runtimeDir, keyFile: undefined, write: false, log: silentLog };
    await withOfflineState(options, async () => {
      await assert.rejects(daemon.up(), /uses the state directory/);
    });
    await daemon.up();
    const nowhere = await dunnage(['fsck', '--state-dir', join(daemon.folder, 'nowhere')]);
    assert.equal(nowhere.exitCode, 4);
    assert.match(nowhere.stderr, /there is no metadata/);
  });

  it('a tree that waits for its next daemon is looked at, and not mended behind its back', async () => {
    await daemon.client.writeProjection('web', text({ small: 'small' }));
    await killDaemon(daemon);
    assert.equal((await fsck()).exitCode, 0);
    const refused = await dunnage([
      ...['fsck', '--repair', '--state-dir', daemon.stateDir, '--runtime-dir', daemon.runtimeDir],
    ]);
    assert.equal(refused.exitCode, 5);
    assert.match(refused.stderr, /dunnage down/);
    await daemon.up();
    assert.equal(await readFile(join(projectionRoot(daemon, 'web'), 'small'), 'utf8'), 'small');
  });
});

describe('with a daemon', () => {
  it('[S72] damaged content is marked, and the kernel forgets what it had cached of it', async () => {
    await daemon.client.writeProjection('web', text({ large: LARGE }));
    const path = join(projectionRoot(daemon, 'web'), 'large');
    assert.ok((await readFile(path, 'utf8')) === LARGE);
    damage(LARGE);
    const found = await fsck();
    assert.deepEqual([found.exitCode, found.online, codes(found.remaining)], [11, true, ['content-changed']]);
    const mended = await fsck('--repair');
    assert.deepEqual([mended.exitCode, codes(mended.remaining)], [13, ['content-lost']]);
    assert.equal(await errorOf(path), 'EIO');
    await daemon.client.writeProjection('web', text({ large: LARGE }));
    assert.ok((await readFile(path, 'utf8')) === LARGE);
    assert.equal((await fsck()).exitCode, 0);
  });

  it('[S73] damage of the catalog is told, and mended once the daemon is down', async () => {
    await daemon.client.writeProjection('web', text({ small: 'small' }));
    await daemon.client.writeProjection('other', text({ small: 'other' }));
    await daemon.dunnage('down');
    const store = Store.open({ stateDir: daemon.stateDir, log: silentLog });
    const projections = store.table('projections', bytesValue, bytesValue);
    const [first] = [...projections.range({ limit: 1 })];
    assert(first !== undefined);
    store.transactDurableSync(() => projections.put(first.key, Buffer.from('{torn')));
    const links = store.table('links', bytesValue, bytesValue);
    store.transactDurableSync(() => links.put(Buffer.from('odd'), numberKey.encode(1)));
    await store.close();

    await daemon.up();
    assert.equal(await readFile(join(projectionRoot(daemon, 'other'), 'small'), 'utf8'), 'other');
    const refused = await fsck('--repair');
    assert.equal(refused.exitCode, 13);
    assert.ok(codes(refused.remaining).includes('projection-unreadable'));
    for (const { action } of refused.remaining) assert.match(action, /dunnage down/);

    await daemon.dunnage('down');
    assert.equal((await fsck('--repair')).exitCode, 12);
    await daemon.up();
    assert.equal(await readFile(join(projectionRoot(daemon, 'web'), 'small'), 'utf8'), 'small');
    assert.equal((await fsck()).exitCode, 0);
  });
});

/** Resolves when the daemon has logged the sentence. */
function untilLogged(sentence: string): Promise<void> {
  const log = join(daemon.runtimeDir, 'dunnage.log');
  return new Promise((resolve) => {
    const look = (): void => {
      if (!readFileSync(log, 'utf8').includes(sentence)) return;
      watcher.close();
      resolve();
    };
    const watcher = watch(log, look);
    look();
  });
}

describe('the scrub', () => {
  it('[S74] [S72] finds damage by itself, marks it, and warns until its source is applied again', async () => {
    await daemon.client.writeProjection('web', text({ large: LARGE, small: 'small' }));
    await daemon.dunnage('down');
    damage(LARGE);
    await daemon.up('--scrub-interval', '1s', '--scrub-rate', '1GiB');
    await untilLogged('stored content is damaged');
    const path = join(projectionRoot(daemon, 'web'), 'large');
    assert.equal(await errorOf(path), 'EIO');
    const { warnings } = await daemon.client.status();
    assert.ok(warnings.some((warning) => /web: large: apply its source again/.test(warning)));
    assert.match(await daemon.client.metrics(), /^dunnage_scrub_damages_total 1$/m);
    await daemon.client.writeProjection('web', text({ large: LARGE, small: 'small' }));
    assert.ok((await readFile(path, 'utf8')) === LARGE);
    assert.ok(!(await daemon.client.status()).warnings.some((warning) => /damaged/.test(warning)));
  });
});

describe('gc', () => {
  it('tells what would go, then removes it, and leaves what is served', async () => {
    await daemon.client.writeProjection('web', text({ large: LARGE, small: 'small' }));
    await daemon.dunnage('down');
    const orphan = join(daemon.stateDir, 'blobs', 'tmp', 'left');
    writeFileSync(orphan, 'left-over');
    const would = await command<GcReport>('gc', '--dry-run');
    assert.deepEqual([would.exitCode, would.dryRun, would.files, would.sizeBytes], [0, true, 1, 9]);
    assert.equal(readFileSync(orphan, 'utf8'), 'left-over');
    const did = await command<GcReport>('gc');
    assert.deepEqual([did.dryRun, did.files, did.sizeBytes], [false, 1, 9]);
    assert.throws(() => readFileSync(orphan), { code: 'ENOENT' });
    assert.equal((await fsck()).exitCode, 0);
    await daemon.up();
    assert.ok((await readFile(join(projectionRoot(daemon, 'web'), 'large'), 'utf8')) === LARGE);
  });
});
