import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DunnageError } from '../../src/errors/dunnage-error.ts';
import { ERROR_TRAILER, requireWhole, toErrorTrailer } from '../../src/server/tar-stream.ts';

test('an error comes out of its trailer as it went in, and can stand in a header', () => {
  const error = new DunnageError('IO', 'line\nbreak "quoted" ü %', { remedy: 'mend it' });
  const text = toErrorTrailer(error);
  assert.match(text, /^[\x21-\x7e]+$/);
  assert.throws(() => requireWhole({ trailers: { [ERROR_TRAILER]: text } }), {
    code: 'IO',
    message: error.message,
    remedy: 'mend it',
  });
});

test('no error is an empty trailer, or none', () => {
  assert.equal(toErrorTrailer(undefined), '');
  requireWhole({ trailers: { [ERROR_TRAILER]: '' } });
  requireWhole({ trailers: {} });
});

test('what an error of another kind says stays in the daemon', () => {
  const text = decodeURIComponent(toErrorTrailer(new Error('secret')));
  assert.doesNotMatch(text, /secret/);
});
