/** Starts the daemon as a process of its own that outlives the terminal, and waits until it is live. */
import { spawn } from 'node:child_process';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeDirectoriesSync } from '../base/make-directories.ts';
import { HEAP_OPTIONS } from '../daemon/heap-limits.ts';
import { fromSystemError } from '../errors/dunnage-error.ts';
import { toCommandLine, type UpSettings } from './config/up-settings.ts';
import { READY_CHANNEL_ENVIRONMENT, waitUntilLive } from './ready-channel.ts';

export interface Detached {
  readonly pid: number;
  readonly logFile: string;
}

/** @throws what the daemon failed with at its start. */
export async function startDetached(settings: UpSettings, debug: boolean): Promise<Detached> {
  const logFile = join(settings.runtimeDir, 'dunnage.log');
  const log = await openLog(settings.runtimeDir, logFile);
  try {
    const main = fileURLToPath(new URL('./main.js', import.meta.url));
    const words = [
      ...process.execArgv,
      ...HEAP_OPTIONS,
      main,
      'up',
      ...toCommandLine(settings),
      ...(debug ? ['--debug'] : []),
    ];
    const child = spawn(process.execPath, words, {
      // Of its own session, and nowhere that somebody may want to unmount.
      detached: true,
      cwd: '/',
      stdio: ['ignore', log.fd, log.fd, 'ipc'],
      env: { ...process.env, ...READY_CHANNEL_ENVIRONMENT },
    });
    // An interrupted start is undone, not left half-way: the child ends as `dunnage down` would end it.
    const passOn = (): void => void child.kill('SIGINT');
    process.on('SIGINT', passOn).on('SIGTERM', passOn);
    try {
      await waitUntilLive(child, logFile);
    } finally {
      process.off('SIGINT', passOn).off('SIGTERM', passOn);
    }
    child.unref();
    return { pid: child.pid ?? 0, logFile };
  } finally {
    await log.close();
  }
}

async function openLog(runtimeDir: string, logFile: string): ReturnType<typeof open> {
  try {
    makeDirectoriesSync(runtimeDir, 0o755);
    return await open(logFile, 'a', 0o600);
  } catch (error) {
    throw fromSystemError(error, `cannot open the log ${logFile}`);
  }
}
