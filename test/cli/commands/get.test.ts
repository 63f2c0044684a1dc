import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatDetail, formatList } from '../../../src/cli/commands/get.ts';
import { exampleConfigMap, exampleSecret } from '../../server/fake-operations.ts';
import { serveFake } from '../../server/serve-fake.ts';
import { dunnage } from '../run-dunnage.ts';

const HOUR_LATER = exampleSecret().createdAtMs + 3_600_000;

test('a list is a table with aligned columns', () => {
  assert.equal(
    formatList(
      [exampleSecret(), { ...exampleSecret(), name: 'a-longer-name', generation: 12, sizeBytes: 9 }],
      HOUR_LATER,
      false,
    ),
    [
      'NAME            KIND     GENERATION   FILES      SIZE   AGE',
      'db              Secret            3       2   1.5 KiB    1h',
      'a-longer-name   Secret           12       2       9 B    1h',
      '',
    ].join('\n'),
  );
});

test('namespaces appear as soon as one is not the default, states as soon as one is not ready', () => {
  const table = formatList([{ ...exampleSecret(), awaitingSource: true }, exampleConfigMap()], HOUR_LATER, false);
  assert.match(
    table,
    /^NAMESPACE +NAME .* STATE\ndefault +db .* awaiting source: apply it again\nprod +web .* ready\n$/,
  );
});

test('the wide list has the directory and the last update', () => {
  assert.match(formatList([exampleSecret()], HOUR_LATER, true), /UPDATED +DIRECTORY .*\n.* 59m ago +secret\.db/);
});

test('details have every file with its mode in octal, and no digest of secret content', () => {
  const text = formatDetail(exampleSecret(), HOUR_LATER);
  assert.match(text, /^Name: +db\nKind: +Secret\nNamespace: +default\nDirectory: +projections\/secret\.db\n/);
  assert.match(text, /\n0400 +0:0 +512 B +\(secret\) +password\n0644 +0:0 +1 KiB +\(secret\) +tls\/tls\.crt\n$/);
  assert.match(formatDetail(exampleConfigMap(), HOUR_LATER), /\n0644 +1000:1000 +7 B +abababababab +nginx\.conf\n$/);
});

test('details tell of each reaction how its last run went', () => {
  const outcomes = [{ reaction: 'exec /bin/a', succeeded: false, detail: 'exit code 1, 0 bytes of output' }];
  const last = { generation: 3, startedAtMs: exampleSecret().createdAtMs, durationMs: 5, outcomes };
  const reactions = { reactions: ['exec /bin/a', 'SIGHUP to /run/a.pid'], pending: true, runs: 2, failures: 1, last };
  const text = formatDetail({ ...exampleSecret(), reactions }, HOUR_LATER);
  assert.match(text, /\nReactions: +2 runs, 1 failed\nLast run: +1h ago for generation 3; one is under way\n/);
  assert.match(text, /\nexec \/bin\/a +FAILED +exit code 1, 0 bytes of output\nSIGHUP to \/run\/a\.pid +-\n/);
  const none = formatDetail({ ...exampleSecret(), reactions: { ...reactions, last: undefined } }, HOUR_LATER);
  assert.match(none, /\nLast run: +none yet; one is under way\n/);
});

test('names of files cannot drive the terminal', () => {
  const detail = exampleSecret();
  const [file] = detail.paths;
  assert.ok(file);
  const text = formatDetail({ ...detail, paths: [{ ...file, path: 'a\u001b[2Jb' }] }, HOUR_LATER);
  assert.ok(!text.includes('\u001b'));
  assert.match(text, /a\\x1b\[2Jb/);
});

test('get lists everything, one kind, or one namespace, sorted', async (context) => {
  const { socketPath, operations } = await serveFake(context);
  operations.objects.push(exampleConfigMap(), exampleSecret());
  const names = async (...words: string[]): Promise<string[]> => {
    const ran = await dunnage(['get', ...words, '--socket', socketPath, '--json']);
    assert.equal(ran.exitCode, 0, ran.stderr);
    return (JSON.parse(ran.stdout) as { name: string }[]).map(({ name }) => name);
  };
  assert.deepEqual(await names('projections'), ['db', 'web']);
  assert.deepEqual(await names('cm'), ['web']);
  assert.deepEqual(await names('Secrets'), ['db']);
  assert.deepEqual(await names('projections', '-n', 'prod'), ['web']);
  assert.deepEqual(await names('projections', '-n', 'none'), []);
});

test('get shows one object, as KIND NAME and as KIND/NAME', async (context) => {
  const { socketPath, operations } = await serveFake(context);
  operations.objects.push(exampleConfigMap(), exampleSecret());
  const asTwo = await dunnage(['--socket', socketPath, 'get', 'secret', 'db', '--json']);
  const asOne = await dunnage(['get', 'secret/db', '--json'], { environment: { DUNNAGE_SOCKET: socketPath } });
  assert.deepEqual(JSON.parse(asTwo.stdout), JSON.parse(JSON.stringify(exampleSecret())));
  assert.equal(asOne.stdout, asTwo.stdout);
  const inProd = await dunnage(['get', 'configmap', 'web', '-n', 'prod', '--socket', socketPath]);
  assert.match(inProd.stdout, /^Name: +web\n/);
});

test('an empty list says so to the person and nothing to the pipe', async (context) => {
  const { socketPath } = await serveFake(context);
  assert.deepEqual(await dunnage(['get', 'secrets', '--socket', socketPath]), {
    exitCode: 0,
    stdout: '',
    stderr: 'nothing found\n',
  });
});

test('what does not exist is exit code 4, what cannot be meant is 2', async (context) => {
  const { socketPath } = await serveFake(context);
  const missing = await dunnage(['get', 'secret', 'nope', '--socket', socketPath]);
  assert.deepEqual(
    [missing.exitCode, missing.stdout, missing.stderr],
    [4, '', 'dunnage: there is no Secret default/nope\n'],
  );
  const unknown = await dunnage(['get', 'secert', '--socket', socketPath]);
  assert.equal(unknown.exitCode, 2);
  assert.match(unknown.stderr, /^dunnage: there is no kind "secert"\n {2}did you mean secret\? /);
  assert.equal((await dunnage(['get', 'secret/', '--socket', socketPath])).exitCode, 2);
  assert.equal((await dunnage(['get', 'secret/a', 'b', '--socket', socketPath])).exitCode, 2);
  assert.equal((await dunnage(['get', 'secret/a', '-o', 'wide', '--socket', socketPath])).exitCode, 2);
});

test('formatDetail shows each source with when it was seen, and what is wrong', () => {
  const { updatedAtMs } = exampleConfigMap();
  const text = formatDetail(
    {
      ...exampleConfigMap(),
      sources: [
        { source: 'configMap web', seenAtMs: updatedAtMs },
        { source: 'file /etc/a', error: '/etc/a does not exist' },
      ],
      refreshError: 'sources[1] (file /etc/a): /etc/a does not exist',
      warnings: ['one\u001b[2J and two both give "a"; two wins'],
    },
    HOUR_LATER,
  );
  assert.match(text, /\nSOURCE +SEEN +STATE\nconfigMap web +\S+ ago +ready\nfile \/etc\/a +never +failing\n/);
  assert.match(text, /\nerror: sources\[1\] \(file \/etc\/a\): .* \(the content stays as it is\)\n/);
  assert.match(text, /\nwarning: one\\x1b\[2J and two both give "a"; two wins\n\nMODE/);
});
