/** Deleting a pool. */
import type { CommandContext } from './context.ts';
import { printable } from './output/table.ts';
import { whileWaiting } from './output/waiting.ts';

/** `force`: its devices go with it. What stays is said. */
export async function deletePool(context: CommandContext, name: string, force = false): Promise<void> {
  const { pools } = context.client();
  const waiting = `pool/${name}: being deleted`;
  const deletion = await whileWaiting(waiting, process.stderr, () => pools.deletePool(name, force));
  const { devices, left } = deletion;
  const count = devices.length === 1 ? '1 device' : `${devices.length} devices`;
  const removed = devices.length === 0 ? '' : ` with ${count}: ${devices.join(', ')}`;
  context.print(deletion, () => `pool/${name} deleted${printable(removed)}\n`);
  if (left !== '' && !context.json) context.terminal.say(`note: ${printable(left)}\n`);
}
