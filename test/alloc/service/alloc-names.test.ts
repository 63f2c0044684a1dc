import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  cleanHostPath,
  cleanTaskPath,
  overlapping,
  quoted,
  validateAllocId,
  validateTaskName,
} from '../../../src/alloc/service/alloc-names.ts';

const HOSTILE = [
  '',
  '.',
  '..',
  '../x',
  'a/b',
  '/',
  'a\0b',
  'a\nb',
  '\u001b[31m',
  '-rf',
  '.hidden',
  'ü',
  'a b',
  'x'.repeat(129),
];

test('alloc ids and task names are one harmless component of a path', () => {
  for (const good of ['5f8c9a6e-1b2c-4d3e-8f90-a1b2c3d4e5f6', 'a', 'Web_1.x', 'x'.repeat(128)]) {
    validateAllocId(good);
    validateTaskName(good);
  }
  for (const bad of HOSTILE) {
    assert.throws(() => validateAllocId(bad), { code: 'INVALID_ARGUMENT' }, bad);
    assert.throws(() => validateTaskName(bad), { code: 'INVALID_ARGUMENT' }, bad);
  }
});

test('no task is called like the directory that all share, in any case', () => {
  for (const name of ['alloc', 'ALLOC']) assert.throws(() => validateTaskName(name), { code: 'INVALID_ARGUMENT' });
  validateAllocId('alloc');
});

test('a path in a task is brought to its shortest form, and the task directory is its root', () => {
  assert.equal(cleanTaskPath('/etc/ssl'), 'etc/ssl');
  assert.equal(cleanTaskPath('local//db/./x/'), 'local/db/x');
  assert.equal(cleanTaskPath('..data'), '..data');
});

test('a path that leaves the task, is one of its own directories or lies in a mount is refused', () => {
  for (const bad of [
    '',
    '/',
    '.',
    '..',
    'local/../../x',
    '/..',
    'local',
    'tmp',
    'secrets',
    'secrets/db',
    'alloc/data',
  ]) {
    assert.throws(() => cleanTaskPath(bad), { code: 'INVALID_PATH' }, bad);
  }
  for (const bad of ['private', 'private/x', 'local/a\nb', 'a\0', 'x'.repeat(256), `local/${'a/'.repeat(600)}b`]) {
    assert.throws(() => cleanTaskPath(bad), { code: 'INVALID_PATH' }, bad.slice(0, 20));
  }
});

test('a host path is absolute and has no way up', () => {
  assert.equal(cleanHostPath('/etc//ssl/'), '/etc/ssl');
  assert.equal(cleanHostPath('/'), '/');
  for (const bad of ['etc', '', '/etc/../root', '/a\u0007']) {
    assert.throws(() => cleanHostPath(bad), { code: 'INVALID_PATH' }, bad);
  }
});

test('paths of which one hides the other are found', () => {
  assert.equal(overlapping(['a', 'b', 'a-b', 'ab/c']), undefined);
  assert.deepEqual(overlapping(['local/db', 'a', 'local']), ['local', 'local/db']);
  assert.deepEqual(overlapping(['a', 'a-b', 'a/c']), ['a', 'a/c']);
  assert.deepEqual(overlapping(['a', 'a']), ['a', 'a']);
});

test('what a user wrote is shown without what a terminal would obey, and not without end', () => {
  assert.equal(quoted('\u001b[31m'), '"\\u001b[31m"');
  assert.equal(quoted('x'.repeat(1000)).length, 85);
});
