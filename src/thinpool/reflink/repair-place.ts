/**
 * Check and repair of what a pool of files lies on, while it is not in service: the file system of a block device or a file, and the
 * two small files of the pool. A file system that others look after is theirs to repair.
 */
import { stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { DunnageError } from '../../errors/dunnage-error.ts';
import { findMount } from '../../mounts/mount-table.ts';
import { type Inspection, joined, type PoolFinding } from '../care/pool-finding.ts';
import { findSignatures } from '../device-mapper/thin-tools.ts';
import { reasonOf } from '../pool-parts.ts';
import { runProgram } from '../run-program.ts';
import { isFromNewerVersion, readMarker, readTransaction, writeMarker, writeTransaction } from './pool-marker.ts';
import { IMAGES, type MarkedPlace, poolRuntimeFolder, whileMounted } from './pool-marking.ts';
import { awaitUnused } from './pool-place.ts';

const TIMEOUT_MS = 6 * 3_600_000;
const NEEDS_REPLAY = 2;
/** Of a file system whose own needs nobody knows any more: more than XFS and btrfs have, so less can be promised. */
const OVERHEAD_SHARE = 0.03;

export async function checkPlace(options: MarkedPlace): Promise<Inspection> {
  const structures = await checkStructures(options);
  if (structures.findings.length > 0) return structures;
  return joined([structures, await whileReadable(options, async (root) => (await brokenFiles(options, root)).found)]);
}

/** Resolves to what was mended; what is left, a further check says. `transaction`: of the records. */
export async function repairPlace(options: MarkedPlace, transaction: number): Promise<Inspection> {
  const structures = await repairStructures(options);
  const files = await whileReadable(options, async (root) => {
    const { found, mend } = await brokenFiles(options, root);
    await mend(transaction);
    return found;
  });
  return joined([structures, { findings: files.findings.filter(({ repairable }) => repairable), notes: files.notes }]);
}

async function checkStructures(options: MarkedPlace): Promise<Inspection> {
  const type = await ownType(options);
  if (typeof type !== 'string') return type;
  const { path } = options.place;
  const [program, words, debPackage] =
    type === 'xfs'
      ? (['xfs_repair', ['-n', ...fileFlag(options)], 'xfsprogs'] as const)
      : (['btrfs', ['check', '--readonly'], 'btrfs-progs'] as const);
  const { exitCode, output } = await runProgram(program, [...words, path], {
    ...{ timeoutMs: TIMEOUT_MS, debPackage, answers: [1, NEEDS_REPLAY] },
  });
  if (exitCode === 0) return { findings: [], notes: [] };
  if (type === 'xfs' && exitCode === NEEDS_REPLAY) {
    return {
      findings: [],
      notes: ['the file system was in use when the host went down: its next mount replays its log'],
    };
  }
  return { findings: [damage(program, output, type === 'xfs')], notes: [] };
}

async function repairStructures(options: MarkedPlace): Promise<Inspection> {
  const type = await ownType(options);
  if (typeof type !== 'string' || type !== 'xfs')
    return { findings: [], notes: typeof type === 'string' ? [] : type.notes };
  const before = await checkStructures(options);
  if (before.findings.length === 0) return before;
  // Mounted, it replays its log. If that fails the log itself is damaged, and what to do about it is not for a program to say.
  await whileMounted(options, async () => undefined).catch(() => undefined);
  const words = [...fileFlag(options), options.place.path];
  const { exitCode } = await runProgram('xfs_repair', words, {
    ...{ timeoutMs: TIMEOUT_MS, debPackage: 'xfsprogs', answers: [NEEDS_REPLAY] },
  });
  if (exitCode === 0) return before;
  const advice = `its log cannot be replayed: xfs_repair -L ${options.place.path} drops it, and with it what was changed last`;
  return { findings: [], notes: [advice] };
}

/** xfs or btrfs; otherwise why nobody looks at it here. @throws DunnageError BUSY while it is mounted */
async function ownType(options: MarkedPlace): Promise<'xfs' | 'btrfs' | Inspection> {
  const { place } = options;
  if (place.kind === 'directory') {
    return { findings: [], notes: [`the file system of ${place.path} is not the pool's alone, and was not looked at`] };
  }
  const mountPoint = join(poolRuntimeFolder(options), 'fs');
  if ((await findMount(mountPoint)) !== undefined) {
    throw new DunnageError('BUSY', `the pool is mounted still, at ${mountPoint}`, {
      remedy: `end who uses its devices, and unmount it: umount ${mountPoint}`,
    });
  }
  await awaitUnused(place);
  const found = await findSignatures(place.path);
  if (found === 'xfs' || found === 'btrfs') return found;
  const what = `it holds ${found === '' ? 'no file system' : found}`;
  const action = 'look at what it lies on: this is not the pool that was made there';
  return { findings: [{ object: place.path, what, repairable: false, action }], notes: [] };
}

function fileFlag({ place }: MarkedPlace): readonly string[] {
  return place.kind === 'file' ? ['-f'] : [];
}

function damage(program: string, output: string, repairable: boolean): PoolFinding {
  const lines = output.split('\n').filter((line) => /bad|corrupt|would|error|mismatch|invalid|missing/i.test(line));
  const said = lines.slice(0, 3).map((line) => line.trim());
  return {
    object: 'file system',
    what: `${program} says: ${said.join('; ') || 'it is damaged'}`,
    repairable,
    action: repairable ? 'xfs_repair mends it' : 'see btrfs-rescue(8): copy what matters first',
  };
}

interface BrokenFiles {
  readonly found: Inspection;
  mend(transaction: number): Promise<void>;
}

/** The marker and the number, if they cannot be read. */
async function brokenFiles({ poolName, place }: MarkedPlace, root: string): Promise<BrokenFiles> {
  const [marker, number] = await Promise.all([
    readMarker(root).catch((error: unknown) => error as Error),
    readTransaction(root).catch((error: unknown) => reasonOf(error)),
  ]);
  const findings: PoolFinding[] = [];
  const mends: ((transaction: number) => Promise<void>)[] = [];
  const hasImages = (await stat(join(root, IMAGES)).catch(() => undefined))?.isDirectory() === true;
  if (marker instanceof Error || (marker === undefined && hasImages)) {
    const what = marker instanceof Error ? marker.message : 'it is missing';
    const repairable = hasImages && !isFromNewerVersion(marker);
    const action = repairable
      ? 'it is written anew, from the record of the pool'
      : 'use the version that made the pool';
    findings.push({ object: 'marker', what, repairable, action });
    if (repairable) mends.push(() => remark(root, poolName));
  } else if (marker === undefined || marker.name !== poolName) {
    const what = marker === undefined ? 'there is no pool' : `there is the pool "${marker.name}"`;
    const action = 'look at what is mounted there: this is not the pool that was made';
    findings.push({ object: place.path, what, repairable: false, action });
    return { found: { findings, notes: [] }, mend: async () => undefined };
  }
  if (typeof number === 'string') {
    const action = 'it is written anew, from the records';
    findings.push({ object: 'number of the last change', what: number, repairable: true, action });
    mends.push((transaction) => writeTransaction(root, transaction));
  }
  return {
    found: { findings, notes: [] },
    async mend(transaction) {
      for (const mend of mends) await mend(transaction);
    },
  };
}

async function remark(root: string, poolName: string): Promise<void> {
  const { bsize, blocks } = await statfs(root);
  await writeMarker(root, poolName, Math.ceil(blocks * bsize * OVERHEAD_SHARE), blocks * bsize);
}

async function whileReadable(options: MarkedPlace, look: (root: string) => Promise<Inspection>): Promise<Inspection> {
  try {
    return await whileMounted(options, look);
  } catch (error) {
    const action = 'see the kernel log for why: dmesg';
    const what = `it cannot be used: ${reasonOf(error)}`;
    return { findings: [{ object: options.place.path, what, repairable: false, action }], notes: [] };
  }
}
