/**
 * Runs checks in their order, and mends what they find if that is asked for. What is mended can uncover something else
 * (a generation that goes leaves content to which nobody refers), so the checks run again until a round mends nothing.
 */
import { DunnageError } from '../../errors/dunnage-error.ts';
import type { Store } from '../store.ts';
import { type Check, type Finding, type Issue, toFinding } from './finding.ts';

export interface RunOptions {
  readonly store: Pick<Store, 'flush' | 'refresh'>;
  readonly checks: readonly Check[];
  readonly repair: boolean;
  /** A daemon serves the tree: what it could not bear is left for later. */
  readonly online: boolean;
}

export interface RunResult {
  readonly repaired: readonly Finding[];
  /** What is still wrong. */
  readonly remaining: readonly Finding[];
}

/** More rounds than any chain of consequences takes; what comes back for ever is reported as not mended. */
const ROUNDS_MAX = 6;

export async function runChecks(options: RunOptions): Promise<RunResult> {
  const repaired: Finding[] = [];
  for (let round = 1; ; round += 1) {
    const { mended, remaining } = await runRound(options);
    repaired.push(...mended);
    if (mended.length === 0) return { repaired, remaining };
    await options.store.flush();
    if (round === ROUNDS_MAX) return { repaired, remaining: [...remaining, ...mended.map(comesBack)] };
  }
}

async function runRound({ store, checks, repair, online }: RunOptions): Promise<{
  readonly mended: readonly Finding[];
  readonly remaining: readonly Finding[];
}> {
  const mended: Finding[] = [];
  const remaining: Finding[] = [];
  for (const check of checks) {
    store.refresh();
    const issues: Issue[] = [];
    for await (const issue of check.find()) issues.push(issue);
    for (const issue of issues) {
      const outcome = repair ? await attempt(issue, online) : toFinding(issue);
      if (outcome === undefined) mended.push(toFinding(issue));
      else remaining.push(outcome);
    }
  }
  return { mended, remaining };
}

/** Undefined if it was mended; otherwise the finding, with the reason why not. */
async function attempt(issue: Issue, online: boolean): Promise<Finding | undefined> {
  if (issue.repair === undefined) return toFinding(issue);
  if (online && !issue.online) {
    const action = `end the daemon with: dunnage down, then run: dunnage fsck --repair (${issue.action})`;
    return { ...toFinding(issue), action };
  }
  try {
    await issue.repair();
    return undefined;
  } catch (error) {
    // A full disk ends the whole run: nothing else would succeed either.
    if (error instanceof DunnageError && error.code === 'NO_SPACE') throw error;
    const reason = error instanceof Error ? error.message : String(error);
    return { ...toFinding(issue), repairable: false, action: `the repair failed: ${reason}` };
  }
}

function comesBack(finding: Finding): Finding {
  return { ...finding, repairable: false, action: `mended again and again, and it comes back (${finding.action})` };
}
