/**
 * Where things lie in an alloc directory, and which names may be used.
 *
 *     <allocs>/<alloc-id>/            0755 root
 *       alloc/{logs,tmp,data}         0777 nobody: shared by the tasks
 *       <task>/                       0777 nobody
 *         local/                      0777 nobody
 *         tmp/                        1777 nobody
 *         secrets/                    tmpfs, bound here from <runtime>/secrets/<alloc-id>/<task>
 *         alloc/                      the shared directory once more, logs read-only: only for chroot isolation
 *     <runtime>/private/<alloc-id>/<task>   tmpfs of 1 MiB, never in the tree
 *
 * The exported constants have the names that programs written for task directories know.
 */
import { DunnageError } from '../errors/dunnage-error.ts';

/** The directory that all tasks of an alloc share, beneath the alloc's directory. */
export const SharedAllocName = 'alloc';
/** Beneath the shared directory: `<task>.stdout.<n>`, `<task>.stderr.<n>`. */
export const LogDirName = 'logs';
/** Beneath the shared directory: what a snapshot keeps and a move takes along. */
export const SharedDataDir = 'data';
/** Beneath the shared directory and beneath each task's. */
export const TmpDirName = 'tmp';
/** All that is made beneath the shared directory. */
export const SharedAllocDirs: readonly string[] = [LogDirName, TmpDirName, SharedDataDir];
/** Beneath the task's directory: what a snapshot keeps and a move takes along. */
export const TaskLocal = 'local';
/** Beneath the task's directory: memory only. */
export const TaskSecrets = 'secrets';
/** Memory of the task that it does not see; under the runtime directory, never beneath the task's directory. */
export const TaskPrivate = 'private';
/** What else is made beneath each task's directory, with its mode. */
export const TaskDirs: Readonly<Record<string, number>> = { [TmpDirName]: 0o1777 };

/** Where a container sees the shared directory, its `local` and its `secrets`. */
export const SharedAllocContainerPath = '/alloc';
export const TaskLocalContainerPath = '/local';
export const TaskSecretsContainerPath = '/secrets';

/** Unix sockets that a proxy listens on and tasks connect to, relative to the root of the task. */
export const AllocGRPCSocket = 'alloc/tmp/consul_grpc.sock';
export const AllocHTTPSocket = 'alloc/tmp/consul_http.sock';

/** Size of `secrets` unless the task asks for another, and of the private directory always. */
export const DEFAULT_SECRETS_BYTES = 1_048_576;
export const PRIVATE_BYTES = 1_048_576;

const NAME_BYTES_MAX = 255;

/** @throws DunnageError INVALID_ARGUMENT, NAME_TOO_LONG for what cannot be the name of an alloc's directory. */
export function requireAllocId(id: string): void {
  requireComponent('the alloc id', id);
}

/** @throws DunnageError INVALID_ARGUMENT, NAME_TOO_LONG for what cannot be the name of a task's directory. */
export function requireTaskName(name: string): void {
  requireComponent('the task name', name);
  if (name === SharedAllocName) {
    throw new DunnageError('INVALID_ARGUMENT', `the task name "${name}" is that of the directory the tasks share`, {
      remedy: 'give the task another name',
    });
  }
}

/** Names that begin with a dot are the daemon's own. */
function requireComponent(what: string, name: string): void {
  if (name === '') throw new DunnageError('INVALID_ARGUMENT', `${what} is empty`);
  if (name.startsWith('.') || name.includes('/') || name.includes('\0')) {
    throw new DunnageError('INVALID_ARGUMENT', `${what} ${JSON.stringify(name)} cannot be the name of a directory`, {
      remedy: 'no slash, no NUL character and no dot at the beginning',
    });
  }
  if (Buffer.byteLength(name) > NAME_BYTES_MAX) {
    throw new DunnageError('NAME_TOO_LONG', `${what} is longer than ${NAME_BYTES_MAX} bytes`);
  }
}
