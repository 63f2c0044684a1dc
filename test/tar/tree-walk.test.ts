import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  mkdirSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { byteText } from '../../src/base/byte-text.ts';
import { OpenParents } from '../../src/tar/open-parents.ts';
import { TreeWalk } from '../../src/tar/tree-walk.ts';
import { native } from './helpers/archives.ts';

function folder(t: TestContext): { path: string; root: number } {
  const path = mkdtempSync('/var/tmp/dunnage-walk-');
  const root = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  t.after(() => {
    closeSync(root);
    execFileSync('rm', ['-rf', path]);
  });
  return { path, root };
}

const NAME = byteText('.');

test('names come in the order of their bytes, directories before what is in them', (t) => {
  const { path, root } = folder(t);
  mkdirSync(join(path, 'b'));
  for (const name of ['b/y', 'b/x', 'a', 'B', 'b.txt', 'é', 'z']) writeFileSync(join(path, name), name);
  const names = [...new TreeWalk(native).walk(root, NAME)].map(({ entry }) => entry.name);
  assert.deepEqual(names, ['.', './B', './a', './b', './b/x', './b/y', './b.txt', './z', byteText('./é')]);
});

test('trees deeper than descriptors reach are walked, and all of them are closed', (t) => {
  const { root, path } = folder(t);
  const deep = Array.from({ length: 1500 }, (_, index) => `d${index}`);
  const parents = new OpenParents(native, root);
  closeSync(native.openNode(parents.directory(deep, 0o755), 'end', constants.O_CREAT, 0o644, true));
  parents.close();
  for (let level = 0; level < 3; level += 1) writeFileSync(join(path, ...deep.slice(0, level), 'z-after'), '');
  const before = openDescriptors();
  let count = 0;
  for (const _node of new TreeWalk(native).walk(root, NAME)) count += 1;
  assert.equal(count, 1 + 1500 + 1 + 3);
  assert.equal(openDescriptors(), before);
});

test('what vanishes or changes its kind meanwhile is counted, and nothing outside is read', (t) => {
  const { path, root } = folder(t);
  const outside = mkdtempSync('/var/tmp/dunnage-outside-');
  t.after(() => rmSync(outside, { recursive: true }));
  writeFileSync(join(outside, 'secret'), 'OUTSIDE');
  mkdirSync(join(path, 'd'));
  for (const name of ['d/inner', 'file', 'gone', 'large']) writeFileSync(join(path, name), 'inside');
  const walk = new TreeWalk(native);
  const seen: string[] = [];
  for (const { entry, content } of walk.walk(root, NAME)) {
    seen.push(entry.name);
    if (content instanceof Uint8Array) assert.notEqual(Buffer.from(content).toString(), 'OUTSIDE');
    if (entry.name !== '.') continue;
    // The names are known now, and not looked at yet.
    renameSync(join(path, 'd'), join(path, 'moved'));
    symlinkSync(outside, join(path, 'd'));
    unlinkSync(join(path, 'file'));
    symlinkSync(join(outside, 'secret'), join(path, 'file'));
    unlinkSync(join(path, 'gone'));
    unlinkSync(join(path, 'large'));
    execFileSync('mkfifo', [join(path, 'large')]);
  }
  assert.deepEqual(seen, ['.']);
  assert.equal(walk.skipped.vanished, 4);
});

test('a file with several names is stored once, and others link to the name that is', (t) => {
  const { path, root } = folder(t);
  for (const name of ['a', 'b']) writeFileSync(join(path, name), 'x');
  execFileSync('ln', [join(path, 'a'), join(path, 'c')]);
  execFileSync('ln', [join(path, 'a'), join(path, 'd')]);
  const walk = new TreeWalk(native);
  const seen: string[] = [];
  for (const { entry } of walk.walk(root, NAME)) {
    seen.push(`${entry.name} ${entry.type} ${entry.linkName}`);
    // The first of the names is not in the archive then.
    if (entry.name === '.') unlinkSync(join(path, 'a'));
  }
  assert.deepEqual(seen, ['. directory ', './b file ', './c file ', './d hard-link ./c']);
});

test('a walk that is given up closes what it had open', (t) => {
  const { path, root } = folder(t);
  mkdirSync(join(path, 'a/b/c'), { recursive: true });
  writeFileSync(join(path, 'a/b/c/large'), Buffer.alloc(200_000));
  const before = openDescriptors();
  for (const { entry } of new TreeWalk(native).walk(root, NAME)) if (entry.type === 'file') break;
  assert.equal(openDescriptors(), before);
});

function openDescriptors(): number {
  const own = openSync('/proc/self/fd', 'r');
  const { names } = native.listNodes(own);
  closeSync(own);
  return names.length;
}
