/**
 * fusermount3, for users who may not call mount(2): it opens /dev/fuse, mounts, and sends the descriptor through the
 * socket that _FUSE_COMMFD names.
 */
import { spawn } from 'node:child_process';
import { access, readFile } from 'node:fs/promises';
import { DunnageError } from '../errors/dunnage-error.ts';
import { loadNative } from '../native/load.ts';
import type { FuseMountOptions } from './fuse-mount-options.ts';

/** The helper is found by its name; the older name is what distributions with both packages have as a link. */
const HELPERS = ['fusermount3', 'fusermount'] as const;
/** Which number the socket has in the helper: the first behind stdin, stdout and stderr. */
const HELPER_SOCKET = 3;

interface HelperResult {
  readonly exitCode: number | null;
  readonly stderr: string;
}

/** Mounts and resolves to the /dev/fuse descriptor, set O_NONBLOCK. @throws DunnageError */
export async function mountWithHelper(options: FuseMountOptions): Promise<number> {
  await requireDevice();
  const text = await helperOptions(options);
  const [ours, theirs] = loadNative().socketPair('stream');
  try {
    const result = await runHelper(['-o', text, '--', options.target], theirs).finally(() => {
      loadNative().closeDescriptor(theirs);
    });
    if (result.exitCode !== 0) throw helperError(`cannot mount ${options.target}`, result);
    return receiveDevice(ours, options.target);
  } finally {
    loadNative().closeDescriptor(ours);
  }
}

/** The helper has ended, and nobody else has its end of the socket: its message is here or never comes. */
function receiveDevice(socket: number, target: string): number {
  const native = loadNative();
  const [device, ...surplus] = native.receiveMessage(socket, 64, 0).descriptors;
  for (const descriptor of surplus) native.closeDescriptor(descriptor);
  if (device === undefined) throw new DunnageError('IO', `fusermount3 mounted ${target} but sent no device`);
  native.setNonBlocking(device);
  return device;
}

/** @throws DunnageError BUSY if in use and not `detach`. */
export async function unmountWithHelper(target: string, detach: boolean): Promise<void> {
  const result = await runHelper(detach ? ['-u', '-z', '--', target] : ['-u', '--', target], undefined);
  if (result.exitCode !== 0) throw helperError(`cannot unmount ${target}`, result);
}

async function helperOptions(options: FuseMountOptions): Promise<string> {
  const parts = [`fsname=${options.source}`, `subtype=${options.subtype}`, 'default_permissions', 'nodev', 'nosuid'];
  if (options.allowOther && (await allowsOther())) parts.push('allow_other');
  if (options.extraOptions !== undefined && options.extraOptions !== '') parts.push(options.extraOptions);
  return parts.join(',');
}

/** fusermount3 refuses allow_other to users unless the host's administrator wrote `user_allow_other`. */
export async function allowsOther(): Promise<boolean> {
  if (process.geteuid?.() === 0) return true;
  const configuration = await readFile('/etc/fuse.conf', 'utf8').catch(() => '');
  return /^\s*user_allow_other\s*$/m.test(configuration);
}

/** @throws DunnageError MISSING_DEPENDENCY without /dev/fuse. */
export async function requireDevice(): Promise<void> {
  try {
    await access('/dev/fuse');
  } catch (cause) {
    throw new DunnageError('MISSING_DEPENDENCY', 'the kernel module fuse is not loaded: there is no /dev/fuse', {
      remedy: 'load it: modprobe fuse; in a container, start it with --device /dev/fuse',
      cause,
    });
  }
}

async function runHelper(parameters: readonly string[], socket: number | undefined): Promise<HelperResult> {
  for (const helper of HELPERS) {
    const result = await runProgram(helper, parameters, socket);
    if (result !== undefined) return result;
  }
  throw new DunnageError('MISSING_DEPENDENCY', 'fusermount3 is needed to mount without root and is not installed', {
    remedy: 'install it: apt-get install fuse3',
  });
}

/** Undefined if there is no such program. */
function runProgram(
  program: string,
  parameters: readonly string[],
  socket: number | undefined,
): Promise<HelperResult | undefined> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, parameters, {
      stdio: ['ignore', 'ignore', 'pipe', ...(socket === undefined ? [] : [socket])],
      env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', _FUSE_COMMFD: String(HELPER_SOCKET) },
    });
    let stderr = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-4096);
    });
    child.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') resolve(undefined);
      else reject(new DunnageError('IO', `cannot run ${program}: ${error.message}`, { cause: error }));
    });
    child.on('close', (exitCode) => resolve({ exitCode, stderr: stderr.trim() }));
  });
}

function helperError(doing: string, result: HelperResult): DunnageError {
  const reason = result.stderr === '' ? `fusermount3 ended with ${result.exitCode}` : result.stderr;
  if (/busy/i.test(reason)) {
    return new DunnageError('BUSY', `${doing}: ${reason}`, { remedy: 'end what uses it; `fuser -vm` lists that' });
  }
  if (/not permitted|permission denied|not allowed|no write access/i.test(reason)) {
    return new DunnageError('PERMISSION_DENIED', `${doing}: ${reason}`);
  }
  return new DunnageError('IO', `${doing}: ${reason}`);
}
