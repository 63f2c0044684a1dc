/** What only the driver sees of its pool: files that do not belong there, images of another length than their devices, loop devices that are not as it makes them. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { formatBytes } from '../../base/units.ts';
import { findMount } from '../../mounts/mount-table.ts';
import { type ExpectedDevice, type Inspection, joined, type PoolFinding, WELL } from '../care/pool-finding.ts';
import { runProgram } from '../run-program.ts';
import type { Attachment } from './attachments.ts';
import { imageId } from './image-folder.ts';
import type { MountedPlace, PoolPlace } from './pool-place.ts';

export interface InspectedPool {
  readonly place: PoolPlace;
  readonly mounted: MountedPlace;
  /** Folder of the images. */
  readonly folder: string;
  readonly attachments: readonly Attachment[];
}

/** Only what can be seen at once: the structures of a file system that is frozen, or not the pool's own, are not looked at. */
export async function inspectImages(
  pool: InspectedPool,
  expected: readonly ExpectedDevice[],
  isFrozen: boolean,
): Promise<Inspection> {
  const sizes = new Map(expected.map((device) => [device.id, device]));
  const findings: PoolFinding[] = [];
  const active = new Set(pool.attachments.map(({ id }) => id));
  for (const name of await readdir(pool.folder)) {
    findings.push(...(await imageFindings(pool.folder, name, sizes, active)));
  }
  findings.push(...pool.attachments.filter(({ isOdd }) => isOdd).map(oddFinding));
  if (pool.place.kind === 'file') findings.push(...(await sparseFindings(pool.place.path)));
  const isXfs = (await findMount(pool.mounted.path))?.type === 'xfs';
  const structures =
    isXfs && pool.mounted.isOwnFileSystem && !isFrozen ? await scrubFileSystem(pool.mounted.path) : WELL;
  return joined([{ findings, notes: [] }, structures]);
}

async function imageFindings(
  folder: string,
  name: string,
  expected: ReadonlyMap<number, ExpectedDevice>,
  active: ReadonlySet<number>,
): Promise<readonly PoolFinding[]> {
  const found = await stat(join(folder, name)).catch(() => undefined);
  // Removed meanwhile.
  if (found === undefined) return [];
  const id = imageId(name);
  const object = `file ${name}`;
  if (id === undefined || !found.isFile()) {
    const action = `nothing here uses it: move it away from ${folder}`;
    return [{ object, what: 'it does not belong to the images of the pool', repairable: false, action }];
  }
  const device = expected.get(id);
  if (device === undefined || found.size === device.sizeBytes) return [];
  if (found.size < device.sizeBytes) {
    // One that grew while it was not active gets its length when it is activated.
    if (!active.has(id)) return [];
    const what = `its device ${device.name} has ${formatBytes(device.sizeBytes)}, and it only ${formatBytes(found.size)}`;
    const action = 'somebody has cut it off: copy what is left of the device, and remove it';
    return [{ object, what, repairable: false, action }];
  }
  const what = `it has ${formatBytes(found.size)}, and its device ${device.name} only ${formatBytes(device.sizeBytes)}`;
  return [{ object, what, repairable: false, action: 'make the device as large: nothing is cut off' }];
}

function oddFinding({ number, id }: Attachment): PoolFinding {
  return {
    object: `/dev/loop${number}`,
    what: `it shows the image of device ${id}, and was not attached by this program, the image was removed, or its users were cut off`,
    repairable: false,
    action: `detach it when nobody uses it: losetup --detach /dev/loop${number}`,
  };
}

/** What is promised must be there: the file system the file lies on may be full when it is wanted. */
async function sparseFindings(path: string): Promise<readonly PoolFinding[]> {
  const { size, blocks } = await stat(path);
  const missingBytes = size - blocks * 512;
  // A file system may keep the last of it elsewhere.
  if (missingBytes <= size / 1000) return [];
  const what = `${formatBytes(missingBytes)} of it were never allocated, or given back: they may be missing when they are needed`;
  return [{ object: `file ${path}`, what, repairable: true, action: 'the space is allocated' }];
}

const SCRUB_TIMEOUT_MS = 3_600_000;
/** Bits of what xfs_scrub ends with: damage that is left; it could not look. */
const [LEFT, FAILED] = [1, 4];

/** Where the kernel can look at an XFS that is in use. */
async function scrubFileSystem(path: string): Promise<Inspection> {
  const options = { timeoutMs: SCRUB_TIMEOUT_MS, debPackage: 'xfsprogs', answers: [1, 2, 3, 4, 5, 6, 7] };
  const answer = await runProgram('xfs_scrub', ['-n', path], options).catch((error: Error) => error);
  const unseen = 'the structures of the file system were not looked at: they can be when the pool is out of service';
  if (answer instanceof Error) return { findings: [], notes: [`${unseen} (${answer.message})`] };
  if ((answer.exitCode & LEFT) !== 0) {
    const said = answer.output.trim().split('\n').slice(-3).join('; ');
    const action = 'take the pool out of service (dunnage down), and repair it then';
    return {
      findings: [{ object: 'file system', what: `xfs_scrub says: ${said}`, repairable: true, action }],
      notes: [],
    };
  }
  return { findings: [], notes: (answer.exitCode & FAILED) === 0 ? [] : [`${unseen}, by this kernel not before`] };
}
