import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GenerationId } from '../../../src/base/ids.ts';
import type { Reaction } from '../../../src/projection/reactions/reaction.ts';
import { ReactionRecords, type ReactionRun } from '../../../src/projection/reactions/reaction-records.ts';
import { makeStateDirectory, openStore } from '../../store/state-directory.ts';

const HUP: Reaction = { kind: 'pidFile', pidFile: '/run/a.pid', signal: 'SIGHUP' };
const USR1: Reaction = { ...HUP, signal: 'SIGUSR1' };
const id = (number: number): GenerationId => number as GenerationId;
const run = (generation: number, succeeded = true): ReactionRun => ({
  generation,
  startedAtMs: 1,
  durationMs: 2,
  outcomes: [{ reaction: 'SIGHUP', succeeded, detail: 'x' }],
});

test('a wanted list becomes the list when the write has ended, or goes with it', (t) => {
  const records = new ReactionRecords(openStore(t, makeStateDirectory(t)));
  assert.equal(records.want('web', [HUP], 0), true);
  assert.deepEqual(records.get('web')?.reactions, []);
  records.adopt('web');
  assert.deepEqual(records.get('web'), { reactions: [HUP], done: 0, runs: 0, failures: 0 });
  assert.equal(records.want('web', [USR1], id(7)), true);
  assert.deepEqual(records.get('web')?.wanted, { reactions: [USR1], publishedBefore: 7 });
  records.giveUp('web');
  assert.deepEqual(records.get('web')?.reactions, [HUP]);
  assert.equal(records.want('web', [HUP], id(7)), false, 'the same list is no change');
  assert.equal(records.want('web', [], id(7)), true);
  records.adopt('web');
  assert.equal(records.get('web'), undefined);
});

test('a list that is given up before there was one leaves nothing', (t) => {
  const records = new ReactionRecords(openStore(t, makeStateDirectory(t)));
  records.want('web', [HUP], 0);
  records.giveUp('web');
  assert.deepEqual(records.directories(), []);
  assert.equal(records.want('web', [], 0), false);
});

test('runs are counted, and a generation that was published before the list needs none', (t) => {
  const records = new ReactionRecords(openStore(t, makeStateDirectory(t)));
  records.want('web', [HUP], id(5));
  records.adopt('web');
  assert.equal(records.get('web')?.done, 5);
  records.noteRun('web', id(9), run(2));
  records.noteRun('web', id(12), run(3, false));
  assert.deepEqual(records.get('web'), { reactions: [HUP], done: 12, last: run(3, false), runs: 2, failures: 1 });
});

test('a run that ends after its projection is gone is not noted', (t) => {
  const records = new ReactionRecords(openStore(t, makeStateDirectory(t)));
  records.want('web', [HUP], 0);
  records.adopt('web');
  records.remove('web');
  records.noteRun('web', id(9), run(1));
  assert.equal(records.get('web'), undefined);
});
