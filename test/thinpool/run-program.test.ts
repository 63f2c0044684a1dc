import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runProgram } from '../../src/thinpool/run-program.ts';

const options = { timeoutMs: 10_000, debPackage: 'coreutils' };

test('what a program says is the answer, also if it ends with a code that is one', async () => {
  assert.deepEqual(await runProgram('echo', ['a', 'b'], options), { exitCode: 0, output: 'a b\n' });
  const script = ['-c', 'echo one; echo two >&2; exit 3'];
  const answer = await runProgram('sh', script, { ...options, answers: [1, 3] });
  assert.deepEqual(answer, { exitCode: 3, output: 'one\ntwo\n' });
});

test('what goes wrong is told with what it said', async () => {
  const script = ['-c', 'echo the reason >&2; exit 3'];
  await assert.rejects(runProgram('sh', script, options), { code: 'IO', message: /failed: the reason$/ });
  await assert.rejects(runProgram('sleep', ['60'], { ...options, timeoutMs: 10 }), { code: 'TIMED_OUT' });
  await assert.rejects(runProgram('no-such-program', [], options), {
    code: 'MISSING_DEPENDENCY',
    remedy: 'install it: apt-get install coreutils',
  });
});
