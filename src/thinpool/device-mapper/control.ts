/**
 * The device-mapper of the kernel, command by command. Knows names, tables and messages, and nothing of pools.
 *
 * No udev is needed and none is waited for: event number 0 says that nobody will answer.
 */
import { closeSync, openSync } from 'node:fs';
import { Turnstile } from '../../base/turnstile.ts';
import { DunnageError, fromSystemError } from '../../errors/dunnage-error.ts';
import type { ErrorCode } from '../../errors/table.ts';
import type { NativeBinding } from '../../native/binding.ts';
import { systemCode } from '../../native/system-error.ts';
import {
  COMMANDS,
  type CommandName,
  decodeNames,
  decodeReply,
  decodeTargets,
  encodeRequest,
  FLAGS,
  type Reply,
  type Request,
  type Target,
} from './wire.ts';

export const CONTROL_DEVICE = '/dev/mapper/control';

export interface DeviceStatus {
  readonly major: number;
  readonly minor: number;
  /** Who has it open: users, mounts, other devices. */
  readonly openCount: number;
  /** It has a table that is in force. */
  readonly isLoaded: boolean;
  readonly isSuspended: boolean;
  /** It goes when its last user does. */
  readonly isRemovalDeferred: boolean;
}

const REPLY_BYTES = 16_384;
const REPLY_BYTES_MAX = 16_777_216;
/**
 * Suspending waits until writes that are under way are done, which may be for ever if the pool is full. The threads of libuv's pool are
 * few: the rest of the program, and the command that would end the waiting, need theirs.
 */
const SUSPENDING_MAX = 2;

const CODES: Readonly<Record<string, ErrorCode>> = {
  EEXIST: 'ALREADY_EXISTS',
  ENODATA: 'NOT_FOUND',
  ENXIO: 'NOT_FOUND',
  EOPNOTSUPP: 'READ_ONLY',
};

export class DeviceMapper {
  readonly #native: NativeBinding;
  readonly #control: number;
  readonly #suspending = new Turnstile(SUSPENDING_MAX);
  #isClosed = false;

  private constructor(native: NativeBinding, control: number) {
    this.#native = native;
    this.#control = control;
  }

  /** Throws MISSING_DEPENDENCY if this kernel has no device-mapper, PERMISSION_DENIED. */
  static open(native: NativeBinding): DeviceMapper {
    try {
      return new DeviceMapper(native, openSync(CONTROL_DEVICE, 'r+'));
    } catch (error) {
      if (!['ENOENT', 'ENODEV', 'ENXIO'].includes(systemCode(error) ?? ''))
        throw fromSystemError(error, 'cannot use the device-mapper');
      throw new DunnageError('MISSING_DEPENDENCY', `this kernel has no device-mapper: there is no ${CONTROL_DEVICE}`, {
        remedy: 'Load its module (modprobe dm-thin-pool), or use the driver reflink.',
        cause: error,
      });
    }
  }

  /** Calling it again is fine. Preconditions: no command is under way. */
  close(): void {
    if (!this.#isClosed) closeSync(this.#control);
    this.#isClosed = true;
  }

  /** A device without a table. BUSY if there is one of that name. */
  async create(name: string, uuid: string): Promise<void> {
    await this.#command('create', { name, uuid });
  }

  /** BUSY if somebody has it open; `deferred`: then it goes with its last user. NOT_FOUND. */
  async remove(name: string, deferred: boolean): Promise<void> {
    await this.#command('remove', { name, flags: deferred ? FLAGS.deferredRemove : 0 });
  }

  /** A table for `resume` to put in force. */
  async load(name: string, targets: readonly Target[]): Promise<void> {
    await this.#command('tableLoad', { name, targets });
  }

  /** Forgets a table that was loaded and is not in force. */
  async clear(name: string): Promise<void> {
    await this.#command('tableClear', { name });
  }

  /** Writes wait from now on. With `isForced` nothing is waited for: for tables that fail. */
  async suspend(name: string, isForced = false): Promise<void> {
    const flags = FLAGS.suspend | (isForced ? FLAGS.noFlush | FLAGS.skipLockfs : 0);
    await this.#suspending.run(() => this.#command('suspend', { name, flags }));
  }

  /** Puts a loaded table in force, and lets writes go on. */
  async resume(name: string): Promise<void> {
    await this.#command('suspend', { name });
  }

  /** Undefined if there is no device of that name. */
  async status(name: string): Promise<DeviceStatus | undefined> {
    try {
      const { flags, openCount, major, minor } = await this.#command('status', { name });
      return {
        major,
        minor,
        openCount,
        isLoaded: (flags & FLAGS.activePresent) !== 0,
        isSuspended: (flags & FLAGS.suspend) !== 0,
        isRemovalDeferred: (flags & FLAGS.deferredRemove) !== 0,
      };
    } catch (error) {
      if (error instanceof DunnageError && error.code === 'NOT_FOUND') return undefined;
      throw error;
    }
  }

  /** The table that is in force; none if there is none. NOT_FOUND. */
  async table(name: string): Promise<readonly Target[]> {
    return decodeTargets(await this.#asking('tableStatus', { name, flags: FLAGS.statusTable }));
  }

  /** What its targets say of themselves. NOT_FOUND. */
  async targetStatus(name: string): Promise<readonly Target[]> {
    return decodeTargets(await this.#asking('tableStatus', { name }));
  }

  /** READ_ONLY if the pool takes no changes any more. */
  async message(name: string, message: string): Promise<void> {
    await this.#command('targetMessage', { name, message });
  }

  async names(): Promise<readonly string[]> {
    return decodeNames(await this.#asking('listDevices', {}));
  }

  async #asking(command: CommandName, request: Request): Promise<Reply> {
    for (let replyBytes = REPLY_BYTES; ; replyBytes *= 4) {
      const reply = await this.#command(command, { ...request, replyBytes });
      if ((reply.flags & FLAGS.bufferFull) === 0) return reply;
      if (replyBytes >= REPLY_BYTES_MAX)
        throw new DunnageError('TOO_LARGE', `the device-mapper says too much of ${request.name ?? 'its devices'}`);
    }
  }

  async #command(command: CommandName, request: Request): Promise<Reply> {
    try {
      return decodeReply(
        await this.#native.deviceMapperCommand(this.#control, COMMANDS[command], encodeRequest(request)),
      );
    } catch (error) {
      const doing = `device-mapper: ${command}${request.message === undefined ? '' : ` "${request.message}"`} of ${request.name ?? 'all'}`;
      const code = CODES[systemCode(error) ?? ''];
      if (code === undefined) throw fromSystemError(error, doing);
      throw new DunnageError(code, `${doing}: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      });
    }
  }
}
