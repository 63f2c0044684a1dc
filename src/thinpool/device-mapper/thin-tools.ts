/** Programs: thin-provisioning-tools for what only they know of the metadata of a pool, wipefs for what is on a device. */
import { execFile } from 'node:child_process';
import { DunnageError } from '../../errors/dunnage-error.ts';

const ENVIRONMENT = { PATH: '/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C' };
const TIMEOUT_MS = 600_000;
const OUTPUT_BYTES_MAX = 1_073_741_824;
const PACKAGES: Readonly<Record<string, string>> = { wipefs: 'util-linux' };

export interface ThinRow {
  readonly id: number;
  readonly ownBlocks: number;
  readonly sharedBlocks: number;
}

/** Part of a device, in bytes. */
export interface DifferentRange {
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

/**
 * Every device of a pool in service, from the copy of the metadata that the pool holds meanwhile.
 * Throws MISSING_DEPENDENCY, CORRUPT.
 */
export async function listThinDevices(metadataPath: string): Promise<readonly ThinRow[]> {
  const fields = 'DEV,EXCLUSIVE_BLOCKS,SHARED_BLOCKS';
  const output = await run('thin_ls', ['--metadata-snap', '--no-headers', '--format', fields, metadataPath]);
  return parseThinRows(output);
}

export function parseThinRows(output: string): readonly ThinRow[] {
  const lines = output.split('\n').filter((line) => line.trim() !== '');
  return lines.map((line) => {
    const [id, ownBlocks, sharedBlocks] = line.trim().split(/\s+/).map(Number);
    if (![id, ownBlocks, sharedBlocks].every(Number.isSafeInteger)) {
      throw new DunnageError('CORRUPT', `thin_ls says what nobody understands: ${line}`);
    }
    return { id: id as number, ownBlocks: ownBlocks as number, sharedBlocks: sharedBlocks as number };
  });
}

/** Of a pool that is not in service. Resolves with what is wrong, if something is. */
export async function checkMetadata(metadataPath: string): Promise<string | undefined> {
  try {
    await run('thin_check', [metadataPath]);
    return undefined;
  } catch (error) {
    if (error instanceof DunnageError && error.code === 'CORRUPT') return error.message;
    throw error;
  }
}

/** The pool may be used again although the kernel wanted it checked. Preconditions: it was checked. */
export async function clearNeedsCheck(metadataPath: string): Promise<void> {
  await run('thin_check', ['--clear-needs-check-flag', metadataPath]);
}

/** Writes a whole copy of damaged metadata. `to` has the size of the device already. */
export async function repairMetadata(from: string, to: string): Promise<void> {
  await run('thin_repair', ['--input', from, '--output', to]);
}

/** Where two devices of a pool in service differ, from the copy of the metadata that the pool holds meanwhile. */
export async function findDifferences(
  metadataPath: string,
  one: number,
  other: number,
  blockBytes: number,
): Promise<readonly DifferentRange[]> {
  const output = await run('thin_delta', [
    '--metadata-snap',
    '--thin1',
    String(one),
    '--thin2',
    String(other),
    metadataPath,
  ]);
  return parseDifferences(output, blockBytes);
}

/** What a block device is known to hold: `ext4`, `dos`, several of them; empty for nothing that is known. */
export async function findSignatures(path: string): Promise<string> {
  const output = await run('wipefs', ['--noheadings', '--output', 'TYPE', path]);
  return [...new Set(output.split(/\s+/))].filter((word) => word !== '').join(', ');
}

/** What is in one only, in the other only, or in both and not the same. */
export function parseDifferences(xml: string, blockBytes: number): readonly DifferentRange[] {
  const ranges = xml.matchAll(
    /<(?:different|left_only|right_only) begin="(\d+)"(?: data_begin="\d+")? length="(\d+)"\/>/g,
  );
  return [...ranges].map(([, begin, length]) => ({
    offsetBytes: Number(begin) * blockBytes,
    lengthBytes: Number(length) * blockBytes,
  }));
}

function run(program: string, parameters: readonly string[]): Promise<string> {
  const options = { env: ENVIRONMENT, timeout: TIMEOUT_MS, maxBuffer: OUTPUT_BYTES_MAX };
  return new Promise((resolve, reject) => {
    execFile(program, parameters, options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(explain(program, error, `${stdout}\n${stderr}`));
    });
  });
}

function explain(
  program: string,
  error: Error & { readonly code?: unknown; readonly killed?: boolean },
  output: string,
): DunnageError {
  if (error.code === 'ENOENT') {
    return new DunnageError('MISSING_DEPENDENCY', `${program} is not there, which pools of the device-mapper need`, {
      remedy: `apt-get install -y --no-install-recommends ${PACKAGES[program] ?? 'thin-provisioning-tools'}`,
      cause: error,
    });
  }
  if (error.killed === true)
    return new DunnageError('TIMED_OUT', `${program} does not come to an end`, { cause: error });
  const reason = output.trim().split('\n').slice(-3).join('; ');
  return new DunnageError('CORRUPT', `${program} says: ${reason === '' ? error.message : reason}`, { cause: error });
}
