import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  auditedPath,
  PRIVATE_DIRECTORIES,
  projectionPath,
  projectionsPath,
  TOP_LEVEL_DIRECTORIES,
} from '../../src/tree/places.ts';

test('every path of the mount lies below one of its top-level directories', () => {
  assert.equal(projectionsPath('/run/dunnage/mnt'), '/run/dunnage/mnt/projections');
  assert.equal(projectionPath('/run/dunnage/mnt', 'secret.db'), '/run/dunnage/mnt/projections/secret.db');
  for (const path of [projectionsPath('/'), auditedPath('/')]) assert.ok(TOP_LEVEL_DIRECTORIES.includes(path.slice(1)));
  assert.ok([...PRIVATE_DIRECTORIES].every((name) => TOP_LEVEL_DIRECTORIES.includes(name)));
});

test('top-level names are single names, each once', () => {
  assert.equal(new Set(TOP_LEVEL_DIRECTORIES).size, TOP_LEVEL_DIRECTORIES.length);
  for (const name of TOP_LEVEL_DIRECTORIES) assert.match(name, /^\.?[a-z-]+$/);
});
