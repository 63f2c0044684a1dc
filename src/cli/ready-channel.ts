/**
 * How a detached daemon tells the command that started it how the start went: one message over the inherited IPC
 * channel, then the channel is closed. The error travels as data, so that the command can fail as the daemon did.
 */
import type { ChildProcess } from 'node:child_process';
import { DunnageError } from '../errors/dunnage-error.ts';
import type { ErrorCode } from '../errors/table.ts';
import { asDunnageError } from './output/report-error.ts';

/** Set in the environment of the child, and taken out of it at once. */
const MARK = 'DUNNAGE_READY_CHANNEL';

export const READY_CHANNEL_ENVIRONMENT: Readonly<Record<string, string>> = { [MARK]: '1' };

type Message =
  | { readonly kind: 'live' }
  | {
      readonly kind: 'failed';
      readonly code: ErrorCode;
      readonly message: string;
      readonly remedy: string | undefined;
    };

export interface ReadyChannel {
  live(): Promise<void>;
  failed(error: unknown): Promise<void>;
}

/** In the child: undefined unless a waiting command started this process. */
export function openReadyChannel(): ReadyChannel | undefined {
  const marked = process.env[MARK] !== undefined;
  delete process.env[MARK];
  if (!marked || process.send === undefined) return undefined;
  let sent = false;
  const sendOnce = async (message: Message): Promise<void> => {
    if (sent) return;
    sent = true;
    await new Promise<void>((resolve) => {
      // The command may be gone (interrupted); the daemon goes on without it.
      if (process.connected) process.send?.(message, undefined, undefined, () => resolve());
      else resolve();
    });
    if (process.connected) process.disconnect();
  };
  return {
    live: () => sendOnce({ kind: 'live' }),
    failed(error) {
      const { code, message, remedy } = asDunnageError(error);
      return sendOnce({ kind: 'failed', code, message, remedy });
    },
  };
}

/** In the command: resolves when the child is live. @throws what the child failed with; INTERNAL if it died without a word. */
export function waitUntilLive(child: ChildProcess, logFile: string): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('message', (message: Message) => {
      if (message.kind === 'live') resolve();
      else
        reject(
          new DunnageError(
            message.code,
            message.message,
            message.remedy === undefined ? {} : { remedy: message.remedy },
          ),
        );
    });
    child.once('exit', (exitCode, signal) => {
      const how = signal === null ? `with exit code ${exitCode}` : `by ${signal}`;
      reject(
        new DunnageError('INTERNAL', `the daemon ended ${how} before the tree was live`, {
          remedy: `its log is ${logFile}`,
        }),
      );
    });
  });
}
