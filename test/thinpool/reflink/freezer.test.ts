import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { open, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { silentLog } from '../../../src/base/log.ts';
import { freezerProgramPath } from '../../../src/native/programs.ts';
import { Freezer } from '../../../src/thinpool/reflink/freezer.ts';
import { ScratchFileSystem, skipUnlessScratch } from '../../tools/scratch-file-system.ts';

const LONG_MS = 60_000;

describe('the freezer', { skip: skipUnlessScratch('ext4') }, () => {
  let scratch: ScratchFileSystem;
  let folder: string;
  let freezer: Freezer;
  before(() => {
    scratch = new ScratchFileSystem('ext4', 16);
  });
  after(() => scratch.close());
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'dunnage-freezer-'));
    freezer = makeFreezer();
  });
  afterEach(async () => {
    await freezer.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const notes = (): string => join(folder, 'notes');
  function makeFreezer(programPath = freezerProgramPath()): Freezer {
    return new Freezer({ programPath, notesFolder: notes(), log: silentLog });
  }
  /** Whether a write comes through now. It is awaited by nobody if it does not, until the thaw. */
  async function canWrite(): Promise<{ done: boolean; settled: Promise<void> }> {
    let done = false;
    const settled = writeFile(join(scratch.path, 'written'), 'x').then(() => {
      done = true;
    });
    await Promise.race([settled, sleep(150)]);
    return { done, settled };
  }

  it('writes wait while a file system is held, and come through when it is let go', async () => {
    const hold = await freezer.freeze(scratch.path, LONG_MS);
    assert.equal(hold.isHeld, true);
    assert.equal(readdirSync(notes()).length, 1);
    const write = await canWrite();
    assert.equal(write.done, false);
    assert.equal(await hold.release(), true);
    assert.equal(await hold.release(), true);
    assert.equal(hold.isHeld, false);
    await write.settled;
    assert.deepEqual(readdirSync(notes()), []);
  });

  it('after its time the file system is thawed, and the one who let it lie is told', async () => {
    const hold = await freezer.freeze(scratch.path, 100);
    await (await canWrite()).settled;
    assert.equal(await hold.release(), false);
    assert.equal(hold.isHeld, false);
  });

  it('one that somebody else has thawed was not frozen all the time', async () => {
    const hold = await freezer.freeze(scratch.path, LONG_MS);
    execFileSync('fsfreeze', ['--unfreeze', scratch.path]);
    assert.equal(await hold.release(), false);
  });

  it('what is frozen already is refused, and stays frozen', async () => {
    execFileSync('fsfreeze', ['--freeze', scratch.path]);
    try {
      await assert.rejects(freezer.freeze(scratch.path, LONG_MS), { code: 'BUSY' });
    } finally {
      execFileSync('fsfreeze', ['--unfreeze', scratch.path]);
    }
    assert.deepEqual(readdirSync(notes()), []);
    await assert.rejects(freezer.freeze(join(folder, 'none'), LONG_MS), { code: 'NOT_FOUND' });
    await assert.rejects(freezer.freeze('/a\nb', LONG_MS), { code: 'INVALID_ARGUMENT' });
  });

  it('closing thaws everything', async () => {
    const hold = await freezer.freeze(scratch.path, LONG_MS);
    await freezer.close();
    assert.equal(hold.isHeld, false);
    assert.equal((await canWrite()).done, true);
  });

  it('what both killed processes had frozen is thawed by the next', async () => {
    execFileSync('fsfreeze', ['--freeze', scratch.path]);
    mkdirSync(notes(), { recursive: true });
    writeFileSync(join(notes(), 'left'), scratch.path);
    writeFileSync(join(notes(), 'gone'), join(folder, 'not-mounted-any-more'));
    assert.deepEqual(await freezer.thawLeftOvers(), [scratch.path]);
    assert.equal((await canWrite()).done, true);
    assert.deepEqual(readdirSync(notes()), []);
  });

  it('if the program is killed, what it held is thawed at once', async () => {
    const hold = await freezer.freeze(scratch.path, LONG_MS);
    const write = await canWrite();
    assert.ok(freezer.processId !== undefined);
    process.kill(freezer.processId, 'SIGKILL');
    await write.settled;
    assert.equal(await hold.release(), false);
    const again = await freezer.freeze(scratch.path, LONG_MS);
    assert.equal(await again.release(), true);
  });

  it('without its program nothing is frozen, and the reason is told', async () => {
    const without = makeFreezer('/no/such/program');
    await assert.rejects(without.freeze(scratch.path, LONG_MS), { code: 'MISSING_DEPENDENCY' });
    await without.close();
    const file = await open(join(scratch.path, 'free'), 'w');
    await file.close();
  });
});
