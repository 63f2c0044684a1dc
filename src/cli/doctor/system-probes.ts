/** The probes on the real host. None of them touches the tree: its files answer only while a daemon lives. */
import { access, constants, open, readFile, stat, statfs } from 'node:fs/promises';
import { release } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { DunnageError } from '../../errors/dunnage-error.ts';
import { readMountTable } from '../../mounts/mount-table.ts';
import { ControlClient } from '../../server/control-client.ts';
import type { DaemonAnswer, Probes } from './check.ts';

const CAP_SYS_ADMIN_BIT = 21n;
const PROGRAM_PLACES = ['/usr/bin', '/bin', '/usr/local/sbin', '/usr/sbin', '/sbin'];
const TMPFS_MAGIC = 0x01021994;
const RAMFS_MAGIC = 0x858458f6;
/** A daemon that is well answers in milliseconds. */
const SILENCE_MS_MAX = 5_000;

export function systemProbes(): Probes {
  return {
    nodeVersion: process.version,
    kernelRelease: release(),
    userId: process.geteuid?.() ?? 0,
    hasSysAdmin,
    findProgram,
    openDevice,
    readFile: (path) => readFile(path, 'utf8').catch(() => undefined),
    loadNative: tryNative,
    loadFuseNative: tryFuseNative,
    writability,
    isInMemory: async (path) => {
      const { type } = await statfs(await nearestExisting(path));
      return type === TMPFS_MAGIC || type === RAMFS_MAGIC;
    },
    mounts: () => readMountTable(),
    daemon: askDaemon,
    holder: findHolder,
  };
}

async function hasSysAdmin(): Promise<boolean> {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(await readFile('/proc/self/status', 'utf8'))?.[1] ?? '0';
  return ((BigInt(`0x${effective}`) >> CAP_SYS_ADMIN_BIT) & 1n) === 1n;
}

async function findProgram(name: string): Promise<string | undefined> {
  // Where the daemon looks too: a user's path may lack these.
  for (const directory of [...(process.env['PATH'] ?? '').split(delimiter), ...PROGRAM_PLACES]) {
    const path = join(directory, name);
    if (directory !== '' && (await canAccess(path, constants.X_OK))) return path;
  }
  return undefined;
}

async function openDevice(path: string): Promise<string | undefined> {
  try {
    await (await open(path, 'r+')).close();
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'unknown';
  }
}

async function tryNative(): ReturnType<Probes['loadNative']> {
  const { missingNativePart } = await import('../../native/load.ts');
  const problem = missingNativePart();
  return problem === undefined ? undefined : { message: problem.message, remedy: problem.remedy };
}

async function tryFuseNative(): ReturnType<Probes['loadFuseNative']> {
  const { loadFuseNative } = await import('../../native/fuse-native.ts');
  try {
    loadFuseNative();
    return undefined;
  } catch (error) {
    if (error instanceof DunnageError) return { message: error.message, remedy: error.remedy };
    throw error;
  }
}

async function writability(path: string): ReturnType<Probes['writability']> {
  const existing = await nearestExisting(path);
  const isDirectory = await stat(existing).then((found) => found.isDirectory());
  return { existing, writable: isDirectory && (await canAccess(existing, constants.W_OK | constants.X_OK)) };
}

async function nearestExisting(path: string): Promise<string> {
  let existing = path;
  while (existing !== '/' && !(await canAccess(existing, constants.F_OK))) existing = dirname(existing);
  return existing;
}

function canAccess(path: string, mode: number): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  );
}

async function askDaemon(socketPath: string): Promise<DaemonAnswer> {
  try {
    return { kind: 'live', status: await new ControlClient(socketPath, { silenceMsMax: SILENCE_MS_MAX }).status() };
  } catch (error) {
    if (!(error instanceof DunnageError)) throw error;
    if (error.code === 'UNREACHABLE') return { kind: 'none' };
    return { kind: 'problem', message: error.message, remedy: error.remedy };
  }
}

async function findHolder(socketPath: string): ReturnType<Probes['holder']> {
  try {
    const { HolderClient } = await import('../../fuse/holder-client.ts');
    const holder = HolderClient.connect(socketPath);
    holder?.close();
    return holder === undefined ? 'none' : 'there';
  } catch (error) {
    // Without the addon nothing can be asked; its own check says so.
    if (error instanceof DunnageError && error.code === 'MISSING_DEPENDENCY') return 'none';
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}
