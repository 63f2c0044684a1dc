/** The connection outlives the process that serves it: a holder keeps the descriptor, the next process goes on with it. */
import assert from 'node:assert/strict';
import { lstat, mkdir, open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { silentLog } from '../../src/base/log.ts';
import { DunnageError } from '../../src/errors/dunnage-error.ts';
import { HolderClient } from '../../src/fuse/holder-client.ts';
import type { NegotiatedRecord } from '../../src/fuse/init.ts';
import { startHolder } from '../../src/fuse/start-holder.ts';
import type { ConnectionStatistics } from '../../src/fuse/statistics.ts';
import { holderProgramPath } from '../../src/native/programs.ts';
import { ChildDaemon, MountFolder, within } from './helpers/child-daemon.ts';
import { mountsBeneath, waitingRequests } from './helpers/fuse-connections.ts';
import { SAMPLE_DAEMON } from './helpers/kernel-transport.ts';
import { mountTestsSkip } from './helpers/run.ts';
import { BIG_BYTES, bigContent, GATE_CONTENT, HELLO } from './helpers/sample-file-system.ts';
import type { SampleSettings } from './helpers/sample-server.ts';

const skip = mountTestsSkip();
const TIMEOUT_MS = 20_000;

/** Where the kernel cannot send requests again, both are the second. */
for (const [what, behaviour] of [
  ['takeover of a connection', {}],
  ['takeover of a connection with a journal', { withoutResend: true }],
] as const) {
  describe(what, { timeout: 120_000, ...(skip === undefined ? {} : { skip }) }, () => takeover(behaviour));
}

function takeover(behaviour: Partial<SampleSettings>): void {
  let folder: MountFolder;
  let mountPoint: string;
  let holderSocket: string;
  const children: ChildDaemon[] = [];

  const serve = async (): Promise<ChildDaemon> => {
    const settings: SampleSettings = { mountPoint, profile: 'projections', holderSocket, ...behaviour };
    const child = await ChildDaemon.start({ module: SAMPLE_DAEMON, settings });
    children.push(child);
    return child;
  };

  before(async () => {
    folder = await MountFolder.make();
    mountPoint = join(folder.path, 'mnt');
    holderSocket = join(folder.path, 'holder.sock');
    await mkdir(mountPoint);
    await startHolder({
      programPath: holderProgramPath(),
      socketPath: holderSocket,
      timeoutSeconds: 30,
      mountPoint,
      log: silentLog,
    });
  });

  after(async () => {
    await folder.abort();
    for (const child of children) await child.kill();
    const holder = HolderClient.connect(holderSocket);
    holder?.abort();
    holder?.close();
    await folder.clean();
  });

  it('goes on after SIGKILL without a failed call', async () => {
    const first = await serve();
    // Twice: after the READ the kernel asks once more for the time of access.
    for (let round = 0; round < 2; round += 1) assert.equal(await readFile(join(mountPoint, 'hello'), 'utf8'), HELLO);
    const file = await open(join(mountPoint, 'big'));
    await first.kill();
    assert.equal(await readFile(join(mountPoint, 'hello'), 'utf8'), HELLO, 'cached content needs nobody');
    // Not cached: waits for the next daemon.
    const reading = file.readFile();
    await untilWaiting(folder, 1);
    const second = await serve();
    assert.ok((await within(reading, TIMEOUT_MS, 'read across the takeover')).equals(bigContent()));
    await file.close();
    assert.equal((await readdir(join(mountPoint, 'many'))).length, 10_000);
    const { operations } = await second.command<ConnectionStatistics>('statistics');
    assert.equal(operations['INIT'], undefined);
    assert.equal(BIG_BYTES, (await lstat(join(mountPoint, 'big'))).size);
    await second.kill();
  });

  it('answers a request that killed daemons had read and not answered', async () => {
    const first = await serve();
    const record = await first.command<NegotiatedRecord>('record');
    if (behaviour.withoutResend) assert.ok(!record.features.includes('HAS_RESEND'));
    const reading = readFile(join(mountPoint, 'gate'), 'utf8');
    await within(untilReading(first), TIMEOUT_MS, 'the read reaches the daemon');
    await first.kill();
    const second = await serve();
    await within(untilReading(second), TIMEOUT_MS, 'the read reaches the next daemon');
    assert.deepEqual(await second.command('resentOperations'), ['read']);
    await second.kill();
    const third = await serve();
    await within(untilReading(third), TIMEOUT_MS, 'the read reaches the daemon after that');
    await third.command('openGate');
    assert.equal(await within(reading, TIMEOUT_MS, 'read across the takeovers'), GATE_CONTENT);
    await third.kill();
    const fourth = await serve();
    assert.deepEqual(await fourth.command('resentOperations'), [], 'an answered request does not come again');
    await fourth.kill();
  });

  it('answers a request in whose handler the daemon was killed', async () => {
    const first = await serve();
    const looking = lstat(join(mountPoint, 'fatal'));
    await first.exited();
    const second = await serve();
    assert.ok((await within(looking, TIMEOUT_MS, 'lookup across the takeover')).isFile());
    assert.deepEqual(await second.command('resentOperations'), ['lookup']);
    await second.kill();
  });

  it('refuses a second daemon while one serves', async () => {
    const daemon = await serve();
    const other = HolderClient.connect(holderSocket);
    assert.ok(other !== undefined);
    assert.throws(
      () => other.attach(),
      (error) =>
        error instanceof DunnageError && error.code === 'ALREADY_RUNNING' && error.message.includes(String(daemon.pid)),
    );
    other.close();
    await daemon.kill();
  });
}

/** The request is in the file system's hands. */
async function untilReading(child: ChildDaemon): Promise<void> {
  while ((await child.command<ConnectionStatistics>('statistics')).inFlight < 1);
}

async function untilWaiting(folder: MountFolder, count: number): Promise<void> {
  const [mount] = await mountsBeneath(folder.path);
  assert.ok(mount !== undefined);
  const wait = async (): Promise<void> => {
    while ((await waitingRequests(mount.minor)) < count);
  };
  await within(wait(), TIMEOUT_MS, 'a request waits in the kernel');
}
