/** `dunnage down`: ends the daemon and the tree, also when only parts of them are left. */
import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Command } from 'commander';
import { silentLog } from '../../base/log.ts';
import { memoryPlaces } from '../../daemon/allocs/alloc-places.ts';
import { holderSocketPath } from '../../daemon/runtime-files.ts';
import { DunnageError, fromSystemError } from '../../errors/dunnage-error.ts';
import { systemCode } from '../../native/system-error.ts';
import { type CommandContext, contextOf } from '../context.ts';
import { waitForEnd } from '../process-end.ts';

interface DownOptions {
  readonly keep?: boolean;
  readonly mount?: string;
}

const END_MS_MAX = 30_000;

const DOWN_HELP = `
With --keep the tree stays mounted and reads go on; a "dunnage up" within the takeover timeout takes it over.

Examples:
  $ dunnage down
  $ dunnage down --keep && dunnage up --detach     restart without unmounting`;

export function addDownCommand(program: Command): void {
  program
    .command('down')
    .description('end the daemon and unmount the tree; also clears what a dead daemon left')
    .option('--keep', 'leave the tree mounted for the next daemon')
    .option('--runtime-dir <dir>', 'of the daemon (default: as for up, or the directory of --socket)')
    .option('--mount <dir>', 'where the tree of a dead daemon is mounted (default: <runtime-dir>/mnt)')
    .addHelpText('after', DOWN_HELP)
    .action(async (options: DownOptions, command: Command) => {
      const context = contextOf(command);
      const outcome = (await endDaemon(context, options.keep === true)) ?? (await endLeftovers(context, options));
      context.print(outcome, () => `${outcome.message}\n`);
    });
}

interface Outcome {
  readonly outcome: 'ended' | 'kept' | 'cleared' | 'nothing';
  readonly message: string;
  /** Paths of thin devices that stay active. */
  readonly devices?: readonly string[];
}

/** Undefined if no daemon answers. */
async function endDaemon(context: CommandContext, keep: boolean): Promise<Outcome | undefined> {
  const client = context.client();
  let pid: number;
  let holderPid: number | undefined;
  let mountPoint: string;
  try {
    ({ pid, holderPid, mountPoint } = await client.status());
  } catch (error) {
    if (error instanceof DunnageError && error.code === 'UNREACHABLE') return undefined;
    throw error;
  }
  if (keep && holderPid === undefined) {
    throw new DunnageError('NOT_SUPPORTED', 'nothing can be kept: without a holder the tree ends with the daemon', {
      remedy: 'leave out --keep; the kernel transport can keep the tree (docs/transports.md)',
    });
  }
  await client.shutdown(!keep);
  if (!(await waitForEnd(pid, END_MS_MAX))) throw stillThere('daemon', pid);
  if (!keep && holderPid !== undefined && !(await waitForEnd(holderPid, END_MS_MAX)))
    throw stillThere('holder', holderPid);
  if (keep)
    return { outcome: 'kept', message: `the daemon has ended; ${mountPoint} waits for the next: dunnage up --detach` };
  const message = `the daemon has ended and ${mountPoint} is unmounted`;
  const devices = await devicesInUse(context.runtimeDir());
  return { outcome: 'ended', message: andDevices(message, devices), devices };
}

/** Thin devices that somebody has mounted or open: they are never taken away from him. */
async function devicesInUse(runtimeDir: string): Promise<readonly string[]> {
  const folder = join(runtimeDir, 'dev');
  const names = await readdir(folder).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return [];
    throw fromSystemError(error, `cannot look for devices in ${folder}`);
  });
  const paths = names.map((name) => join(folder, name));
  const areActive = await Promise.all(paths.map(isActive));
  return paths.filter((_, index) => areActive[index]).sort();
}

/** A loop device is there also when nothing is attached to it any more; its link tells which one it was. */
async function isActive(path: string): Promise<boolean> {
  const device = basename(await realpath(path).catch(() => ''));
  const shows = device.startsWith('loop') ? `/sys/block/${device}/loop/backing_file` : `/sys/block/${device}/dm`;
  return device !== '' && (await stat(shows).catch(() => undefined)) !== undefined;
}

function andDevices(message: string, devices: readonly string[]): string {
  return devices.length === 0 ? message : `${message}; in use, and still active: ${devices.join(', ')}`;
}

/** What is left when the daemon is dead: the holder with the connections, or mounts that nobody serves. */
async function endLeftovers(context: CommandContext, options: DownOptions): Promise<Outcome> {
  const runtimeDir = context.runtimeDir();
  const mountPoint = options.mount ?? join(runtimeDir, 'mnt');
  const held = await abortHolder(holderSocketPath(runtimeDir), options.keep === true);
  if (held === 'kept')
    return { outcome: 'kept', message: 'no daemon runs; the tree waits for the next: dunnage up --detach' };
  const { allMountsBeneath, clearAbandonedMounts, isMounted, unmountAllBeneath } = await import(
    '../../daemon/mounted-tree.ts'
  );
  const mounted = await isMounted(mountPoint);
  if (mounted) await clearAbandonedMounts(mountPoint, silentLog);
  let inMemory = false;
  for (const place of memoryPlaces(runtimeDir)) {
    inMemory ||= (await allMountsBeneath(place)).length > 0;
    await unmountAllBeneath(place, silentLog);
  }
  const devices = await devicesInUse(runtimeDir);
  return mounted || inMemory || held === 'aborted'
    ? { outcome: 'cleared', message: andDevices('no daemon ran; the tree it had left is unmounted', devices), devices }
    : { outcome: 'nothing', message: andDevices('nothing runs', devices), devices };
}

async function abortHolder(socketPath: string, keep: boolean): Promise<'none' | 'kept' | 'aborted'> {
  const { HolderClient } = await import('../../fuse/holder-client.ts');
  const holder = HolderClient.connect(socketPath);
  if (holder === undefined) return 'none';
  try {
    if (keep) return 'kept';
    // Refused while a daemon is attached: one that serves another socket must not lose its tree.
    const { holderPid } = holder.attach();
    holder.abort();
    if (!(await waitForEnd(holderPid, END_MS_MAX))) throw stillThere('holder', holderPid);
    return 'aborted';
  } finally {
    holder.close();
  }
}

function stillThere(what: string, pid: number): DunnageError {
  return new DunnageError('TIMED_OUT', `the ${what} (pid ${pid}) has been asked to end, but still runs`, {
    remedy: `look into the log of the daemon; kill -9 ${pid} ends it, then run: dunnage down`,
  });
}
