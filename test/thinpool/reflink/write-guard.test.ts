import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { silentLog } from '../../../src/base/log.ts';
import { freezerProgramPath } from '../../../src/native/programs.ts';
import { WriteGuard } from '../../../src/thinpool/reflink/write-guard.ts';
import { ScratchFileSystem, skipUnlessScratch } from '../../tools/scratch-file-system.ts';

const MEBIBYTE = 1024 * 1024;
const FREEZE_BELOW = 96 * MEBIBYTE;
const THAW_ABOVE = 160 * MEBIBYTE;

describe('the guard of a pool', { skip: skipUnlessScratch('xfs') }, () => {
  let scratch: ScratchFileSystem;
  let folder: string;
  let guard: WriteGuard;
  let changes: EventEmitter<{ frozen: []; watching: [] }>;
  let writers: ChildProcess[];
  beforeEach(async () => {
    scratch = new ScratchFileSystem('xfs');
    folder = mkdtempSync(join(tmpdir(), 'dunnage-guard-'));
    changes = new EventEmitter();
    writers = [];
    guard = await start();
  });
  afterEach(async () => {
    await guard.close();
    await (await start()).stop();
    for (const writer of writers) {
      if (writer.exitCode !== null || writer.signalCode !== null) continue;
      writer.kill('SIGKILL');
      await once(writer, 'close');
    }
    scratch.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const socketPath = (): string => join(folder, 'guard.sock');
  function start(
    freezeBelowBytes = FREEZE_BELOW,
    thawAboveBytes = THAW_ABOVE,
    launcher: readonly string[] = [],
  ): Promise<WriteGuard> {
    return WriteGuard.start({
      programPath: freezerProgramPath(),
      socketPath: socketPath(),
      directory: scratch.path,
      freezeBelowBytes,
      thawAboveBytes,
      onChange: (isFrozen) => changes.emit(isFrozen ? 'frozen' : 'watching'),
      launcher,
      log: silentLog,
    });
  }
  /** Writes without end, past the page cache, until there is no room or somebody kills it. */
  function fill(name: string): ChildProcess {
    const words = ['if=/dev/zero', `of=${join(scratch.path, name)}`, 'bs=1M', 'oflag=direct'];
    const writer = spawn('dd', words, { stdio: 'ignore' });
    writers.push(writer);
    return writer;
  }
  const available = (): number => statfsSync(scratch.path).bavail * statfsSync(scratch.path).bsize;
  async function until(holds: () => boolean): Promise<void> {
    for (let round = 0; !holds(); round += 1) {
      assert.ok(round < 1000, 'not within ten seconds');
      await sleep(10);
    }
  }
  /** The process behind the socket: the one whose command line has it. */
  function guardProcess(): number {
    const found = readdirSync('/proc').find((entry) => {
      if (!/^\d+$/.test(entry)) return false;
      try {
        return readFileSync(`/proc/${entry}/cmdline`, 'utf8').includes(`\0${socketPath()}\0`);
      } catch {
        return false;
      }
    });
    assert.ok(found !== undefined);
    return Number(found);
  }

  it('stops writers below the mark, with room left, and lets them go on when there is enough again', async () => {
    const frozen = once(changes, 'frozen');
    const writer = fill('first');
    await frozen;
    const left = available();
    // What XFS had set aside for the writer is free again then.
    assert.ok(left > FREEZE_BELOW / 2 && left < FREEZE_BELOW + 64 * MEBIBYTE, `${left} bytes are left`);
    const size = statSync(join(scratch.path, 'first')).size;
    await sleep(100);
    assert.equal(statSync(join(scratch.path, 'first')).size, size);
    assert.deepEqual([writer.exitCode, guard.isFrozen], [null, true]);
    writer.kill('SIGKILL');
    await guard.whileOpen(async () => {
      await once(writer, 'close');
      rmSync(join(scratch.path, 'first'));
      await until(() => available() > THAW_ABOVE);
    });
    assert.equal(guard.isFrozen, false);
    const again = once(changes, 'frozen');
    fill('second');
    await again;
  });

  it('a change that gives nothing back leaves writers stopped', async () => {
    const frozen = once(changes, 'frozen');
    fill('all');
    await frozen;
    const before = available();
    await Promise.all([1, 2, 3].map(() => guard.whileOpen(async () => undefined)));
    assert.equal(guard.isFrozen, true);
    assert.ok(available() > before - 16 * MEBIBYTE);
  });

  it('goes on when the process that started it ends, and the next one is told at once', async () => {
    await guard.close();
    fill('alone');
    let left = available();
    await until(() => {
      const before = left;
      left = available();
      return left < THAW_ABOVE && left === before;
    });
    assert.ok(left > FREEZE_BELOW / 2);
    const told = once(changes, 'frozen');
    guard = await start();
    await told;
    await until(() => guard.isFrozen);
    assert.equal(guard.isFrozen, true);
  });

  it('one that is killed is replaced, and stops writers again', async () => {
    const frozen = once(changes, 'frozen');
    fill('all');
    await frozen;
    const former = guardProcess();
    process.kill(former, 'SIGKILL');
    await until(() => existsSync(`/proc/${former}`) === false);
    await until(() => {
      try {
        return guardProcess() !== former;
      } catch {
        return false;
      }
    });
    let left = available();
    await until(() => {
      const before = left;
      left = available();
      return left === before;
    });
    assert.ok(left > FREEZE_BELOW / 2, `${left} bytes are left`);
  });

  it('takes the figures of who comes last', async () => {
    await guard.close();
    const frozen = once(changes, 'frozen');
    guard = await start(1024 * MEBIBYTE, 1024 * MEBIBYTE);
    await frozen;
    await guard.close();
    guard = await start(MEBIBYTE, MEBIBYTE);
    await guard.whileOpen(async () => undefined);
    assert.equal(guard.isFrozen, false);
    const writer = fill('free');
    await until(() => (statSync(join(scratch.path, 'free'), { throwIfNoEntry: false })?.size ?? 0) > 0);
    writer.kill('SIGKILL');
  });

  it('runs in a scope of its own where that is to be had, and without one elsewhere', async () => {
    await guard.stop();
    const launcher = join(folder, 'launcher');
    writeFileSync(launcher, `#!/bin/sh\nshift 2\necho "$@" > ${folder}/words\nexec "$@"\n`, { mode: 0o755 });
    guard = await start(FREEZE_BELOW, THAW_ABOVE, [launcher, '--scope', '--']);
    assert.equal(readFileSync(join(folder, 'words'), 'utf8').split(' ')[1], 'guard');
    await guard.stop();
    await until(() => !existsSync(socketPath()));
    writeFileSync(launcher, '#!/bin/sh\nexit 1\n', { mode: 0o755 });
    guard = await start(FREEZE_BELOW, THAW_ABOVE, [launcher, '--scope', '--']);
    assert.equal(guard.isFrozen, false);
  });

  it('gets other figures while it runs', async () => {
    const frozen = once(changes, 'frozen');
    guard.setLimits({ freezeBelowBytes: 1024 * MEBIBYTE, thawAboveBytes: 1024 * MEBIBYTE });
    await frozen;
    const watching = once(changes, 'watching');
    guard.setLimits({ freezeBelowBytes: MEBIBYTE, thawAboveBytes: MEBIBYTE });
    await watching;
  });

  it('stopped, it leaves nothing frozen and no socket', async () => {
    const frozen = once(changes, 'frozen');
    const writer = fill('all');
    await frozen;
    await guard.stop();
    await once(writer, 'close');
    await until(() => !existsSync(socketPath()));
  });
});
