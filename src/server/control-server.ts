/**
 * The control server: the control API on a unix socket that only its owner can use. Access is the file's mode (0600) and
 * nothing else: whoever may connect may do everything.
 */
import { limits } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import type { AllocFilesPort } from './alloc-files-port.ts';
import { buildControlApp } from './control-app.ts';
import type { ControlOperations } from './operations.ts';
import type { PoolOperations } from './pool-operations.ts';
import { publishSocket } from './socket-file.ts';

export interface ControlServerOptions {
  readonly socketPath: string;
  readonly operations: ControlOperations;
  /** Whose files the file API shows; without it there is no alloc. */
  readonly allocFiles?: AllocFilesPort;
  /** Undefined where the daemon has no thin pools. */
  readonly pools?: PoolOperations | undefined;
  readonly log: Log;
  /** A request must have arrived whole within this time (default: `limits.controlRequestMs`). */
  readonly requestTimeoutMs?: number;
}

export interface ControlServer {
  /**
   * Removes the socket, lets running requests finish (at most `limits.controlCloseGraceMs`), then cuts what is left. Idempotent.
   * An operation must not await it: it would wait for itself.
   */
  close(): Promise<void>;
}

/**
 * Starts to serve. A socket file that a dead daemon left is cleaned.
 *
 * @throws ALREADY_RUNNING if a daemon answers at the path; ALREADY_EXISTS, NAME_TOO_LONG, PERMISSION_DENIED if the socket cannot be made.
 */
export async function startControlServer(options: ControlServerOptions): Promise<ControlServer> {
  const { operations, allocFiles, pools, log, socketPath, requestTimeoutMs = limits.controlRequestMs } = options;
  const app = await buildControlApp({ operations, allocFiles, pools, log, requestTimeoutMs });
  let removeSocket: () => Promise<void>;
  try {
    removeSocket = await publishSocket(socketPath, (path) => app.listen({ path }));
  } catch (error) {
    await app.close();
    throw error;
  }
  let closing: Promise<void> | undefined;
  const closeOnce = async (): Promise<void> => {
    await removeSocket();
    const cut = setTimeout(() => app.server.closeAllConnections(), limits.controlCloseGraceMs);
    try {
      await app.close();
    } finally {
      clearTimeout(cut);
    }
  };
  return {
    close() {
      closing ??= closeOnce();
      return closing;
    },
  };
}
