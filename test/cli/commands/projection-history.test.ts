import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import {
  formatHistory,
  formatPurge,
  formatRollback,
  parseObject,
} from '../../../src/cli/commands/projection-history.ts';
import { exampleDiff, exampleHistory } from '../../server/fake-operations.ts';
import { serveFake } from '../../server/serve-fake.ts';
import { dunnage } from '../run-dunnage.ts';

test('a name alone is a Projection; others say their kind', () => {
  assert.deepEqual(parseObject('web'), { kind: 'Projection', name: 'web' });
  assert.deepEqual(parseObject('cm/web'), { kind: 'ConfigMap', name: 'web' });
  assert.deepEqual(parseObject('secret/db'), { kind: 'Secret', name: 'db' });
  assert.throws(() => parseObject('pod/x'), { code: 'INVALID_ARGUMENT' });
});

describe('projection history', () => {
  it('is a table, newest first', () => {
    assert.equal(
      formatHistory(exampleHistory(), 1_700_000_180_000),
      [
        'GENERATION   AGE   FILES      SIZE   CHANGES    NOTE',
        '         3    1m       2   1.5 KiB   ~1         live, rollback to 1',
        '         2    2m       2   1.5 KiB   +1 -2 ~3',
        '         1    3m       2   1.5 KiB   -',
        '',
        '3 of at most 10 kept',
        '',
      ].join('\n'),
    );
  });

  it('asks for the object that is named', async (context) => {
    const { socketPath, operations } = await serveFake(context);
    const ran = await dunnage(['projection', 'history', 'cm/web', '-n', 'prod', '--json', '--socket', socketPath]);
    assert.deepEqual([ran.exitCode, ran.stderr], [0, '']);
    assert.deepEqual(JSON.parse(ran.stdout), JSON.parse(JSON.stringify(exampleHistory())));
    assert.deepEqual(operations.calls[0]?.arguments, ['ConfigMap', 'prod', 'web']);
  });

  it('--purge drops what is old', async (context) => {
    const { socketPath, operations } = await serveFake(context);
    const ran = await dunnage(['projection', 'history', 'web', '--purge', '--socket', socketPath]);
    assert.deepEqual(ran, { exitCode: 0, stdout: 'projection/web: 2 dropped, 1 kept\n', stderr: '' });
    await dunnage(['projection', 'history', 'web', '--purge', '--keep', '4', '--socket', socketPath]);
    assert.deepEqual(
      operations.calls.map(({ arguments: given }) => given),
      [
        ['Projection', 'default', 'web', 1],
        ['Projection', 'default', 'web', 4],
      ],
    );
  });

  it('--keep alone is refused, and so is what is no number', async () => {
    const alone = await dunnage(['projection', 'history', 'web', '--keep', '3']);
    assert.deepEqual([alone.exitCode, /add --purge/.test(alone.stderr)], [2, true]);
    const word = await dunnage(['projection', 'history', 'web', '--purge', '--keep', 'all']);
    assert.equal(word.exitCode, 2);
    assert.match(word.stderr, /--keep <count>.*whole number from 1/);
  });
});

describe('projection diff', () => {
  it('prints a patch, and beside it what is compared', async (context) => {
    const { socketPath, operations } = await serveFake(context);
    const ran = await dunnage(['projection', 'diff', 'web', '--from', '2', '--to', '3', '--socket', socketPath]);
    assert.equal(ran.exitCode, 0);
    assert.equal(ran.stderr, 'projection/web: generation 2 against 3\n');
    assert.equal(
      ran.stdout,
      'diff --git a/app.ini b/app.ini\nold mode 100644\nnew mode 100600\nold owner 0:0\nnew owner 7:0\n' +
        '--- a/app.ini\n+++ b/app.ini\n@@ -1 +1 @@\n-1\n+2\n',
    );
    assert.deepEqual(operations.calls[0]?.arguments, ['Projection', 'default', 'web', { from: 2, to: 3 }]);
  });

  it('prints nothing if there is no difference', async (context) => {
    const { socketPath, operations } = await serveFake(context);
    operations.diff = { ...exampleDiff(), files: [] };
    const ran = await dunnage(['projection', 'diff', 'web', '--socket', socketPath]);
    assert.deepEqual(ran, { exitCode: 0, stdout: '', stderr: 'projection/web: generation 2 against 3 (equal)\n' });
  });

  it('--json says it all', async (context) => {
    const { socketPath } = await serveFake(context);
    const ran = await dunnage(['projection', 'diff', 'web', '--json', '--socket', socketPath]);
    assert.deepEqual([ran.stderr, JSON.parse(ran.stdout)], ['', JSON.parse(JSON.stringify(exampleDiff()))]);
  });
});

describe('projection rollback', () => {
  it('says what is live now, and warns of what will undo it', async (context) => {
    const { socketPath, operations } = await serveFake(context);
    operations.rolledBack = { ...operations.rolledBack, warnings: ['it has sources'] };
    const ran = await dunnage(['projection', 'rollback', 'secret/db', '--to', '2', '--socket', socketPath]);
    assert.equal(ran.exitCode, 0);
    assert.equal(ran.stdout, 'projection/web rolled back to generation 2, which is now generation 4\n');
    assert.equal(ran.stderr, 'warning: it has sources\n');
    assert.deepEqual(operations.calls[0]?.arguments, ['Secret', 'default', 'db', 2]);
  });

  it('says so if nothing had to be done', async (context) => {
    const { operations } = await serveFake(context);
    assert.equal(
      formatRollback({ ...operations.rolledBack, action: 'unchanged', namespace: 'prod', generation: 2 }),
      'projection/web (namespace prod) unchanged: generation 2 has that content\n',
    );
    assert.equal(formatPurge(operations.purged), 'projection/web: 2 dropped, 1 kept\n');
  });
});
