/** Carries a reaction out on this host. */
import { DunnageError } from '../../errors/dunnage-error.ts';
import type { ReactionOutcome } from './reaction.ts';
import { runCommand } from './run-command.ts';
import { signalCgroup } from './signal-cgroup.ts';
import { signalPidFile } from './signal-process.ts';
import type { PerformReaction } from './swap-reactions.ts';

/** Never rejects: what goes wrong is the outcome. */
export const performOnHost: PerformReaction = async (reaction, event, ending) => {
  try {
    switch (reaction.kind) {
      case 'exec':
        return await runCommand(reaction, event, ending);
      case 'pidFile':
        return await signalPidFile(reaction);
      case 'cgroup':
        return await signalCgroup(reaction);
    }
  } catch (error) {
    return failure(error);
  }
};

function failure(error: unknown): ReactionOutcome {
  const remedy = error instanceof DunnageError && error.remedy !== undefined ? ` (${error.remedy})` : '';
  return { succeeded: false, detail: `${error instanceof Error ? error.message : String(error)}${remedy}` };
}
