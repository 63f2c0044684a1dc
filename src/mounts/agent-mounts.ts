/**
 * Mounting at and beneath a tree, by its agent: whoever serves the tree must not wait for it. What is mounted where is read from
 * the mount table, which asks no file system.
 */
import { constants } from 'node:os';
import { DunnageError, fromSystemError } from '../errors/dunnage-error.ts';
import type { ErrorCode } from '../errors/table.ts';
import { systemError } from '../native/system-error.ts';
import type { MountAgent } from './agent.ts';
import { BIND_BITS, type PathOperation } from './agent-protocol.ts';
import { describeHolders, findMountHolders } from './mount-holders.ts';
import { type MountRow, readMountsBeneath } from './mount-table.ts';

export interface TmpfsOptions {
  readonly sizeBytes: number;
  /** Permission bits of its root. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

export interface BindOptions {
  readonly readOnly: boolean;
  /** With what is mounted beneath the source; `readOnly` and the others hold for that too. */
  readonly recursive: boolean;
  readonly noSuid: boolean;
  readonly noExec: boolean;
  readonly noDev?: boolean;
  readonly noAtime?: boolean;
  /**
   * Given for a path of the host that somebody else has chosen: no symbolic link is followed in it, mounts of dunnage in it are left out, and
   * where one of these absolute paths lies beneath it there is an empty directory instead.
   */
  readonly hides?: readonly string[];
}

export interface AgentMountsOptions {
  readonly agent: Pick<MountAgent, 'run'>;
}

const RECONFIGURE = 1;
const DETACH = 1;
const ERRNO_NAMES = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]));

export class AgentMounts {
  readonly #agent: Pick<MountAgent, 'run'>;

  constructor({ agent }: AgentMountsOptions) {
    this.#agent = agent;
  }

  /**
   * A tmpfs with noexec, nodev, nosuid and, where the kernel has it, noswap; if one is mounted there, its size is adapted.
   * @throws DunnageError PERMISSION_DENIED without the right to mount, NO_SPACE if there is more in it than its new size.
   */
  async mountTmpfs(target: string, options: TmpfsOptions): Promise<void> {
    const mounted = (await readMountsBeneath(target)).findLast(({ mountPoint }) => mountPoint === target);
    if (mounted?.type === 'tmpfs') return await this.#resize(target, mounted, options.sizeBytes);
    const text = [
      `size=${options.sizeBytes}`,
      `mode=${options.mode.toString(8).padStart(4, '0')}`,
      `uid=${options.uid}`,
      `gid=${options.gid}`,
    ].join(',');
    await this.#run(`cannot mount a tmpfs on ${target}`, [{ kind: 'tmpfs', name: target, options: text, mode: 0 }]);
  }

  /**
   * Shows `source`, a directory or a file, at `target`; both are absolute. The attributes are set before anybody sees it.
   * @throws DunnageError NOT_FOUND if one of the two is missing, INVALID_PATH for a link where none may be, PERMISSION_DENIED.
   */
  async bind(source: string, target: string, options: BindOptions): Promise<void> {
    const hides = (options.hides ?? []).map((name) => ({ kind: 'hide', name }) as const);
    const bind = { kind: 'bind', name: target, source, mode: bindBits(options) } as const;
    await this.#run(`cannot show ${source} at ${target}`, [...hides, bind]);
  }

  /**
   * Takes away what is on top at `target`, if nobody uses it; with `detach` also if somebody does, for whom it lives on.
   * @throws DunnageError BUSY, with the processes that use it; INVALID_ARGUMENT if nothing is mounted there.
   */
  async unmount(target: string, { detach = false }: { readonly detach?: boolean } = {}): Promise<void> {
    try {
      await this.#run(`cannot unmount ${target}`, [{ kind: 'unmount', name: target, mode: detach ? DETACH : 0 }]);
    } catch (error) {
      if (!(error instanceof DunnageError) || error.code !== 'BUSY') throw error;
      const holders = await findMountHolders(target);
      throw new DunnageError('BUSY', `cannot unmount ${target}: it is in use by ${describeHolders(holders)}`, {
        remedy: 'end these processes, or have them let go of it',
        cause: error,
      });
    }
  }

  /** The mounts at and beneath a path, in mount order. */
  async list(beneath: string): Promise<readonly MountRow[]> {
    return await readMountsBeneath(beneath);
  }

  async #resize(target: string, mounted: MountRow, sizeBytes: number): Promise<void> {
    if (tmpfsSizeBytes(mounted) === pageMultiple(sizeBytes)) return;
    const operation = { kind: 'tmpfs', name: target, options: `size=${sizeBytes}`, mode: RECONFIGURE } as const;
    try {
      await this.#run(`cannot change the size of ${target}`, [operation]);
    } catch (error) {
      if (!(error instanceof DunnageError) || error.code !== 'INVALID_ARGUMENT') throw error;
      throw new DunnageError('NO_SPACE', `${target} holds more than ${sizeBytes} bytes, its new size`, {
        cause: error,
      });
    }
  }

  async #run(doing: string, operations: readonly PathOperation[]): Promise<void> {
    const errno = (await this.#agent.run('', operations)).at(-1) ?? 0;
    if (errno === 0) return;
    const code = ERRNO_NAMES.get(errno) ?? 'EIO';
    throw refusal(code, doing) ?? fromSystemError(systemError(code, 'mount', '', 'refused'), doing);
  }
}

/** Size limit of a tmpfs, as its mount options say it; undefined for one without. */
export function tmpfsSizeBytes(row: MountRow): number | undefined {
  const text = row.superOptions.find((option) => option.startsWith('size='))?.slice('size='.length);
  const match = /^(\d+)([kmg]?)$/.exec(text ?? '');
  if (match === null) return undefined;
  return Number(match[1]) * 1024 ** ['', 'k', 'm', 'g'].indexOf(match[2] ?? '');
}

/** The kernel rounds up to whole pages. */
function pageMultiple(sizeBytes: number): number {
  const pageBytes = 4096;
  return Math.ceil(sizeBytes / pageBytes) * pageBytes;
}

function bindBits(options: BindOptions): number {
  let bits = options.hides === undefined ? 0 : BIND_BITS.hostPath;
  for (const name of ['readOnly', 'recursive', 'noSuid', 'noExec', 'noDev', 'noAtime'] as const) {
    if (options[name] === true) bits |= BIND_BITS[name];
  }
  return bits;
}

const REFUSALS: Readonly<Record<string, { code: ErrorCode; reason: string; remedy?: string }>> = {
  EPERM: {
    code: 'PERMISSION_DENIED',
    reason: 'mounting is not permitted',
    remedy: 'run it as root, with CAP_SYS_ADMIN',
  },
  ELOOP: { code: 'INVALID_PATH', reason: 'there is a symbolic link in the path' },
  EXDEV: { code: 'INVALID_PATH', reason: 'the path leaves the place it belongs to' },
  EBUSY: { code: 'BUSY', reason: 'it is in use' },
  EINVAL: {
    code: 'INVALID_ARGUMENT',
    reason: 'the kernel refused it: nothing is mounted there, or an option is wrong',
  },
  ENOENT: { code: 'NOT_FOUND', reason: 'no such file or directory' },
  ENOTDIR: { code: 'NOT_A_DIRECTORY', reason: 'a file and a directory cannot be mounted on each other' },
};

function refusal(code: string, doing: string): DunnageError | undefined {
  const row = Object.hasOwn(REFUSALS, code) ? REFUSALS[code] : undefined;
  if (row === undefined) return undefined;
  return new DunnageError(row.code, `${doing}: ${row.reason}`, {
    ...(row.remedy === undefined ? {} : { remedy: row.remedy }),
    cause: systemError(code, 'mount', '', row.reason),
  });
}
