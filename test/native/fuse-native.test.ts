import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadFuseNative } from '../../src/native/fuse-native.ts';

const failing = (message: string) => (): never => {
  throw new Error(message);
};

test('without libfuse 2 the package to install is named, not a stack of the loader', () => {
  const said = 'libfuse.so.2: cannot open shared object file: No such file or directory\nRequire stack: ...';
  assert.throws(() => loadFuseNative(failing(said)), {
    code: 'MISSING_DEPENDENCY',
    message: 'the transport fuse-native needs the library libfuse.so.2',
    remedy: /^install it: apt-get install libfuse2 /,
  });
});

test('a package without a build for this machine is another matter', () => {
  assert.throws(() => loadFuseNative(failing('No native build was found for platform=linux\n  loaded from: x')), {
    code: 'MISSING_DEPENDENCY',
    message: 'the package fuse-native cannot be loaded: No native build was found for platform=linux',
    remedy: /npm rebuild fuse-native/,
  });
});
