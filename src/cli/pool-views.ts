/** Pools as `get` and `pool` show them. */
import { stringify } from 'yaml';
import { systemClock } from '../base/clock.ts';
import type { CommandContext } from './context.ts';
import { formatPool, formatPools } from './output/pool-tables.ts';

export async function listPools(context: CommandContext): Promise<void> {
  const pools = await context.client().pools.listPools();
  if (pools.length === 0 && !context.json) context.terminal.say('there are no pools\n');
  else context.print(pools, () => formatPools(pools, systemClock.nowMs(), context.terminal));
}

/** `asManifest`: what `apply` takes again. */
export async function showPool(context: CommandContext, name: string, asManifest: boolean): Promise<void> {
  const { pools } = context.client();
  if (asManifest) {
    const { manifest } = await pools.getPool(name);
    context.print(manifest, () => stringify(manifest));
    return;
  }
  const status = await pools.poolStatus(name);
  context.print(status, () => formatPool(status, context.terminal));
}

/** One after another; those that there are if no name is said. */
export async function showPools(context: CommandContext, name: string | undefined): Promise<void> {
  if (name !== undefined) return await showPool(context, name, false);
  const { pools } = context.client();
  const statuses = await Promise.all((await pools.listPools()).map((pool) => pools.poolStatus(pool.name)));
  if (statuses.length === 0 && !context.json) context.terminal.say('there are no pools\n');
  else context.print(statuses, () => statuses.map((status) => formatPool(status, context.terminal)).join('\n\n'));
}
