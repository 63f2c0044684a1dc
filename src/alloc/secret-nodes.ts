/**
 * What lies in a directory of secrets on the disk, by identity (`nodeIdentity`): its files may have other names elsewhere. Names are taken as
 * the bytes they are, and each directory is opened from the one it lies in, so that nothing is passed over.
 */
import { closeSync, constants } from 'node:fs';
import type { NativeBinding } from '../native/binding.ts';
import { NODE, nodeIdentity } from '../native/node-status.ts';
import { READ_DIRECTORY } from '../native/open-flags.ts';
import { systemCode } from '../native/system-error.ts';

const { S_IFMT, S_IFDIR } = constants;
/** Directories in each other; every one costs a descriptor while those in it are looked through. */
export const SECRET_DEPTH_MAX = 64;

export interface SecretPlace {
  /** Descriptor that `path` is beneath. */
  readonly directory: number;
  /** Bytes, one per character. */
  readonly path: string;
  /** What is mounted there, or in it, is not looked through. */
  readonly sameMount: boolean;
}

/** Gets the identity and the length of the path of the directory and of everything in it, in no order; false stops. */
export type SecretVisit = (identity: string, pathBytes: number) => boolean;

/** `too deep`: there is something below 64 levels, which was not looked through. A path that is missing, or no directory, has nothing in it. */
export function visitSecrets(
  native: NativeBinding,
  { directory, path, sameMount }: SecretPlace,
  visit: SecretVisit,
): 'visited' | 'stopped' | 'too deep' {
  const visitDirectory = (
    parent: number,
    name: string,
    pathBytes: number,
    depth: number,
  ): ReturnType<typeof visitSecrets> => {
    const opened = openUnlessElsewhere(native, parent, name, sameMount);
    if (opened === undefined) return 'visited';
    try {
      if (depth > SECRET_DEPTH_MAX) return 'too deep';
      if (!visit(nodeIdentity(native.statNode(opened, '')), pathBytes)) return 'stopped';
      const { names, attributes } = native.listNodes(opened);
      for (const [index, child] of names.entries()) {
        const at = index * NODE.fields;
        const childBytes = pathBytes + 1 + child.length;
        const isDirectory = ((attributes[at + NODE.mode] ?? 0) & S_IFMT) === S_IFDIR;
        if (!isDirectory && !visit(nodeIdentity(attributes, at), childBytes)) return 'stopped';
        const outcome = isDirectory ? visitDirectory(opened, child, childBytes, depth + 1) : 'visited';
        if (outcome !== 'visited') return outcome;
      }
      return 'visited';
    } finally {
      closeSync(opened);
    }
  };
  return visitDirectory(directory, path, path.length, 1);
}

function openUnlessElsewhere(
  native: NativeBinding,
  directory: number,
  path: string,
  sameMount: boolean,
): number | undefined {
  try {
    return native.openNode(directory, path, READ_DIRECTORY, 0, sameMount);
  } catch (error) {
    const code = systemCode(error) ?? '';
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(code) || (sameMount && code === 'EXDEV')) return undefined;
    throw error;
  }
}
