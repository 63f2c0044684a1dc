/**
 * Names of log files: `<task>.<stdout|stderr>.<n>` in alloc/logs, n growing with each rotation, the oldest removed. The same name
 * without n is the stable one: it means the newest of them.
 */
export type LogType = 'stdout' | 'stderr';

export const LOG_TYPES: readonly LogType[] = ['stdout', 'stderr'];
export const LOG_DIRECTORY = 'alloc/logs';

export interface LogStream {
  readonly task: string;
  readonly type: LogType;
}

export interface LogFile {
  readonly name: string;
  readonly index: number;
  readonly sizeBytes: number;
}

export interface LogPosition {
  readonly file: LogFile;
  /** Within the file, 0 to its size. */
  readonly offset: number;
}

/** The index of a log file of that stream; undefined for any other name. */
export function logIndex(name: string, { task, type }: LogStream): number | undefined {
  const prefix = `${task}.${type}.`;
  const digits = name.startsWith(prefix) ? name.slice(prefix.length) : '';
  return /^(?:0|[1-9][0-9]{0,14})$/.test(digits) ? Number(digits) : undefined;
}

/** `<task>.<type>.<n>` */
export function logFileName(stream: LogStream, index: number): string {
  return `${stableName(stream)}.${index}`;
}

/** `<task>.<type>` */
export function stableName({ task, type }: LogStream): string {
  return `${task}.${type}`;
}

/** What a log file of one of these tasks is called after; undefined for any other name. */
export function parseLogName(
  name: string,
  tasks: readonly string[],
): { readonly stream: LogStream; readonly index: number } | undefined {
  const match = /^(.+)\.(stdout|stderr)\.[0-9]+$/.exec(name);
  const task = match?.[1];
  if (task === undefined || !tasks.includes(task)) return undefined;
  const stream: LogStream = { task, type: match?.[2] === 'stderr' ? 'stderr' : 'stdout' };
  const index = logIndex(name, stream);
  return index === undefined ? undefined : { stream, index };
}

/** The stream whose stable name a path is; undefined for any other path. `names`: its components. */
export function stableLogStream(names: readonly string[], tasks: readonly string[]): LogStream | undefined {
  if (names.length !== 3 || names.slice(0, 2).join('/') !== LOG_DIRECTORY) return undefined;
  for (const type of LOG_TYPES) {
    const task = names[2]?.endsWith(`.${type}`) ? names[2].slice(0, -type.length - 1) : undefined;
    if (task !== undefined && tasks.includes(task)) return { task, type };
  }
  return undefined;
}

/**
 * Where to begin: the file whose index is the wanted one, or the closest to it, and then `offset` bytes onwards over the
 * files that follow; a negative offset counts from the end of that file backwards over those before it. Undefined if there is no file.
 */
export function findClosest(files: readonly LogFile[], wantedIndex: number, offset: number): LogPosition | undefined {
  const sorted = files.toSorted((one, other) => one.index - other.index);
  let at = 0;
  for (const [position, { index }] of sorted.entries()) {
    if (Math.abs(index - wantedIndex) <= Math.abs((sorted[at]?.index ?? 0) - wantedIndex)) at = position;
  }
  let rest = offset;
  for (let file = sorted[at]; file !== undefined; file = sorted[at]) {
    const isLast = rest < 0 ? at === 0 : at === sorted.length - 1;
    if (rest < 0 && rest + file.sizeBytes >= 0) return { file, offset: rest + file.sizeBytes };
    if (rest >= 0 && rest <= file.sizeBytes) return { file, offset: rest };
    if (isLast) return { file, offset: rest < 0 ? 0 : file.sizeBytes };
    rest += rest < 0 ? file.sizeBytes : -file.sizeBytes;
    at += offset < 0 ? -1 : 1;
  }
  return undefined;
}
