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
    `OBJECT       WHAT                 REPAIR
device web   is Faulty            settles it again
id 9         no record names it   cannot be mended: see what it holds

pool/fast (reflink): 2 findings. Mend them with: dunnage pool repair fast
`,
  );
});

test('a repair tells what was mended and what is left to do', () => {
  assert.match(
    formatPoolReport(examplePoolReport('repaired'), plain),
    /MENDED\n.*was settled\n\n.*1 finding, all mended/,
  );
  const partly = formatPoolReport(examplePoolReport('unrepaired'), plain);
  assert.match(partly, /TO DO\nid 9 +no record names it +see what it holds\n\n.*1 mended, 1 not\.\n$/);
});
