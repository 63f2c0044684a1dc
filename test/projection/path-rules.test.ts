import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { limits } from '../../src/base/limits.ts';
import { DunnageError } from '../../src/errors/dunnage-error.ts';
import {
  cleanPath,
  parentDirectories,
  pathsToRemove,
  shown,
  topLevelNames,
  validatePath,
  validatePayload,
} from '../../src/projection/path-rules.ts';
import { file } from '../conformance/atomic-writer-subject.ts';

describe('validatePath', () => {
  const good = [
    'i/am/well/behaved.txt',
    'keepyourheaddownandfollowtherules.txt',
    'foo/..bar',
    '.foo',
    './foo',
    'foo//bar',
    'foo/',
    'a'.repeat(255),
    `${'a/'.repeat(2047)}aa`,
    'back\\slash',
    'new\nline',
  ];
  for (const path of good) it(`accepts ${JSON.stringify(path).slice(0, 50)}`, () => validatePath(path));

  const bad: readonly [string, string, string][] = [
    ['', 'INVALID_PATH', 'invalid path: must not be empty: ""'],
    ['/dev/null', 'INVALID_PATH', 'invalid path: must be relative path: /dev/null'],
    ['a'.repeat(4097), 'NAME_TOO_LONG', 'must be less than or equal to 4096 characters'],
    ['a'.repeat(256), 'NAME_TOO_LONG', 'filenames must be less than or equal to 255 characters'],
    ['é'.repeat(128), 'NAME_TOO_LONG', 'filenames must be less than or equal to 255 characters'],
    ['..sneaky.txt', 'INVALID_PATH', "invalid path: must not start with '..': ..sneaky.txt"],
    ['..data', 'INVALID_PATH', "must not start with '..'"],
    ['...', 'INVALID_PATH', "must not start with '..'"],
    ['..', 'INVALID_PATH', "must not contain '..': .."],
    ['hello/there/../../../../../../etc/passwd', 'INVALID_PATH', "must not contain '..'"],
    ['hello/../etc/somethingbad', 'INVALID_PATH', "must not contain '..'"],
    ['a\0b', 'INVALID_PATH', 'must not contain NUL'],
    ['a\ud800b', 'INVALID_PATH', 'lone surrogate'],
  ];
  for (const [path, code, message] of bad) {
    it(`refuses ${JSON.stringify(path).slice(0, 50)}`, () => {
      assert.throws(
        () => validatePath(path),
        (error) => error instanceof DunnageError && error.code === code && error.message.includes(message),
      );
    });
  }

  it('complains in the order of the reference', () => {
    const message = (path: string): string => {
      try {
        validatePath(path);
      } catch (error) {
        return (error as Error).message;
      }
      return 'accepted';
    };
    assert.match(message(`/${'a'.repeat(5000)}/..`), /relative/);
    assert.match(message(`..${'a'.repeat(5000)}`), /4096/);
    assert.match(message(`../${'a'.repeat(256)}`), /must not contain/);
    assert.match(message(`..${'a'.repeat(256)}`), /255/);
  });
});

describe('cleanPath', () => {
  it('removes empty and . components', () => {
    assert.equal(cleanPath('foo////bar'), 'foo/bar');
    assert.equal(cleanPath('./foo/./bar/'), 'foo/bar');
    assert.equal(cleanPath('foo'), 'foo');
    assert.equal(cleanPath('./'), '');
  });
});

describe('validatePayload', () => {
  it('returns clean keys in order', () => {
    const payload = validatePayload({ 'foo////bar': file('x'), foo2: file('y') });
    assert.deepEqual([...payload.keys()], ['foo/bar', 'foo2']);
  });

  for (const key of ['./..data', './/..foo', './..']) {
    it(`refuses ${key}, which cleans to a reserved name`, () => {
      assert.throws(() => validatePayload({ [key]: file('x') }), { code: 'INVALID_PATH' });
    });
  }
  for (const key of ['.', './', './/.']) {
    it(`refuses ${key}, which is the directory itself`, () => {
      assert.throws(() => validatePayload({ [key]: file('x') }), { code: 'INVALID_PATH', message: /must name a file/ });
    });
  }

  it('names both keys of a collision, also if others sort between them', () => {
    assert.throws(() => validatePayload({ 'foo/bar': file('x'), './foo//bar': file('y') }), {
      message: /"foo\/bar" and ".\/foo\/\/bar" are the same file "foo\/bar"/,
    });
    const files = { foo: file('x'), 'foo-bar': file('x'), 'foo.bar': file('x'), './foo//z/bar': file('x') };
    assert.throws(() => validatePayload(files), { message: /"foo" is a file and ".\/foo\/\/z\/bar" needs it/ });
  });

  it('finds a file among the parents of another wherever it is (against the plain definition)', () => {
    const path = fc.array(fc.constantFrom('a', 'b', 'a-', 'a!', 'é'), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(
        fc.uniqueArray(
          path.map((parts) => parts.join('/')),
          { maxLength: 6 },
        ),
        (paths) => {
          const nested = paths.some((one) => paths.some((other) => other.startsWith(`${one}/`)));
          const check = (): unknown => validatePayload(Object.fromEntries(paths.map((key) => [key, file('')])));
          if (nested) assert.throws(check, { code: 'INVALID_PATH' });
          else check();
        },
      ),
    );
  });

  for (const mode of [-1, 0o1000, 0o4755, 1.5, Number.NaN]) {
    it(`refuses the mode ${mode}`, () => {
      assert.throws(() => validatePayload({ foo: { data: Buffer.alloc(0), mode } }), {
        code: 'INVALID_ARGUMENT',
        message: /file "foo": mode/,
      });
    });
  }

  it('refuses owners chown(2) does not know, and content that is no bytes', () => {
    for (const uid of [-1, 2 ** 32 - 1, 0.5]) {
      assert.throws(() => validatePayload({ foo: { ...file('x'), uid } }), { message: /"foo": uid/ });
      assert.throws(() => validatePayload({ foo: { ...file('x'), gid: uid } }), { message: /"foo": gid/ });
    }
    const text = { foo: { data: 'hunter2', mode: 0o644 } } as never;
    assert.throws(
      () => validatePayload(text),
      (error: Error) => {
        assert.match(error.message, /must be a Uint8Array/);
        assert.doesNotMatch(error.message, /hunter2/);
        return true;
      },
    );
  });

  it('has a limit on the number of files', () => {
    const files = new Map(Array.from({ length: limits.payloadFilesMax + 1 }, (_, index) => [`f${index}`, file('')]));
    assert.throws(() => validatePayload(files), { code: 'TOO_LARGE' });
    files.delete('f0');
    assert.equal(validatePayload(files).size, limits.payloadFilesMax);
  });
});

describe('pathsToRemove', () => {
  const cases: readonly [string, string[], string[], string[]][] = [
    ['one file', ['foo.txt', 'bar.txt'], ['foo.txt'], ['bar.txt']],
    ['a directory', ['foo.txt', 'zip/bar.txt'], ['foo.txt'], ['zip/bar.txt', 'zip']],
    ['a deep one', ['foo.txt', 'zip/zap/bar.txt'], ['foo.txt'], ['zip', 'zip/zap', 'zip/zap/bar.txt']],
    [
      'two files of one tree',
      ['foo.txt', 'zip/zap/bar.txt', 'zip/zap/baz.txt'],
      ['foo.txt'],
      ['zip', 'zip/zap', 'zip/zap/bar.txt', 'zip/zap/baz.txt'],
    ],
    [
      'every level',
      ['foo', 'zip/1/2/3/4/bar.txt'],
      ['foo'],
      ['zip', 'zip/1', 'zip/1/2', 'zip/1/2/3', 'zip/1/2/3/4', 'zip/1/2/3/4/bar.txt'],
    ],
    ['one of two trees', ['a/1/x', 'b/1/y'], ['a/1/x'], ['b', 'b/1', 'b/1/y']],
    [
      'shared parents stay',
      ['zap/1/2/3/4/bar.txt', 'zap/1/2/c/bar.txt', 'zap/1/2/magic.txt'],
      ['zap/1/2/magic.txt'],
      ['zap/1/2/3', 'zap/1/2/3/4', 'zap/1/2/3/4/bar.txt', 'zap/1/2/c', 'zap/1/2/c/bar.txt'],
    ],
    [
      'parents shared with a new file only',
      ['zap/1/2/3/4/bar.txt', 'zap/1/2/c/bar.txt'],
      ['zap/1/2/magic.txt'],
      ['zap/1/2/3', 'zap/1/2/3/4', 'zap/1/2/3/4/bar.txt', 'zap/1/2/c', 'zap/1/2/c/bar.txt'],
    ],
  ];
  for (const [name, before, after, removed] of cases) {
    it(name, () => assert.deepEqual(pathsToRemove(before, after), new Set(removed)));
  }
});

it('topLevelNames and parentDirectories split paths', () => {
  assert.deepEqual(topLevelNames(['foo', 'a/b/c', 'a/d']), new Set(['foo', 'a']));
  assert.deepEqual(parentDirectories(['foo', 'a/b/c', 'a/d']), new Set(['a/b', 'a']));
});

it('shown makes a path safe for a message', () => {
  assert.equal(shown('a\nb\u001b[31m\ud800'), 'a\\u000ab\\u001b[31m\\ud800');
  assert.ok(shown('a'.repeat(10_000)).length < 300);
});
