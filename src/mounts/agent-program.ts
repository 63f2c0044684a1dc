/**
 * The mount agent for hosts without the native parts: `node agent-program.js BASE` does what dunnage-agent does
 * (native/README.md), but works on the base as it is. It ends with its standard input.
 *
 * Batches run side by side, the operations of one in their order. Nothing is kept open between them, so that nothing pins
 * the file system.
 */
import { closeSync, constants as fileConstants, openSync, writeSync } from 'node:fs';
import { chmod, mkdir, open, rename, rmdir, symlink, unlink } from 'node:fs/promises';
import { constants } from 'node:os';
import { O_PATH } from '../native/open-flags.ts';
import { walkBeneath } from '../native/walk-beneath.ts';
import { type Batch, BatchReader, encodeReply } from './agent-batches.ts';
import type { AgentOperation } from './agent-protocol.ts';

const NAME_DIRECTORY = O_PATH | fileConstants.O_DIRECTORY;
const MAKE_FILE = fileConstants.O_WRONLY | fileConstants.O_CREAT | fileConstants.O_EXCL | fileConstants.O_NOFOLLOW;
const WRITE_FILE = fileConstants.O_WRONLY | fileConstants.O_NOFOLLOW | fileConstants.O_NONBLOCK;
const STDOUT = 1;
const { EINVAL, EIO } = constants.errno;

const [base] = process.argv.slice(2);
if (base === undefined || !base.startsWith('/')) throw new Error('usage: agent-program.js BASE (an absolute path)');
process.umask(0);
process.on('SIGINT', () => undefined).on('SIGHUP', () => undefined);

const reader = new BatchReader();
process.stdin.on('data', (piece: Buffer) => {
  // Input that breaks the format is an exception nobody catches: the process ends and says so.
  for (const batch of reader.push(piece)) void answer(base, batch);
});

async function answer(baseDirectory: string, { id, directory, operations }: Batch): Promise<void> {
  const outcomes = await run(baseDirectory, directory, operations);
  writeSync(STDOUT, encodeReply(id, outcomes));
}

async function run(
  baseDirectory: string,
  directory: string,
  operations: readonly AgentOperation[],
): Promise<readonly number[]> {
  let opened: number;
  try {
    opened = openBeneath(baseDirectory, directory);
  } catch (error) {
    return [errnoOf(error)];
  }
  const outcomes: number[] = [];
  try {
    for (const operation of operations) {
      const outcome = await perform(opened, operation);
      outcomes.push(outcome);
      if (outcome !== 0) break;
    }
  } finally {
    closeSync(opened);
  }
  return outcomes;
}

function openBeneath(baseDirectory: string, directory: string): number {
  const opened = openSync(baseDirectory, NAME_DIRECTORY);
  if (directory === '') return opened;
  try {
    return walkBeneath(opened, directory, NAME_DIRECTORY, 0, false);
  } finally {
    closeSync(opened);
  }
}

/** 0 or a positive errno. */
async function perform(directory: number, operation: AgentOperation): Promise<number> {
  const names = operation.kind === 'rename' ? [operation.name, operation.newName] : [operation.name];
  if (!names.every(isComponent)) return EINVAL;
  const at = (name: string): string => `/proc/self/fd/${directory}/${name}`;
  const path = at(operation.name);
  try {
    switch (operation.kind) {
      case 'mkdir':
        await mkdir(path, operation.mode);
        break;
      case 'symlink':
        await symlink(operation.target, path);
        break;
      case 'rename':
        await rename(path, at(operation.newName));
        break;
      case 'unlink':
        await unlink(path);
        break;
      case 'rmdir':
        await rmdir(path);
        break;
      case 'mknod':
        await (await open(path, MAKE_FILE, operation.mode)).close();
        break;
      case 'modify':
        await modify(path);
        break;
      case 'chmod':
        await chmod(path, operation.mode);
        break;
    }
    return 0;
  } catch (error) {
    return errnoOf(error);
  }
}

/** One write of one byte, as dunnage-agent makes it: watchers get IN_OPEN, IN_MODIFY and IN_CLOSE_WRITE. */
async function modify(path: string): Promise<void> {
  const file = await open(path, WRITE_FILE);
  try {
    await file.write(new Uint8Array(1), 0, 1, 0);
  } finally {
    await file.close();
  }
}

function isComponent(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !name.includes('/');
}

function errnoOf(error: unknown): number {
  const errno = (error as NodeJS.ErrnoException).errno;
  return typeof errno === 'number' && errno !== 0 ? Math.abs(errno) : EIO;
}
