/** Runs checks one after another and shows what they found. */
import { DunnageError } from '../../errors/dunnage-error.ts';
import { printable } from '../output/table.ts';
import type { Colour, Terminal } from '../output/terminal.ts';
import { type Check, fail, type Outcome, type Places, type Probes, type Verdict } from './check.ts';
import { daemonChecks } from './daemon-checks.ts';
import { hostChecks } from './host-checks.ts';
import { poolChecks } from './pool-checks.ts';

export const CHECKS: readonly Check[] = [...hostChecks, ...poolChecks, ...daemonChecks];

export interface Finding extends Outcome {
  readonly name: string;
}

/** A check that breaks is a failed check, and the others still run. */
export async function runChecks(checks: readonly Check[], probes: Probes, places: Places): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const { name, run } of checks) {
    const outcome = await run(probes, places).catch((error: unknown) => {
      const remedy = error instanceof DunnageError && error.remedy !== undefined ? [error.remedy] : [];
      return fail(`this could not be checked: ${error instanceof Error ? error.message : String(error)}`, ...remedy);
    });
    findings.push({ name, ...outcome });
  }
  return findings;
}

const COLOURS: Readonly<Record<Verdict, Colour>> = { ok: 'green', warn: 'yellow', fail: 'red' };

export function formatFindings(findings: readonly Finding[], terminal: Pick<Terminal, 'paint'>): string {
  const width = Math.max(...findings.map(({ name }) => name.length));
  const indent = ' '.repeat(4 + 2 + width + 2);
  return findings
    .map(({ name, verdict, detail, remedy }) => {
      const head = `${terminal.paint(COLOURS[verdict], verdict.padEnd(4))}  ${name.padEnd(width)}  ${printable(detail)}`;
      return [head, ...(remedy ?? []).map((line) => `${indent}-> ${printable(line)}`)].join('\n').concat('\n');
    })
    .join('');
}
