/** The scripts' own language: a suite whose lines cannot fail would prove nothing. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Cast, disagreement, ScriptRun } from './script.ts';

const AGREE: readonly (readonly [reply: string, expected: string | undefined])[] = [
  ['0', undefined],
  ['EACCES', 'EACCES'],
  ['EPERM', 'EACCES|EPERM'],
  ['type=f mode=0644 uid=5', 'mode=0644'],
  ['type=f mode=0644 uid=5', 'uid=5 type=f !mode=0600'],
  ['ENOENT', 'any'],
  ['a:f b:d', 'a:f b:d'],
];

const DISAGREE: readonly (readonly [reply: string, expected: string | undefined])[] = [
  ['EACCES', undefined],
  ['no: x', undefined],
  ['twice', undefined],
  ['SIGBUS', undefined],
  ['0', 'EACCES'],
  ['EPERM', 'EACCES'],
  ['type=f mode=0644', 'mode=064'],
  ['type=f mode=0644', 'mode=0644 uid=0'],
  ['type=f mode=0644', '!mode=0644'],
  ['ENOENT', '!mode=0644'],
  ['a:f', 'a:f b:d'],
];

async function runScript(text: string): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'script-'));
  const run = new ScriptRun(directory, new Cast());
  try {
    await run.run(text);
  } finally {
    await run.abandon();
    await rm(directory, { recursive: true, force: true });
  }
}

describe('a line of a script', () => {
  for (const [reply, expected] of AGREE) {
    it(`${reply} is what ${expected ?? 'success'} asks for`, () => {
      assert.equal(disagreement(reply, expected), undefined);
    });
  }
  for (const [reply, expected] of DISAGREE) {
    it(`${reply} is not what ${expected ?? 'success'} asks for`, () => {
      assert.notEqual(disagreement(reply, expected), undefined);
    });
  }
});

describe('a script', () => {
  it('keeps values, knows processes, and sees which times change', async () => {
    await runScript(`
      create f 0644 text
      f = open f O_RDWR
      &2 g = open f O_RDONLY
      times f
      write $f T
      times f -> mc
      times f -> none
      &2 read $g 10 -> Text
      i = stat f .ino
      stat @$f -> ino=$i
    `);
  });

  for (const wrong of [
    'create f 0644\ncreate f 0644',
    'create f 0644\ntimes f\nchmod f 0600\ntimes f -> none',
    'list . -> x:f',
  ]) {
    it(`fails where it should: ${wrong.split('\n').at(-1)}`, async () => {
      await assert.rejects(runScript(wrong), /line \d+: /);
    });
  }

  it('refuses what it does not understand', async () => {
    await assert.rejects(runScript('no-such-call x'), /the program ended: .*unknown call no-such-call/s);
    await assert.rejects(runScript('open f O_NOTHING'), /unknown number O_NOTHING/);
    await assert.rejects(runScript('write $f x'), /\$f is not set/);
    await assert.rejects(runScript('-> x'), /not a line/);
  });
});
