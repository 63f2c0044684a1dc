import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Command } from 'commander';
import { FSCK_EXIT } from '../../src/cli/commands/fsck.ts';
import { buildProgram } from '../../src/cli/program.ts';
import { ERROR_TABLE } from '../../src/errors/table.ts';
import { repositoryRoot } from '../tools/repository.ts';
import { commandLines, documentedCommandLines } from '../tools/tidy/document-rules.ts';

const document = readFileSync(join(repositoryRoot(), 'docs/cli.md'), 'utf8');

test('docs/cli.md has every command and option once, and none that does not exist', () => {
  assert.deepEqual(documentedCommandLines(document).toSorted(), commandLines(buildProgram()).toSorted());
});

test('docs/cli.md lists every exit code with the errors that lead to it', () => {
  const documented = [...document.matchAll(/^\| (\d+) +\| [^|]+ \| ([A-Z_, ]*)\|$/gm)].map(([, exit, codes]) => [
    Number(exit),
    (codes ?? '').trim() === '' ? [] : (codes ?? '').trim().split(', ').toSorted(),
  ]);
  const expected = new Map<number, string[]>(Object.values(FSCK_EXIT).map((exit) => [exit, []]));
  for (const [code, { exit }] of Object.entries(ERROR_TABLE))
    expected.set(exit, [...(expected.get(exit) ?? []), code].toSorted());
  assert.deepEqual(
    documented,
    [...expected].toSorted(([a], [b]) => a - b),
  );
});

test('every command has a description, and every option too', () => {
  const walk = (command: Command): void => {
    assert.notEqual(command.description(), '', command.name());
    for (const option of command.options) assert.notEqual(option.description, '', option.flags);
    command.commands.forEach(walk);
  };
  walk(buildProgram());
});

test('every command takes the options that all take, and its help shows them with an example', () => {
  const program = buildProgram();
  for (const command of program.commands.filter((child) => child.commands.length === 0)) {
    let help = '';
    command.configureOutput({
      writeOut: (text) => {
        help += text;
      },
    });
    command.outputHelp();
    assert.match(help, /Global Options:[\s\S]*--json/, command.name());
    assert.match(help, /Examples:\n {2}\$ /, command.name());
  }
});
