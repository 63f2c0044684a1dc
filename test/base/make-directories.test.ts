import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { makeDirectoriesSync } from '../../src/base/make-directories.ts';

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'dunnage-make-'));
});
after(() => rmSync(folder, { recursive: true }));

describe('makeDirectoriesSync', () => {
  it('makes all that is missing, with the mode, and leaves what is there', () => {
    const path = join(folder, 'a/b/c');
    makeDirectoriesSync(path, 0o700);
    makeDirectoriesSync(path, 0o755);
    assert.equal(statSync(path).mode & 0o777, 0o700);
  });

  it('takes a link to a directory for a directory', () => {
    symlinkSync(folder, join(folder, 'link'));
    makeDirectoriesSync(join(folder, 'link'), 0o700);
    makeDirectoriesSync(join(folder, 'link/below'), 0o700);
    assert.ok(statSync(join(folder, 'below')).isDirectory());
  });

  it('says what is in the way', () => {
    writeFileSync(join(folder, 'file'), '');
    assert.throws(() => makeDirectoriesSync(join(folder, 'file'), 0o700), { code: 'EEXIST' });
    assert.throws(() => makeDirectoriesSync(join(folder, 'file/below'), 0o700), { code: 'ENOTDIR' });
  });

  it('fails where nothing can be made, instead of trying for ever', () => {
    assert.throws(() => makeDirectoriesSync('/proc/dunnage-test/below', 0o700), { code: 'ENOENT' });
  });
});
