/**
 * `spec.onSwap` of a Projection: what is done after each swap, in this order.
 *
 *   onSwap:
 *     - exec:
 *         command: [/usr/sbin/nginx, -s, reload]   # absolute path, no shell
 *         timeout: 30s                             # killed after that, with all it started; 30s if absent
 *         env: {LEVEL: info}                       # besides PATH and DUNNAGE_PROJECTION, _GENERATION, _PATH
 *     - signal: {pidFile: /run/nginx.pid, signal: SIGHUP}
 *     - signal: {cgroup: /sys/fs/cgroup/app.slice, signal: SIGHUP}   # every process in it and below it
 */
import { constants } from 'node:os';
import { normalize } from 'node:path/posix';
import { limits } from '../../base/limits.ts';
import { formatBytes, formatDuration, parseDurationMs } from '../../base/units.ts';
import { shown } from '../path-rules.ts';
import { CGROUP_ROOT, type ExecReaction, type Reaction } from '../reactions/reaction.ts';
import type { Field } from './fields.ts';

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;
const OWN_PREFIX = 'DUNNAGE_';

/** Throws INVALID_MANIFEST. No list, or an empty one, is no reactions. */
export function readOnSwap(list: Field): readonly Reaction[] {
  if (list.isAbsent) return [];
  const items = list.items();
  if (items.length > limits.reactionsMax) throw list.error(`has more than ${limits.reactionsMax} entries`);
  return items.map(readReaction);
}

function readReaction(entry: Field): Reaction {
  entry.only(['exec', 'signal']);
  const [exec, signal] = [entry.get('exec'), entry.get('signal')];
  if (exec.isAbsent === signal.isAbsent) throw entry.error('must have exactly one of exec and signal');
  return exec.isAbsent ? readSignal(signal) : readExec(exec);
}

function readExec(exec: Field): ExecReaction {
  exec.only(['command', 'timeout', 'env']);
  const list = exec.get('command');
  if (list.isAbsent) throw list.error('is missing', 'give a list: the absolute path of a program, then its arguments');
  const fields = list.items();
  const program = fields[0];
  if (program === undefined) throw list.error('must name a program');
  requireAbsolute(program);
  const command = fields.map((field) => withoutNul(field));
  const environment = readEnvironment(exec.get('env'));
  const sizeBytes = [...command, ...Object.entries(environment).flat()].reduce(
    (sum, text) => sum + Buffer.byteLength(text) + 1,
    0,
  );
  if (sizeBytes > limits.reactionCommandBytesMax) {
    throw list.error(`is longer than ${formatBytes(limits.reactionCommandBytesMax)} with its environment`);
  }
  return { kind: 'exec', command, timeoutMs: readTimeout(exec.get('timeout')), environment };
}

function readEnvironment(map: Field): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const [name, field] of map.entries()) {
    if (!VARIABLE.test(name)) throw field.error('is not a name of an environment variable');
    if (name.startsWith(OWN_PREFIX)) throw field.error(`is reserved: dunnage sets what begins with ${OWN_PREFIX}`);
    environment[name] = withoutNul(field);
  }
  return environment;
}

function readTimeout(field: Field): number {
  if (field.isAbsent) return limits.reactionTimeoutMs;
  const timeoutMs = parseDurationMs(field.string());
  if (timeoutMs === undefined || timeoutMs === 0 || timeoutMs > limits.reactionTimeoutMsMax) {
    throw field.error(
      `must be a duration up to ${formatDuration(limits.reactionTimeoutMsMax)}`,
      'write it as 30s or 5m',
    );
  }
  return timeoutMs;
}

function readSignal(entry: Field): Reaction {
  entry.only(['pidFile', 'cgroup', 'signal']);
  const [pidFile, cgroup] = [entry.get('pidFile'), entry.get('cgroup')];
  if (pidFile.isAbsent === cgroup.isAbsent) throw entry.error('must have exactly one of pidFile and cgroup');
  const signal = readSignalName(entry.get('signal'));
  if (!pidFile.isAbsent) return { kind: 'pidFile', pidFile: requireAbsolute(pidFile), signal };
  return { kind: 'cgroup', cgroup: readCgroup(cgroup), signal };
}

function readSignalName(field: Field): string {
  const name = field.string();
  if (Object.hasOwn(constants.signals, name)) return name;
  throw field.error(`"${shown(name)}" is not a signal`, 'write its whole name, e.g. SIGHUP');
}

function readCgroup(field: Field): string {
  const path = requireAbsolute(field).replace(/\/+$/, '');
  if (!path.startsWith(`${CGROUP_ROOT}/`)) throw field.error(`must be below ${CGROUP_ROOT}`);
  return path;
}

/** In its shortest spelling, so that nothing leads out of where it seems to be. */
function requireAbsolute(field: Field): string {
  const path = withoutNul(field);
  if (!path.startsWith('/')) throw field.error('must be an absolute path');
  if (normalize(path) !== path) throw field.error('must be written without "//", "." and ".."');
  if (Buffer.byteLength(path) >= limits.pathBytesMax) throw field.error('is too long for a path');
  return path;
}

function withoutNul(field: Field): string {
  const text = field.string();
  if (text.includes('\0')) throw field.error('must not hold a NUL character');
  return text;
}
