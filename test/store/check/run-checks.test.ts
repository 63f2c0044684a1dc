import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DunnageError } from '../../../src/errors/dunnage-error.ts';
import type { Check, Issue } from '../../../src/store/check/finding.ts';
import { runChecks } from '../../../src/store/check/run-checks.ts';

const store = { refresh: () => undefined, flush: () => Promise.resolve() };

function issue(code: string, more: Partial<Issue> = {}): Issue {
  return {
    code,
    object: 'x',
    what: 'wrong',
    action: 'mend it',
    repairable: true,
    online: true,
    repair: () => undefined,
    ...more,
  };
}

/** A check over a list of issues; mending one takes it off the list. */
function checkOf(name: string, issues: Set<Issue>): Check {
  return {
    name,
    *find() {
      for (const one of issues) {
        yield {
          ...one,
          repair:
            one.repair &&
            (async () => {
              await one.repair?.();
              issues.delete(one);
            }),
        };
      }
    },
  };
}

test('without repair nothing is called', async () => {
  const bad = issue('a', { repair: () => assert.fail('called') });
  const result = await runChecks({ store, checks: [checkOf('one', new Set([bad]))], repair: false, online: false });
  assert.deepEqual(
    result.remaining.map(({ code }) => code),
    ['a'],
  );
  assert.deepEqual(Object.keys(result.remaining[0] ?? {}).sort(), ['action', 'code', 'object', 'repairable', 'what']);
});

test('what a repair uncovers in an earlier check is found and mended too', async () => {
  const first = new Set<Issue>();
  const second = new Set([issue('b', { repair: () => void first.add(issue('consequence')) })]);
  const checks = [checkOf('first', first), checkOf('second', second)];
  const { repaired, remaining } = await runChecks({ store, checks, repair: true, online: false });
  assert.deepEqual([repaired.map(({ code }) => code), remaining], [['b', 'consequence'], []]);
});

test('a repair that fails is told with its reason, and the others go on', async () => {
  const issues = new Set([
    issue('a', {
      repair: () => {
        throw new Error('no luck');
      },
    }),
    issue('b'),
  ]);
  const { repaired, remaining } = await runChecks({
    store,
    checks: [checkOf('one', issues)],
    repair: true,
    online: false,
  });
  assert.deepEqual(
    repaired.map(({ code }) => code),
    ['b'],
  );
  assert.match(remaining[0]?.action ?? '', /no luck/);
  assert.equal(remaining[0]?.repairable, false);
});

test('a full disk ends the run', async () => {
  const full = issue('a', { repair: () => Promise.reject(new DunnageError('NO_SPACE', 'full')) });
  await assert.rejects(runChecks({ store, checks: [checkOf('one', new Set([full]))], repair: true, online: false }), {
    code: 'NO_SPACE',
  });
});

test('what a running daemon cannot bear is left, with what to do', async () => {
  const offline = issue('a', { online: false, repair: () => assert.fail('called') });
  const { remaining } = await runChecks({
    store,
    checks: [checkOf('one', new Set([offline]))],
    repair: true,
    online: true,
  });
  assert.match(remaining[0]?.action ?? '', /dunnage down.*dunnage fsck --repair/);
});

test('what comes back for ever ends the run, and is told', async () => {
  const checks: Check[] = [{ name: 'one', find: () => [issue('a')] }];
  const { remaining } = await runChecks({ store, checks, repair: true, online: false });
  assert.match(remaining[0]?.action ?? '', /comes back/);
});
