/** Checks of what thin pools need. Nothing else needs it, so what is missing is a warning. */
import { type Check, type Outcome, ok, type Probes, warn } from './check.ts';

export const poolChecks: readonly Check[] = [
  { name: 'loop devices', run: forRoot(checkLoops) },
  { name: 'pool file systems', run: forRoot(checkFileSystems) },
  { name: 'device-mapper', run: forRoot(checkMapper) },
  { name: 'thin-provisioning-tools', run: forRoot(checkTools) },
  { name: 'write guard', run: forRoot(checkGuard) },
];

const MAPPER_CONTROL = '/dev/mapper/control';
const THIN_TOOLS = ['thin_check', 'thin_repair', 'thin_ls', 'thin_delta'];
const ABSENT = ['ENOENT', 'ENODEV', 'ENXIO'];

function forRoot(check: (probes: Probes) => Promise<Outcome>): Check['run'] {
  return async (probes) => (probes.userId === 0 ? await check(probes) : ok('for thin pools, which only root can have'));
}

async function checkLoops(probes: Probes): Promise<Outcome> {
  const code = await probes.openDevice('/dev/loop-control');
  if (code === undefined) return ok('thin devices of the driver reflink can be attached');
  const inContainer = 'in a container: start it with --privileged, or --device /dev/loop-control';
  if (ABSENT.includes(code)) {
    const load = (await hasModule(probes, 'loop')) ? 'modprobe loop' : 'use a kernel with loop devices';
    return warn('there is no /dev/loop-control: no thin pools of the driver reflink', load, inContainer);
  }
  return warn(`/dev/loop-control cannot be opened (${code}): no thin pools of the driver reflink`, inContainer);
}

async function checkFileSystems(probes: Probes): Promise<Outcome> {
  const known = ((await probes.readFile('/proc/filesystems')) ?? '').split('\n').map((line) => line.trim());
  const usable: string[] = [];
  for (const type of ['xfs', 'btrfs']) {
    if (known.includes(type) || (await hasModule(probes, type))) usable.push(type);
  }
  if (usable.length === 0) {
    return warn(
      'this kernel has neither XFS nor btrfs: no thin pools of the driver reflink',
      'use a kernel with XFS, or the driver devicemapper',
    );
  }
  const found = `files share blocks on ${usable.join(' and ')}`;
  const missing = await missingPrograms(probes, ['mkfs.xfs', 'xfs_repair']);
  if (missing.length === 0) return ok(`${found}; pools can be formatted, grown and checked`);
  const lacking = missing.includes('mkfs.xfs')
    ? 'pools can neither be formatted nor checked'
    : 'pools cannot be checked';
  return warn(`${found}, but ${lacking}: ${missing.join(', ')} missing`, 'apt-get install xfsprogs');
}

async function checkMapper(probes: Probes): Promise<Outcome> {
  const code = await probes.openDevice(MAPPER_CONTROL);
  const isLoadable = await hasModule(probes, 'dm-thin-pool');
  if (code === undefined) {
    if (isLoadable) return ok('pools of the driver devicemapper can be made');
    return warn(
      'the target thin-pool of the device-mapper was not found: pools of the driver devicemapper may not work',
      'modprobe dm-thin-pool',
    );
  }
  if (!ABSENT.includes(code)) {
    return warn(
      `${MAPPER_CONTROL} cannot be opened (${code}): no pools of the driver devicemapper`,
      'in a container: start it with --privileged',
    );
  }
  // Nothing to be mended, and the other driver does the same.
  if (!isLoadable) return ok('not in this kernel: thin pools use the driver reflink');
  return warn('not loaded: thin pools can only use the driver reflink', 'modprobe dm-thin-pool');
}

async function checkTools(probes: Probes): Promise<Outcome> {
  const missing = await missingPrograms(probes, THIN_TOOLS);
  if (missing.length === 0) return ok('pools of the driver devicemapper can be checked and repaired');
  const hasMapper =
    (await probes.openDevice(MAPPER_CONTROL)) === undefined || (await hasModule(probes, 'dm-thin-pool'));
  if (!hasMapper) return ok('not installed, and not needed without device-mapper');
  return warn(
    `pools of the driver devicemapper need them: ${missing.join(', ')} missing`,
    'apt-get install --no-install-recommends thin-provisioning-tools',
  );
}

/** systemd ends all processes of a service with it, unless they are moved out of it. */
async function checkGuard(probes: Probes): Promise<Outcome> {
  const rest = 'what stops the writers of an overcommitted pool outlives the daemon';
  if ((await probes.readFile('/proc/1/comm'))?.trim() !== 'systemd') return ok(rest);
  const program = await probes.findProgram('systemd-run');
  if (program !== undefined) return ok(`${rest}, also when that is a service: ${program}`);
  return warn(
    'what stops the writers of an overcommitted pool ends with the daemon if that is a service',
    'install systemd-run (package systemd)',
  );
}

async function missingPrograms(probes: Probes, names: readonly string[]): Promise<readonly string[]> {
  const missing: string[] = [];
  for (const name of names) if ((await probes.findProgram(name)) === undefined) missing.push(name);
  return missing;
}

/** The kernel has it, or loads it when it is needed. */
async function hasModule(probes: Probes, name: string): Promise<boolean> {
  const folder = `/lib/modules/${probes.kernelRelease}`;
  for (const list of ['modules.builtin', 'modules.dep']) {
    const text = await probes.readFile(`${folder}/${list}`);
    if (text?.includes(`/${name}.ko`) === true) return true;
  }
  return await isLoaded(probes, name.replaceAll('-', '_'));
}

async function isLoaded(probes: Probes, name: string): Promise<boolean> {
  const text = await probes.readFile('/proc/modules');
  return text?.split('\n').some((line) => line.startsWith(`${name} `)) === true;
}
