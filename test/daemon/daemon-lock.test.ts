import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { DaemonLock } from '../../src/daemon/daemon-lock.ts';
import { lockPath } from '../../src/daemon/runtime-files.ts';
import { untilEnded } from '../kernel/helpers/process-end.ts';

const CONTENDER = join(import.meta.dirname, 'programs/lock-contender.js');
const CONTENDERS = 2;
const ROUNDS = 100;

/** Locks the files, then ends its main thread: what a daemon looks like that was killed while a thread waits in the kernel. */
const HALF_DEAD = `
import ctypes, fcntl, os, sys, threading, time
kept = []
for path in sys.argv[1:]:
    lock = open(path, 'w+')
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    lock.write('%d\\n' % os.getpid())
    lock.flush()
    kept.append(lock)
threading.Thread(target=time.sleep, args=(600,)).start()
print('held', flush=True)
ctypes.CDLL(None).pthread_exit(None)
`;

function makeFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'dunnage-lock-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

interface Helper {
  readonly child: ChildProcess;
  nextLine(): Promise<string>;
}

/** A child whose standard output is read line by line; killed when the test ends. */
async function start(t: TestContext, command: string, args: readonly string[], first: string): Promise<Helper> {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const nextLine = async (): Promise<string> => String((await lines.next()).value);
  assert.equal(await nextLine(), first);
  return { child, nextLine };
}

const startContender = (t: TestContext, directories: readonly string[]): Promise<Helper> =>
  start(t, process.execPath, [CONTENDER, ...directories], 'ready');

async function outcomes({ child, nextLine }: Helper, startMs = Date.now()): Promise<string[]> {
  child.stdin?.write(`${startMs}\n`);
  return (await nextLine()).split(' ');
}

async function startHalfDead(t: TestContext, directories: readonly string[]): Promise<number> {
  const { child } = await start(t, 'python3', ['-c', HALF_DEAD, ...directories.map(lockPath)], 'held');
  await untilEnded(child.pid as number);
  return child.pid as number;
}

async function assertOneWins(t: TestContext, directories: readonly string[]): Promise<void> {
  const contenders = await Promise.all(Array.from({ length: CONTENDERS }, () => startContender(t, directories)));
  const startMs = Date.now() + 50;
  const results = await Promise.all(contenders.map((contender) => outcomes(contender, startMs)));
  for (const [index] of directories.entries()) {
    const round = results.map((result) => result[index]).sort();
    assert.deepEqual(round, ['ALREADY_RUNNING', 'won'], `round ${index}`);
  }
}

test('DaemonLock.acquire: the first gets it, a second is told who has it and how to end that', (t) => {
  const folder = makeFolder(t);
  const lock = DaemonLock.acquire(folder, 'state directory');
  assert.throws(() => DaemonLock.acquire(folder, 'state directory'), {
    code: 'ALREADY_RUNNING',
    message: `another daemon (pid ${process.pid}) uses the state directory ${folder}`,
    remedy: /dunnage down/,
  });
  lock.release();
  DaemonLock.acquire(folder, 'state directory').release();
});

test('DaemonLock.acquire: locks of different directories do not touch each other', (t) => {
  const locks = [makeFolder(t), makeFolder(t)].map((folder) => DaemonLock.acquire(folder, 'directory'));
  for (const lock of locks) lock.release();
});

test('DaemonLock.acquire: a process that was killed leaves the lock free, whatever its file says', async (t) => {
  const folder = makeFolder(t);
  const contender = await startContender(t, [folder]);
  assert.deepEqual(await outcomes(contender), ['won']);
  assert.throws(() => DaemonLock.acquire(folder, 'directory'), {
    message: new RegExp(`pid ${contender.child.pid}\\)`),
  });
  contender.child.kill('SIGKILL');
  await once(contender.child, 'exit');
  const lock = DaemonLock.acquire(folder, 'directory');
  assert.equal(Number.parseInt(readFileSync(lockPath(folder), 'utf8'), 10), process.pid);
  lock.release();
});

test('DaemonLock.acquire: a shorter pid leaves nothing of a longer one before it', (t) => {
  const folder = makeFolder(t);
  writeFileSync(lockPath(folder), '4194304999\n');
  const lock = DaemonLock.acquire(folder, 'directory');
  assert.equal(readFileSync(lockPath(folder), 'utf8').trim(), String(process.pid));
  lock.release();
});

test('DaemonLock.acquire: takes over from a process whose main thread is a zombie', async (t) => {
  const folder = makeFolder(t);
  const pid = await startHalfDead(t, [folder]);
  assert.equal(Number.parseInt(readFileSync(lockPath(folder), 'utf8'), 10), pid);
  const lock = DaemonLock.acquire(folder, 'directory');
  assert.throws(() => DaemonLock.acquire(folder, 'directory'), {
    code: 'ALREADY_RUNNING',
    message: new RegExp(`pid ${process.pid}\\)`),
  });
  lock.release();
  DaemonLock.acquire(folder, 'directory').release();
});

test('DaemonLock.acquire: of several that take over at the same time one wins', { timeout: 60_000 }, async (t) => {
  const folder = makeFolder(t);
  const directories = Array.from({ length: ROUNDS }, (_, index) => join(folder, String(index)));
  for (const directory of directories) mkdirSync(directory);
  await startHalfDead(t, directories);
  await assertOneWins(t, directories);
});

test('DaemonLock.acquire: of several that come first at the same time one wins', { timeout: 60_000 }, async (t) => {
  const folder = makeFolder(t);
  const directories = Array.from({ length: ROUNDS }, (_, index) => join(folder, String(index)));
  for (const directory of directories) mkdirSync(directory);
  await assertOneWins(t, directories);
});

test('DaemonLock.acquire: a lock whose holder cannot be told is not taken away', async (t) => {
  const folder = makeFolder(t);
  const contender = await startContender(t, [folder]);
  assert.deepEqual(await outcomes(contender), ['won']);
  writeFileSync(lockPath(folder), '');
  assert.throws(() => DaemonLock.acquire(folder, 'directory'), {
    code: 'ALREADY_RUNNING',
    message: `another daemon uses the directory ${folder}`,
  });
});

test('DaemonLock.acquire: a missing directory and a link in place of the file are refused', (t) => {
  const folder = makeFolder(t);
  assert.throws(() => DaemonLock.acquire(join(folder, 'missing'), 'directory'), {
    code: 'NOT_FOUND',
    message: /cannot open the lock/,
  });
  writeFileSync(join(folder, 'victim'), 'content');
  symlinkSync('victim', lockPath(folder));
  assert.throws(() => DaemonLock.acquire(folder, 'directory'), { message: /cannot open the lock/ });
  assert.equal(readFileSync(join(folder, 'victim'), 'utf8'), 'content');
});
