/** Counts what node:test reports and remembers what was skipped, and why. */
import { relative } from 'node:path';

export interface TestOutcome {
  readonly name: string;
  readonly file?: string;
  readonly skip?: string | boolean;
  readonly todo?: string | boolean;
  readonly details: { readonly type?: string };
}

export interface SkippedTest {
  readonly file: string;
  readonly name: string;
  readonly reason: string;
}

/** One row of test/allowed-skips.json: a reason for which a test may be skipped even where everything should run. */
export interface AllowedSkip {
  /** Regular expression over the whole reason. */
  readonly reason: string;
  readonly why: string;
}

export class Tally {
  passed = 0;
  failed = 0;
  readonly skipped: SkippedTest[] = [];
  /** Problems that no test reported: they fail the run too. */
  readonly problems: string[] = [];
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  pass(outcome: TestOutcome): void {
    const file = outcome.file === undefined ? '' : relative(this.#root, outcome.file);
    if (outcome.skip !== undefined && outcome.skip !== false) {
      const reason = typeof outcome.skip === 'string' && outcome.skip !== '' ? outcome.skip : 'no reason given';
      this.skipped.push({ file, name: outcome.name, reason });
    } else if (outcome.name === outcome.file) {
      this.problems.push(`${file} ran no test`);
    } else if (outcome.details.type !== 'suite') {
      this.passed += 1;
    }
    if (outcome.todo !== undefined && outcome.todo !== false)
      this.problems.push(`${file}: "${outcome.name}" is marked todo`);
  }

  fail(outcome: TestOutcome): void {
    if (outcome.details.type !== 'suite') this.failed += 1;
  }

  /** Skipped tests whose reason is not allowed. */
  forbiddenSkips(allowed: readonly AllowedSkip[]): readonly SkippedTest[] {
    const patterns = allowed.map((row) => new RegExp(`^(?:${row.reason})$`, 'u'));
    return this.skipped.filter((test) => !patterns.some((pattern) => pattern.test(test.reason)));
  }

  /** The closing line, in the shape that test tools agree on. */
  summary(): string {
    return `${this.passed} passed, ${this.failed} failed, ${this.skipped.length} skipped`;
  }
}
