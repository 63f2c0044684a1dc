/** Checks of the host: what must be there before a daemon can start. */
import { type Check, fail, type Outcome, ok, type Probes, warn } from './check.ts';

const NODE_MIN = [20, 19] as const;
const KERNEL_MIN = [5, 10] as const;
const KERNEL_READ_ONLY = [5, 12] as const;

type MajorMinor = readonly [major: number, minor: number];

export const hostChecks: readonly Check[] = [
  { name: 'node', run: async ({ nodeVersion }) => checkNode(nodeVersion) },
  { name: 'kernel', run: async ({ kernelRelease }) => checkKernel(kernelRelease) },
  { name: 'fuse device', run: checkFuseDevice },
  { name: 'right to mount', run: checkMountRight },
  { name: 'other users', run: checkAllowOther },
  { name: 'native parts', run: checkNative },
  { name: 'state directory', run: (probes, { stateDir }) => checkWritable(probes, stateDir, '--state-dir') },
  { name: 'runtime directory', run: (probes, { runtimeDir }) => checkRuntimeDir(probes, runtimeDir) },
];

function checkNode(version: string): Outcome {
  if (isAtLeast(version, NODE_MIN)) return ok(`Node.js ${version}`);
  return fail(`Node.js ${version} is older than ${NODE_MIN.join('.')}`, 'install Node.js 20.19 or newer');
}

function checkKernel(release: string): Outcome {
  if (!isAtLeast(release, KERNEL_MIN))
    return fail(`Linux ${release} is older than ${KERNEL_MIN.join('.')}`, 'use a newer kernel');
  if (!isAtLeast(release, KERNEL_READ_ONLY)) {
    return warn(
      `Linux ${release}: the tree cannot be made read-only for others`,
      'bind the tree read-only into containers (dunnage path prints such lines); Linux 5.12 mends it',
    );
  }
  return ok(`Linux ${release}`);
}

async function checkFuseDevice(probes: Probes): Promise<Outcome> {
  const code = await probes.openDevice('/dev/fuse');
  if (code === undefined) return ok('/dev/fuse can be opened');
  if (code === 'ENOENT' || code === 'ENODEV' || code === 'ENXIO') {
    return fail(
      'the kernel module fuse is not loaded: there is no /dev/fuse',
      'modprobe fuse',
      'in a container: start it with --device /dev/fuse',
    );
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return fail(
      `no permission to open /dev/fuse (${code})`,
      'chmod 0666 /dev/fuse',
      'in a container: start it with --device /dev/fuse',
    );
  }
  return fail(`/dev/fuse cannot be opened (${code})`, 'see dmesg for the reason');
}

async function checkMountRight(probes: Probes): Promise<Outcome> {
  if (probes.userId === 0 && (await probes.hasSysAdmin())) return ok('root with CAP_SYS_ADMIN mounts by itself');
  const program = await probes.findProgram('fusermount3');
  const who = probes.userId === 0 ? 'root without CAP_SYS_ADMIN' : `user ${probes.userId}`;
  if (program !== undefined) return ok(`${who} mounts through ${program}`);
  return fail(
    `${who} needs fusermount3 to mount, and it is not installed`,
    'apt-get install fuse3',
    'or run dunnage as root',
  );
}

async function checkAllowOther(probes: Probes): Promise<Outcome> {
  if (probes.userId === 0) return ok('root may let other users look into the tree');
  const configuration = (await probes.readFile('/etc/fuse.conf')) ?? '';
  if (/^\s*user_allow_other\s*$/m.test(configuration)) return ok('/etc/fuse.conf has user_allow_other');
  return warn(
    'only this user will see into the tree: containers that run as somebody else will not',
    'as root: echo user_allow_other >> /etc/fuse.conf',
  );
}

async function checkNative(probes: Probes): Promise<Outcome> {
  const problem = await probes.loadNative();
  if (problem === undefined) return ok('the addon loads and the helper programs are there');
  const remedy = problem.remedy === undefined ? [] : [problem.remedy];
  const fallback = await probes.loadFuseNative();
  if (fallback !== undefined) {
    return fail(
      `${problem.message}; nor can fuse-native step in: ${fallback.message}`,
      ...remedy,
      fallback.remedy ?? 'npm install',
    );
  }
  return warn(`${problem.message}: only projections are served, through fuse-native`, ...remedy);
}

async function checkWritable(probes: Probes, path: string, option: string): Promise<Outcome> {
  const { existing, writable } = await probes.writability(path);
  if (writable) return ok(existing === path ? `${path} is writable` : `${path} can be made in ${existing}`);
  return fail(
    `${existing} is no directory that user ${probes.userId} may write to`,
    `run dunnage as its owner, or choose another directory with ${option}`,
  );
}

async function checkRuntimeDir(probes: Probes, path: string): Promise<Outcome> {
  const writable = await checkWritable(probes, path, '--runtime-dir');
  if (writable.verdict !== 'ok' || (await probes.isInMemory(path))) return writable;
  return warn(
    `${path} is not on a tmpfs: the key that secrets are encrypted with would be on disk`,
    'choose a directory on a tmpfs with --runtime-dir, e.g. below /run',
  );
}

/** Compares `v20.19.2`, `6.1.0-18-amd64` by their first two numbers. */
export function isAtLeast(version: string, [major, minor]: MajorMinor): boolean {
  const match = /^v?(\d+)\.(\d+)/.exec(version);
  if (match === null) return false;
  const [foundMajor, foundMinor] = [Number(match[1]), Number(match[2])];
  return foundMajor > major || (foundMajor === major && foundMinor >= minor);
}
