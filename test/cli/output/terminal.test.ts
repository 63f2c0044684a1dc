import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { openTerminal, wantsColour } from '../../../src/cli/output/terminal.ts';

test('colour needs a terminal and nobody who objects', () => {
  assert.equal(wantsColour(true, {}), true);
  assert.equal(wantsColour(true, { NO_COLOR: '' }), true);
  assert.equal(wantsColour(true, { NO_COLOR: '0' }), false);
  assert.equal(wantsColour(true, { TERM: 'dumb' }), false);
  assert.equal(wantsColour(false, {}), false);
});

test('results and talk go to their own streams', () => {
  const stdout = Object.assign(new PassThrough(), { isTTY: true });
  const stderr = new PassThrough();
  const terminal = openTerminal(stdout, stderr, {});
  terminal.out(terminal.paint('red', 'result'));
  terminal.say('talk');
  assert.equal(stdout.read()?.toString(), '\u001b[31mresult\u001b[39m');
  assert.equal(stderr.read()?.toString(), 'talk');
  assert.equal(openTerminal(new PassThrough(), stderr, {}).paint('red', 'x'), 'x');
});
