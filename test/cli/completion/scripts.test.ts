import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { tabulate } from '../../../src/cli/completion/command-table.ts';
import { completionScript, SHELLS } from '../../../src/cli/completion/scripts.ts';
import { buildProgram } from '../../../src/cli/program.ts';

const rows = tabulate(buildProgram());

/** What bash offers for the last of the words. */
function complete(...words: string[]): string[] {
  const typed = words.map((word) => `'${word}'`).join(' ');
  const script = `${completionScript('bash', rows)}
COMP_WORDS=(dunnage ${typed}); COMP_CWORD=${words.length}; compopt() { :; }; _dunnage; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const output = execFileSync('bash', ['--norc', '-u', '-c', script], { encoding: 'utf8' });
  return output
    .split('\n')
    .filter((line) => line !== '')
    .toSorted();
}

test('bash completes commands, subcommands, kinds, options and their values', () => {
  assert.deepEqual(complete('d'), ['delete', 'demo', 'doctor', 'down']);
  assert.deepEqual(complete('projection', 'w'), ['write']);
  assert.deepEqual(complete('--json', 'get', 'se'), ['secret', 'secrets']);
  assert.deepEqual(complete('up', '--st'), ['--state-dir']);
  assert.deepEqual(complete('projection', 'write', 'x', '--p'), ['--payload']);
  assert.deepEqual(complete('up', '--log-level', 'w'), ['warn']);
  assert.deepEqual(complete('completion', ''), ['--debug', '--json', '--socket', '--version', ...SHELLS].toSorted());
});

test('where a file follows, bash is left to complete files', () => {
  assert.deepEqual(complete('apply', '-f', ''), []);
  assert.deepEqual(complete('up', '--config', 'x'), []);
});

test('every command and option is in every script', () => {
  for (const shell of SHELLS) {
    const script = completionScript(shell, rows);
    for (const { path, options } of rows) {
      for (const word of path) assert.ok(script.includes(word), `${shell}: ${word}`);
      for (const flag of options.flatMap(({ flags }) => flags)) {
        const shown = shell === 'fish' ? flag.replace(/^--/, '-l ').replace(/^-(.)$/, '-s $1') : flag;
        assert.ok(script.includes(shown), `${shell}: ${flag}`);
      }
    }
  }
});

const isInstalled = (shell: string): boolean => spawnSync(shell, ['-c', 'true']).error === undefined;

// bash is on every machine this runs on; the others where somebody uses them.
for (const shell of SHELLS.filter((candidate) => candidate === 'bash' || isInstalled(candidate))) {
  test(`${shell} can read its script`, () => {
    const directory = mkdtempSync(join(tmpdir(), 'dunnage-completion-'));
    try {
      writeFileSync(join(directory, 'script'), completionScript(shell, rows));
      execFileSync(shell, ['-n', join(directory, 'script')]);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
}
