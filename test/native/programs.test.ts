import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { agentProgramPath, freezerProgramPath, holderProgramPath } from '../../src/native/programs.ts';

for (const [name, path] of [
  ['dunnage-agent', agentProgramPath],
  ['dunnage-freezer', freezerProgramPath],
  ['dunnage-holder', holderProgramPath],
] as const) {
  test(`${name} is found, runs here, and says how it is used`, () => {
    const result = spawnSync(path(), [], { encoding: 'utf8', timeout: 10_000 });
    assert.equal(result.status, 2);
    assert.match(result.stderr, new RegExp(`usage: ${name} `));
  });
}
