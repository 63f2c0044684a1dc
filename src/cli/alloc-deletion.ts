/** Deleting an alloc, and waiting until nobody uses it any more. */
import { setTimeout as delay } from 'node:timers/promises';
import { DunnageError } from '../errors/dunnage-error.ts';
import type { AllocDeletion } from '../server/alloc-operations.ts';
import type { ControlClient } from '../server/control-client.ts';
import type { CommandContext } from './context.ts';
import { printable } from './output/table.ts';

/** From one question to the next; the daemon looks by itself. */
const ASK_MS = 250;

/** `wait`: returns when it is gone. Without it the rest goes on in the background, and is said. */
export async function deleteAlloc(context: CommandContext, id: string, wait = false): Promise<void> {
  const client = context.client();
  let deletion = await client.deleteAlloc(id);
  if (wait && !deletion.deleted) {
    context.terminal.say(formatAwaited(deletion));
    deletion = await waitUntilGone(client, deletion);
  }
  context.print(deletion, () => (deletion.deleted ? `alloc/${id} deleted\n` : `alloc/${id} is being deleted\n`));
  if (!deletion.deleted && !context.json) context.terminal.say(formatAwaited(deletion));
}

export function formatAwaited({ id, awaiting }: AllocDeletion): string {
  return awaiting.map((what) => `alloc/${id} waits: ${printable(what)}\n`).join('');
}

async function waitUntilGone(client: ControlClient, { id }: AllocDeletion): Promise<AllocDeletion> {
  for (;;) {
    try {
      await client.getAlloc(id);
    } catch (error) {
      if (error instanceof DunnageError && error.code === 'NOT_FOUND') return { id, deleted: true, awaiting: [] };
      throw error;
    }
    await delay(ASK_MS);
  }
}
