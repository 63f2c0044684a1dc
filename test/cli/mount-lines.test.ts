import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'yaml';
import { type Mounting, mountLine, RUNTIMES } from '../../src/cli/mount-lines.ts';

const plain: Mounting = {
  source: '/run/dunnage/mnt/projections/secret.db',
  target: '/etc/db',
  label: 'secret.db',
  isDirectory: true,
};

test('each runtime gets its line, read-only and with propagation', () => {
  assert.equal(
    mountLine('docker', plain),
    `--mount type=bind,src=${plain.source},dst=/etc/db,readonly,bind-propagation=rslave`,
  );
  assert.equal(mountLine('podman', plain), `-v ${plain.source}:/etc/db:ro,rslave`);
  assert.equal(mountLine('systemd', plain), `BindReadOnlyPaths=${plain.source}:/etc/db`);
  assert.deepEqual(parse(mountLine('k8s', plain)), {
    volumes: [{ name: 'secret-db', hostPath: { path: plain.source, type: 'Directory' } }],
    volumeMounts: [{ name: 'secret-db', mountPath: '/etc/db', readOnly: true, mountPropagation: 'HostToContainer' }],
  });
});

test('unusual paths are quoted in the syntax of each runtime', () => {
  const odd: Mounting = { ...plain, source: '/a b/100%,"x"', target: "/it's" };
  assert.equal(
    mountLine('docker', odd),
    `--mount 'type=bind,"src=/a b/100%,""x""",dst=/it'\\''s,readonly,bind-propagation=rslave'`,
  );
  assert.equal(mountLine('podman', odd), `-v '/a b/100%,"x":/it'\\''s:ro,rslave'`);
  assert.equal(mountLine('systemd', odd), `BindReadOnlyPaths="/a b/100%%,\\"x\\"":"/it's"`);
  const pod = parse(mountLine('k8s', odd)) as {
    volumes: { hostPath: { path: string } }[];
    volumeMounts: { mountPath: string }[];
  };
  assert.equal(pod.volumes[0]?.hostPath.path, odd.source);
  assert.equal(pod.volumeMounts[0]?.mountPath, odd.target);
});

test('a colon is escaped where that is possible and refused where not', () => {
  const colon: Mounting = { ...plain, source: '/a:b' };
  assert.equal(mountLine('systemd', colon), 'BindReadOnlyPaths=/a\\:b:/etc/db');
  assert.throws(() => mountLine('podman', colon), { code: 'INVALID_ARGUMENT' });
});

test('the name of a volume is a DNS label, whatever the object is called', () => {
  for (const label of ['A.B_c', `${'x'.repeat(62)}.y`, '...', 'prod.configmap.web']) {
    const { volumes } = parse(mountLine('k8s', { ...plain, label })) as { volumes: { name: string }[] };
    assert.match(volumes[0]?.name ?? '', /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);
  }
});

test('a single file is said to be one', () => {
  assert.match(mountLine('k8s', { ...plain, isDirectory: false }), /type: File/);
  assert.equal(RUNTIMES.length, 4);
});
