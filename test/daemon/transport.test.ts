import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseTransport } from '../../src/daemon/transport.ts';
import { DunnageError } from '../../src/errors/dunnage-error.ts';

const complete = (): undefined => undefined;
const missing = (): DunnageError =>
  new DunnageError('MISSING_DEPENDENCY', 'the native part dunnage.node is not built', {
    remedy: 'build it: npm run build',
  });

test('the kernel transport is taken where it can run', () => {
  assert.deepEqual(chooseTransport('auto', complete), { transport: 'kernel', warnings: [] });
  assert.deepEqual(chooseTransport('kernel', complete), { transport: 'kernel', warnings: [] });
});

test('the kernel transport that was asked for and cannot run fails with the reason', () => {
  assert.throws(() => chooseTransport('kernel', missing), {
    code: 'MISSING_DEPENDENCY',
    message: 'the kernel transport cannot run here: the native part dunnage.node is not built',
    remedy: /npm run build \(needs g\+\+, make and python3\); or use --transport fuse-native$/,
  });
});

test('fuse-native steps in where the native parts are missing, and says so first', () => {
  const { transport, warnings } = chooseTransport('auto', missing);
  assert.equal(transport, 'fuse-native');
  assert.match(
    warnings[0] ?? '',
    /^the kernel transport cannot run here: .*dunnage\.node is not built; build it: npm run build/,
  );
  assert.ok(warnings.some((warning) => warning.includes('ends with the daemon')));
  assert.ok(warnings.some((warning) => warning.startsWith('without the addon')));
});

test('fuse-native that was asked for says what it lacks, and nothing of native parts that are there', () => {
  const { transport, warnings } = chooseTransport('fuse-native', complete);
  assert.equal(transport, 'fuse-native');
  assert.ok(warnings.length > 0 && warnings.every((warning) => warning.startsWith('transport fuse-native: ')));
});
