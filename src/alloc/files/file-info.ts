/** What is told of a file. */
import type { BigIntStats } from 'node:fs';
import { modeText } from './mode-text.ts';

export interface FileInfo {
  readonly name: string;
  readonly isDir: boolean;
  readonly sizeBytes: number;
  /** `-rw-r--r--`, `drwxrwxrwx`, `Lrwxrwxrwx`. */
  readonly fileMode: string;
  /** Nanoseconds since the epoch. */
  readonly modTimeNs: bigint;
  /** Of `stat` only. */
  readonly contentType?: string;
}

export function fileInfo(name: string, stats: BigIntStats): FileInfo {
  return {
    name,
    isDir: stats.isDirectory(),
    sizeBytes: Number(stats.size),
    fileMode: modeText(Number(stats.mode)),
    modTimeNs: stats.mtimeNs,
  };
}

/** `2026-11-21T03:00:00.5Z`: RFC 3339 with as many digits as are needed, as the reference writes it. */
export function timeText(timeNs: bigint): string {
  const [seconds, nanoseconds] = splitSeconds(timeNs);
  const whole = new Date(seconds * 1000).toISOString().slice(0, -'.000Z'.length);
  const fraction = String(nanoseconds).padStart(9, '0').replace(/0+$/, '');
  return fraction === '' ? `${whole}Z` : `${whole}.${fraction}Z`;
}

/** Rounds down: a time before 1970 has nanoseconds that count upwards, too. */
function splitSeconds(timeNs: bigint): readonly [seconds: number, nanoseconds: number] {
  const nanoseconds = ((timeNs % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  return [Number((timeNs - nanoseconds) / 1_000_000_000n), Number(nanoseconds)];
}
