import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isAllocDocument, readAlloc, refuseRepeatedAllocs } from '../../../src/daemon/allocs/alloc-manifest.ts';
import { readYamlDocuments } from '../../../src/projection/manifests/yaml-documents.ts';

const read = (yaml: string) => readYamlDocuments(yaml).filter(isAllocDocument).map(readAlloc);
const alloc = (tasks: string, name = 'a1'): string =>
  `apiVersion: dunnage/v1\nkind: Alloc\nmetadata: {name: ${name}}\nspec:\n  tasks: ${tasks}\n`;

test('a task that says nothing gets the defaults, one that says everything gets that', () => {
  const [first] = read(alloc('[{name: web}]'));
  const plain = { isolation: 'none', secretsSizeBytes: 1_048_576, secretsOnDisk: false, chroot: {}, projections: [] };
  assert.deepEqual(first, { id: 'a1', tasks: [{ name: 'web', ...plain }], document: 1 });
  const [second] = read(`apiVersion: dunnage/v1
kind: Alloc
metadata: {name: 5f8c, labels: {x: y}}
spec:
  tasks:
    - name: web
      user: "1000:1000"
      isolation: chroot
      secretsSize: 2MiB
      secretsOnDisk: true
      chroot: {/etc/ssl: /etc/ssl, /bin/: bin}
      projections: [{name: secret.db, path: ./local/db}, {name: prod.configmap.web, path: conf}]
    - name: log
      user: www-data:adm
      secretsSize: 4096
`);
  assert.deepEqual(second?.tasks[0], {
    ...{ name: 'web', user: '1000:1000', isolation: 'chroot', secretsSizeBytes: 2_097_152, secretsOnDisk: true },
    chroot: { '/etc/ssl': 'etc/ssl', '/bin': 'bin' },
    projections: [
      { name: 'secret.db', path: 'local/db' },
      { name: 'prod.configmap.web', path: 'conf' },
    ],
  });
  assert.deepEqual([second?.tasks[1]?.user, second?.tasks[1]?.secretsSizeBytes], ['www-data:adm', 4096]);
});

test('only documents of this kind and version are taken', () => {
  assert.deepEqual(read('apiVersion: v1\nkind: Alloc\nmetadata: {name: x}\n---\n~\n---\n[1]\n'), []);
});

/** What is wrong, and what the complaint says of it. */
const WRONG: readonly (readonly [tasks: string, message: RegExp])[] = [
  ['[]', /spec\.tasks: must list 1 to 256 tasks/],
  ['{name: web}', /spec\.tasks: must be a list/],
  ['[{}]', /spec\.tasks\[0\]\.name: is missing/],
  ['[{name: ../x}]', /tasks\[0\]\.name: the task name "\.\.\/x" cannot be the name/],
  ['[{name: alloc}]', /name: a task cannot be called "alloc"/],
  ['[{name: "a\\nb"}]', /the task name "a\\nb" cannot/],
  ['[{name: a}, {name: a}]', /tasks\[1\]\.name: there are two tasks "a"/],
  ['[{name: a, colour: red}]', /colour: is not a known field/],
  ['[{name: a, user: 7}]', /user: must be a string/],
  ['[{name: a, user: "1:2:3"}]', /user: must be "uid", "uid:gid" or the name/],
  ['[{name: a, user: "4294967295"}]', /user: must be/],
  ['[{name: a, user: "$(id)"}]', /user: must be/],
  ['[{name: a, isolation: docker}]', /isolation: must be one of none, image, chroot, unveil/],
  ['[{name: a, secretsSize: 1KiB}]', /secretsSize: must be a size from 4KiB/],
  ['[{name: a, secretsSize: -1}]', /secretsSize: must be a size/],
  ['[{name: a, secretsSize: 1EiB}]', /secretsSize: must be a size/],
  ['[{name: a, secretsOnDisk: "yes"}]', /secretsOnDisk: must be true or false/],
  ['[{name: a, chroot: {/bin: /bin}}]', /chroot: is for tasks with isolation chroot only/],
  ['[{name: a, isolation: chroot, chroot: {bin: /bin}}]', /the host path "bin" is not an absolute path/],
  ['[{name: a, isolation: chroot, chroot: {/bin: ../../bin}}]', /has the component "\.\."/],
  ['[{name: a, isolation: chroot, chroot: {/bin: /}}]', /is the task directory itself/],
  ['[{name: a, isolation: chroot, chroot: {/bin: secrets/x}}]', /lies in secrets\//],
  ['[{name: a, isolation: chroot, chroot: {/bin: local/bin}}]', /line 5.*anything in local\/: that is the task's own/],
  ['[{name: a, isolation: chroot, chroot: {/etc: /etc, /etc/ssl: /etc/ssl}}]', /"etc" and "etc\/ssl" would hide/],
  ['[{name: a, projections: [{name: secret.db, path: ../x}]}]', /projections\[0\]\.path: the path "\.\.\/x" has/],
  ['[{name: a, projections: [{name: secret.db, path: local}]}]', /is a directory that every task has/],
  ['[{name: a, projections: [{name: ../etc, path: local/x}]}]', /"\.\.\/etc" is no directory under projections/],
  ['[{name: a, projections: [{name: a/b, path: local/x}]}]', /is no directory under projections/],
  ['[{name: a, projections: [{name: x, path: local/x}, {name: y, path: local/x}]}]', /would hide each other/],
  ['[{name: a, projections: [{name: x, path: local/x, mode: 7}]}]', /mode: is not a known field/],
];

for (const [tasks, message] of WRONG) {
  test(`[S165] refused with its place: tasks: ${tasks}`, () => {
    assert.throws(
      () => read(alloc(tasks)),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, 'INVALID_MANIFEST');
        assert.match(error.message, message);
        assert.match(error.message, /^document 1 \(Alloc "a1"\), line \d+: /);
        return true;
      },
    );
  });
}

test('alloc ids that are no harmless name of a directory are refused', () => {
  for (const name of ['..', 'a/b', '"a\\u0000b"', '.x', 'x'.repeat(200), '"a b"', '"\\u001b[2J"', '7']) {
    assert.throws(() => read(alloc('[{name: web}]', name)), { code: 'INVALID_MANIFEST' }, name);
  }
  assert.throws(() => read('apiVersion: dunnage/v1\nkind: Alloc\nspec: {}\n'), { message: /metadata: is missing/ });
  assert.throws(() => read('apiVersion: dunnage/v1\nkind: Alloc\nmetadata: {name: x, namespace: y}\nspec: {}\n'), {
    message: /namespace: is not a known field/,
  });
});

test('one alloc in two documents is refused', () => {
  const twice = read(`${alloc('[{name: a}]')}---\n${alloc('[{name: b}]')}`);
  assert.throws(() => refuseRepeatedAllocs(twice), { message: 'documents 1 and 2 are both Alloc "a1"' });
  refuseRepeatedAllocs(twice.slice(1));
});
