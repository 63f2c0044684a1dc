import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fail, ok, warn } from '../../../src/cli/doctor/check.ts';
import { CHECKS, formatFindings, runChecks } from '../../../src/cli/doctor/run-checks.ts';
import { DunnageError } from '../../../src/errors/dunnage-error.ts';
import { goodHost, PLACES } from './good-host.ts';

test('all checks run on a good host and all are content', async () => {
  const findings = await runChecks(CHECKS, goodHost(), PLACES);
  assert.equal(findings.length, CHECKS.length);
  assert.equal(new Set(findings.map(({ name }) => name)).size, CHECKS.length);
  assert.deepEqual(
    findings.filter(({ verdict }) => verdict !== 'ok'),
    [],
  );
});

test('a check that breaks fails, keeps its remedy, and the next still runs', async () => {
  const findings = await runChecks(
    [
      { name: 'a', run: async () => Promise.reject(new DunnageError('IO', 'broken', { remedy: 'mend' })) },
      { name: 'b', run: async () => ok('fine') },
    ],
    goodHost(),
    PLACES,
  );
  assert.deepEqual(findings, [
    { name: 'a', verdict: 'fail', detail: 'this could not be checked: broken', remedy: ['mend'] },
    { name: 'b', verdict: 'ok', detail: 'fine' },
  ]);
});

test('findings are aligned, with remedies below', () => {
  const findings = [
    { name: 'a', ...ok('fine') },
    { name: 'longer', ...warn('hm', 'do this', 'or that') },
    { name: 'b', ...fail('bad\u001b') },
  ];
  const text = formatFindings(findings, { paint: (_colour, painted) => painted });
  assert.equal(
    text,
    [
      'ok    a       fine',
      'warn  longer  hm',
      '              -> do this',
      '              -> or that',
      'fail  b       bad\\x1b',
      '',
    ].join('\n'),
  );
});
