import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Argument, Command, Option } from 'commander';
import { tabulate } from '../../../src/cli/completion/command-table.ts';

test('commands, their options and the words that may follow are read off the program', () => {
  const program = new Command('x').description('program').option('--json', 'as JSON');
  const group = program.command('group').description('a group');
  group
    .command('leaf')
    .description('a leaf')
    .addArgument(new Argument('<shell>').choices(['a', 'b']))
    .addOption(new Option('-l, --level <level>', 'how much').choices(['low', 'high']))
    .addOption(new Option('--secret').hideHelp());
  const json = { flags: ['--json'], description: 'as JSON', takesValue: false, values: [] };
  const level = { flags: ['-l', '--level'], description: 'how much', takesValue: true, values: ['low', 'high'] };
  assert.deepEqual(tabulate(program), [
    { path: [], description: 'program', options: [json], words: ['group'] },
    { path: ['group'], description: 'a group', options: [json], words: ['leaf'] },
    { path: ['group', 'leaf'], description: 'a leaf', options: [level, json], words: ['a', 'b'] },
  ]);
});
