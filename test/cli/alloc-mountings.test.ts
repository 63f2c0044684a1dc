import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allocMountings } from '../../src/cli/alloc-mountings.ts';
import { mountLines } from '../../src/cli/mount-lines.ts';
import { exampleAlloc } from '../server/fake-operations.ts';

const ROOT = '/run/dunnage/mnt/allocs/5f8c';

test('a task gets its directories where programs look for them, writable, and follows later mounts', () => {
  const { path, directories } = allocMountings(exampleAlloc(), 'web', undefined);
  assert.equal(path, `${ROOT}/web`);
  assert.equal(
    mountLines('docker', directories),
    [
      `--mount type=bind,src=${ROOT}/alloc,dst=/alloc,bind-propagation=rslave`,
      `--mount type=bind,src=${ROOT}/web/local,dst=/local,bind-propagation=rslave`,
      `--mount type=bind,src=${ROOT}/web/secrets,dst=/secrets,bind-propagation=rslave`,
    ].join('\n'),
  );
  assert.match(mountLines('podman', directories), /^-v \S+\/alloc:\/alloc:rw,rslave$/m);
  assert.match(mountLines('systemd', directories), /^BindPaths=\S+\/local:\/local$/m);
});

test('for Kubernetes it is one list of volumes and one of mounts', () => {
  const text = mountLines('k8s', allocMountings(exampleAlloc(), 'web', undefined).directories);
  assert.equal(text.match(/^volumes:$/gm)?.length, 1);
  assert.equal(text.match(/^volumeMounts:$/gm)?.length, 1);
  assert.equal(text.match(/mountPropagation: HostToContainer/g)?.length, 3);
  assert.doesNotMatch(text, /readOnly/);
});

test('with a target it is the whole directory of the task, or of the alloc', () => {
  const [task] = allocMountings(exampleAlloc(), 'shipper', '/task').directories;
  assert.deepEqual([task?.source, task?.target], [`${ROOT}/shipper`, '/task']);
  const [whole] = allocMountings(exampleAlloc(), undefined, '/all').directories;
  assert.deepEqual([whole?.source, whole?.target], [ROOT, '/all']);
});

test('a task that is not there is said with the ones that are', () => {
  assert.throws(() => allocMountings(exampleAlloc(), 'weg', undefined), {
    code: 'NOT_FOUND',
    remedy: 'did you mean web?',
  });
  assert.throws(() => allocMountings(exampleAlloc(), 'qqqqqqqq', undefined), { remedy: 'its tasks: web, shipper' });
});
