/** How `up` decides: command line, then config file, then default. Everything comes out absolute. */
import { join, resolve } from 'node:path';
import { limits } from '../../base/limits.ts';
import { parseBytes, parseDurationMs } from '../../base/units.ts';
import type { DaemonOptions } from '../../daemon/daemon-options.ts';
import { DunnageError } from '../../errors/dunnage-error.ts';
import { defaultRuntimeDir, defaultStateDir, type Surroundings } from '../locations.ts';
import type { UpConfig } from './up-config.ts';

/** The options of `up` as commander hands them over. */
export interface UpOptions {
  readonly stateDir?: string;
  readonly runtimeDir?: string;
  readonly mount?: string;
  readonly allocDir?: string;
  readonly socket?: string;
  readonly transport?: NonNullable<UpConfig['transport']>;
  readonly takeoverTimeout?: string;
  readonly keyFile?: string;
  readonly scrubRate?: string;
  readonly scrubInterval?: string;
  readonly logLevel?: string;
  readonly logFormat?: NonNullable<UpConfig['log_format']>;
}

export type UpSettings = Omit<DaemonOptions, 'onLive'>;

const TAKEOVER_SECONDS_MAX = 30 * 24 * 3600;

/** @throws INVALID_ARGUMENT */
export function resolveUpSettings(options: UpOptions, config: UpConfig, surroundings: Surroundings): UpSettings {
  const runtimeDir = resolve(options.runtimeDir ?? config.runtime_dir ?? defaultRuntimeDir(surroundings));
  const keyFile = options.keyFile ?? config.key_file;
  const allocDir = options.allocDir ?? config.alloc_dir;
  return {
    stateDir: resolve(options.stateDir ?? config.state_dir ?? defaultStateDir(surroundings)),
    runtimeDir,
    mountPoint: resolve(options.mount ?? config.mount ?? join(runtimeDir, 'mnt')),
    controlSocket: chooseSocket(options, config, runtimeDir, surroundings),
    ...(allocDir === undefined ? {} : { allocDir: resolve(allocDir) }),
    transport: options.transport ?? config.transport ?? 'auto',
    takeoverTimeoutSeconds: readTakeoverTimeout(options.takeoverTimeout ?? config.takeover_timeout),
    ...(keyFile === undefined ? {} : { keyFile: resolve(keyFile) }),
    scrubBytesPerSecond: readScrubRate(options.scrubRate ?? config.scrub_rate),
    scrubIntervalSeconds: readScrubInterval(options.scrubInterval ?? config.scrub_interval),
    logLevel: options.logLevel ?? config.log_level ?? 'info',
    logFormat: options.logFormat ?? config.log_format ?? 'json',
  };
}

/** The command line that gives the same settings again, whatever the working directory, config file and environment. */
export function toCommandLine(settings: UpSettings): readonly string[] {
  return [
    ['--state-dir', settings.stateDir],
    ['--runtime-dir', settings.runtimeDir],
    ['--mount', settings.mountPoint],
    ['--socket', settings.controlSocket],
    ...(settings.allocDir === undefined ? [] : [['--alloc-dir', settings.allocDir]]),
    ['--transport', settings.transport],
    ['--takeover-timeout', `${settings.takeoverTimeoutSeconds}s`],
    ...(settings.keyFile === undefined ? [] : [['--key-file', settings.keyFile]]),
    ['--scrub-rate', String(settings.scrubBytesPerSecond ?? limits.scrubBytesPerSecond)],
    ['--scrub-interval', `${settings.scrubIntervalSeconds ?? limits.scrubIntervalSeconds}s`],
    ['--log-level', settings.logLevel],
    ['--log-format', settings.logFormat],
  ].map(([option, value]) => `${option}=${value}`);
}

/** As clients look for it (locations.ts), with the config file behind the environment. */
function chooseSocket(options: UpOptions, config: UpConfig, runtimeDir: string, { environment }: Surroundings): string {
  if (options.socket !== undefined) return resolve(options.socket);
  const beside = join(runtimeDir, 'dunnage.sock');
  if (options.runtimeDir !== undefined) return beside;
  const fromEnvironment = environment['DUNNAGE_SOCKET'];
  if (fromEnvironment !== undefined && fromEnvironment !== '') return resolve(fromEnvironment);
  return config.socket === undefined ? beside : resolve(config.socket);
}

function readTakeoverTimeout(text: string | undefined): number {
  if (text === undefined) return limits.takeoverTimeoutSeconds;
  const seconds = (parseDurationMs(text) ?? 0) / 1000;
  if (seconds >= 1 && seconds <= TAKEOVER_SECONDS_MAX) return seconds;
  throw new DunnageError(
    'INVALID_ARGUMENT',
    `the takeover timeout ${JSON.stringify(text)} is not a duration from 1s to 30d`,
    {
      remedy: 'write it as 90s, 5m or 1h30m',
    },
  );
}

const SCRUB_SECONDS_MAX = 366 * 24 * 3600;

function readScrubInterval(text: string | undefined): number {
  if (text === undefined) return limits.scrubIntervalSeconds;
  const seconds = (parseDurationMs(text) ?? 0) / 1000;
  if (seconds >= 1 && seconds <= SCRUB_SECONDS_MAX) return seconds;
  const message = `the scrub interval ${JSON.stringify(text)} is not a duration from 1s to 366d`;
  throw new DunnageError('INVALID_ARGUMENT', message, { remedy: 'write it as 7d or 12h; --scrub-rate 0 turns it off' });
}

function readScrubRate(text: string | undefined): number {
  if (text === undefined) return limits.scrubBytesPerSecond;
  const bytes = parseBytes(text);
  if (bytes !== undefined && (bytes === 0 || bytes >= SCRUB_BYTES_MIN)) return bytes;
  const message = `the scrub rate ${JSON.stringify(text)} is neither 0 nor at least 64KiB`;
  throw new DunnageError('INVALID_ARGUMENT', message, { remedy: 'write it as 8MiB (per second); 0 turns it off' });
}

const SCRUB_BYTES_MIN = 65_536;
