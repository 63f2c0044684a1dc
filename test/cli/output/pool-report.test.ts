import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatPoolReport } from '../../../src/cli/output/pool-report.ts';
import { examplePoolReport } from '../../server/fake-pools.ts';

const plain = { paint: (_: unknown, text: string) => text };

test('a clean pool: what was not looked at, and one line', () => {
  assert.equal(
    formatPoolReport(examplePoolReport('clean'), plain),
    'note: xfs_repair -n was left out: the pool is mounted\npool/fast (reflink): nothing is wrong.\n',
  );
});

test('findings, each with what a repair would do, or that it cannot', () => {
  assert.equal(
    formatPoolReport(examplePoolReport('found'), plain),
    `found: device web: is Faulty
  repair: settles it again
found: id 9: no record names it
  cannot be mended: see what it holds

pool/fast (reflink): 2 findings. dunnage pool repair fast mends what it can.
`,
  );
});

test('a repair tells what was mended and what is left to do', () => {
  assert.equal(
    formatPoolReport(examplePoolReport('repaired'), plain),
    'mended: device web: is Faulty\n  was settled\n\npool/fast (reflink): 1 finding, all mended.\n',
  );
  const partly = formatPoolReport(examplePoolReport('unrepaired'), plain);
  assert.match(partly, /\nfound: id 9: no record names it\n {2}to do: see what it holds\n\n.*1 mended, 1 not\.\n$/);
});

test('what a program said in several lines stays one, and drives no terminal', () => {
  const finding = { object: 'pool', what: 'mount says:\n  no \u001b[2J', repairable: false, action: 'see\ndmesg' };
  const text = formatPoolReport({ ...examplePoolReport('found'), remaining: [finding] }, plain);
  assert.match(text, /^found: pool: mount says: no \\x1b\[2J\n {2}cannot be mended: see dmesg\n\n.* 1 finding\.\n$/);
});
