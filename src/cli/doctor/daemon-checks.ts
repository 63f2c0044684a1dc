/** Checks of what runs: the daemon, its holder, and mounts that nobody serves. */

import { holderSocketPath } from '../../daemon/runtime-files.ts';
import type { MountRow } from '../../mounts/mount-table.ts';
import { type Check, type DaemonAnswer, fail, type Outcome, ok, type Places, type Probes, warn } from './check.ts';

const FILE_SYSTEM_TYPE = 'fuse.dunnage';

export const daemonChecks: readonly Check[] = [
  {
    name: 'daemon',
    run: async (probes, { socketPath }) => describeDaemon(await probes.daemon(socketPath), socketPath),
  },
  { name: 'holder', run: checkHolder },
  { name: 'leftover mounts', run: checkMounts },
];

function describeDaemon(answer: DaemonAnswer, socketPath: string): Outcome {
  switch (answer.kind) {
    case 'live': {
      const { pid, mountPoint, warnings } = answer.status;
      const unanswered = answer.status.connections.reduce((sum, connection) => sum + connection.unanswered, 0);
      const problems = [
        ...warnings,
        ...(unanswered === 0 ? [] : [`${unanswered} requests of the kernel were not answered`]),
      ];
      const found = `pid ${pid} serves ${mountPoint}`;
      return problems.length === 0 ? ok(found) : warn(`${found}, but: ${problems.join('; ')}`, 'see: dunnage status');
    }
    case 'none':
      return warn(`no daemon answers at ${socketPath}`, 'dunnage up --detach');
    case 'problem':
      return fail(answer.message, ...(answer.remedy === undefined ? [] : [answer.remedy]));
  }
}

async function checkHolder(probes: Probes, { runtimeDir, socketPath }: Places): Promise<Outcome> {
  const daemon = await probes.daemon(socketPath);
  const found = await probes.holder(holderSocketPath(runtimeDir));
  if (typeof found === 'object')
    return fail(`the holder cannot be reached: ${found.problem}`, 'run this as the user who runs the daemon');
  if (daemon.kind === 'live') {
    return found === 'there'
      ? ok('the tree outlives the daemon')
      : warn('the daemon runs without a holder: the tree ends with it', 'dunnage down && dunnage up --detach');
  }
  if (found === 'none') return ok('none, and no daemon that would need one');
  return warn(
    'a holder keeps the tree of a daemon that has ended: whoever reads what is not cached waits',
    'dunnage up --detach   takes the tree over',
    'dunnage down          unmounts it',
  );
}

async function checkMounts(probes: Probes, { runtimeDir, socketPath }: Places): Promise<Outcome> {
  const ours = (await probes.mounts()).filter(({ type }) => type === FILE_SYSTEM_TYPE);
  const daemon = await probes.daemon(socketPath);
  const held = (await probes.holder(holderSocketPath(runtimeDir))) === 'there';
  // A held tree is nobody's leftover, but nothing tells which one it is: the check of the holder says what to do.
  if (daemon.kind !== 'live' && held) return ok('the tree is kept by the holder');
  const leftovers =
    daemon.kind === 'live'
      ? notServed(
          ours,
          daemon.status.connections.map(({ mountPoint }) => mountPoint),
        )
      : ours;
  if (leftovers.length === 0) return ok('none');
  return warn(
    `not served by the daemon at ${socketPath}: ${leftovers.map(({ mountPoint }) => mountPoint).join(', ')}`,
    ...leftovers.toReversed().map(({ mountPoint }) => unmountCommand(probes.userId, mountPoint)),
    'but not if another dunnage serves them',
  );
}

/** Bind mounts of a served connection share its device, wherever they are. */
function notServed(rows: readonly MountRow[], servedAt: readonly string[]): readonly MountRow[] {
  const served = new Set(
    rows.filter(({ mountPoint }) => servedAt.includes(mountPoint)).map(({ deviceId }) => deviceId),
  );
  return rows.filter(({ deviceId }) => !served.has(deviceId));
}

function unmountCommand(userId: number, mountPoint: string): string {
  const quoted = `'${mountPoint.replaceAll("'", `'\\''`)}'`;
  return userId === 0 ? `umount -l ${quoted}` : `fusermount3 -uz ${quoted}`;
}
