/**
 * What must never be in an archive, by identity: a directory of secrets that lies on the disk (where no tmpfs can be had) and every file
 * in it, which may have another name in a directory that is archived, or may be given one while it is.
 */
import { DunnageError } from '../../errors/dunnage-error.ts';
import type { NativeBinding } from '../../native/binding.ts';
import { SECRET_DEPTH_MAX, visitSecrets } from '../secret-nodes.ts';

/**
 * Adds the identities of `path` beneath the directory. One that is missing, or no directory, has nothing to hide.
 * @throws DunnageError NOT_SUPPORTED if directories in it lie deeper than 64 levels: what is there is not known, so nothing may be archived
 */
export function collectSecrets(native: NativeBinding, directory: number, path: string, found: Set<string>): void {
  // A tmpfs that is mounted there is passed over: no file of it has a name elsewhere.
  const outcome = visitSecrets(native, { directory, path, sameMount: true }, (identity) => {
    found.add(identity);
    return true;
  });
  if (outcome === 'visited') return;
  throw new DunnageError('NOT_SUPPORTED', `directories in ${path} lie more than ${SECRET_DEPTH_MAX} levels deep`, {
    remedy: 'Remove them: secrets that cannot be looked through might be archived under another name',
  });
}
