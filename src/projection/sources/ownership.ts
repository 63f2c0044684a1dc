/** Mode and owner of a projected file, from what it says, what its Projection says, and the group rule of Kubernetes. */
import type { FileAttributes } from '../payload.ts';
import { DEFAULT_FILE_MODE } from '../project-keys.ts';
import type { FileDefaults } from './source-spec.ts';

/** What the reference adds for the group of a volume that is mounted read-only. */
const GROUP_READABLE = 0o440;

export interface WantedAttributes {
  readonly mode?: number;
  readonly ownMode?: number;
  readonly uid?: number;
  readonly gid?: number;
}

/**
 * A group given for the file itself wins over `fsGroup`. Directories need no rule: each is 0755, which is more than the
 * reference gives a group.
 */
export function fileAttributes(wanted: WantedAttributes, defaults: FileDefaults): FileAttributes {
  const { defaultMode, fsGroup } = defaults;
  const mode = wanted.mode ?? defaultMode ?? wanted.ownMode ?? DEFAULT_FILE_MODE;
  const uid = wanted.uid ?? defaults.uid;
  const gid = wanted.gid ?? fsGroup?.gid ?? defaults.gid;
  return {
    mode: fsGroup?.policy === 'Widen' ? mode | GROUP_READABLE : mode,
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
  };
}
