/**
 * Where the directory of a projection is made and taken away, and through which mount it is written to.
 *
 *   plain     a directory of the projections connection
 *   audited   a directory of the audited connection, bind-mounted onto an empty directory of the projections connection
 *
 * Every step is one that may have been taken already: a start repeats what was interrupted.
 */
import { constants } from 'node:os';
import { DunnageError } from '../errors/dunnage-error.ts';
import type { MountOperation, ThroughMount } from '../vfs/ports.ts';
import { operationError } from './mount-target.ts';

export interface ProjectionDirectories {
  /** Through which content and names are published. */
  readonly throughMount: ThroughMount;
  make(directory: string): Promise<void>;
  /** Of a projection whose names are gone. */
  remove(directory: string): Promise<void>;
}

/** The audited connection's mounts. Outcomes are 0 or a positive errno. */
export interface AuditedMount {
  readonly throughMount: ThroughMount;
  /** Mounts the audited directory onto the one of that name below projections/. */
  attach(directory: string): Promise<number>;
  /** Takes away what is mounted there. EINVAL if nothing is. */
  detach(directory: string): Promise<number>;
}

export class PlainDirectories implements ProjectionDirectories {
  readonly throughMount: ThroughMount;

  constructor(throughMount: ThroughMount) {
    this.throughMount = throughMount;
  }

  async make(directory: string): Promise<void> {
    await inRoot(this.throughMount, { kind: 'mkdir', name: directory, mode: 0o755 });
  }

  async remove(directory: string): Promise<void> {
    await inRoot(this.throughMount, { kind: 'rmdir', name: directory });
  }
}

export class AuditedDirectories implements ProjectionDirectories {
  readonly throughMount: ThroughMount;
  readonly #plain: PlainDirectories;
  readonly #mount: AuditedMount;
  readonly #inner: PlainDirectories;

  constructor(plain: PlainDirectories, mount: AuditedMount) {
    this.throughMount = mount.throughMount;
    this.#plain = plain;
    this.#mount = mount;
    this.#inner = new PlainDirectories(mount.throughMount);
  }

  async make(directory: string): Promise<void> {
    await this.#inner.make(directory);
    await this.#plain.make(directory);
    const errno = await this.#mount.attach(directory);
    if (errno !== 0) throw operationError(`cannot mount the audited projection ${directory}`, errno);
  }

  async remove(directory: string): Promise<void> {
    await this.#inner.remove(directory);
    const errno = await this.#mount.detach(directory);
    if (errno !== 0 && errno !== constants.errno.EINVAL && errno !== constants.errno.ENOENT) {
      throw operationError(`cannot unmount the audited projection ${directory}`, errno);
    }
    await this.#plain.remove(directory);
  }
}

/** Stands where nothing can be audited. */
export function auditNotSupported(): DunnageError {
  return new DunnageError('NOT_SUPPORTED', 'this daemon cannot audit: that needs a mount of its own', {
    remedy:
      'run the daemon as root with the kernel transport; if it has taken over an older tree: dunnage down && dunnage up',
  });
}

/** A directory that is gone already is no failure. */
async function inRoot(throughMount: ThroughMount, operation: MountOperation): Promise<void> {
  const [errno = 0] = await throughMount.run('', [operation]);
  if (errno === 0) return;
  if (operation.kind === 'rmdir' && errno === constants.errno.ENOENT) return;
  throw operationError(`cannot ${operation.kind} ${operation.name}`, errno);
}
