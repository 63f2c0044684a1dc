/** Tidiness is a test: the rules are in test/tools/tidy, and each is tried on samples that it must refuse. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildProgram } from '../src/cli/program.ts';
import { loadNative } from '../src/native/load.ts';
import { repositoryRoot } from './tools/repository.ts';
import { bannedCalls, fileLength, functionLength } from './tools/tidy/code-rules.ts';
import {
  bindingMembers,
  commandLines,
  differences,
  documentedCommandLines,
  errorCodes,
  semanticsPromises,
} from './tools/tidy/document-rules.ts';
import { importCycles, importLadder, roomsTable } from './tools/tidy/import-rules.ts';
import { sourcesAreTested, testsMirrorSources } from './tools/tidy/mirror-rules.ts';
import { loadRepository, type Rule, sample } from './tools/tidy/rule.ts';
import { kebabCase, noRegistryHosts, readmeCommands, words } from './tools/tidy/text-rules.ts';

const RULES: readonly Rule[] = [
  importLadder,
  importCycles,
  roomsTable,
  testsMirrorSources,
  sourcesAreTested,
  fileLength,
  functionLength,
  bannedCalls,
  kebabCase,
  words,
  noRegistryHosts,
  readmeCommands,
  errorCodes,
  semanticsPromises,
];

const repository = loadRepository(repositoryRoot());

for (const rule of RULES) {
  test(rule.name, () => {
    assert.deepEqual(rule.check(repository), []);
  });

  test(`the check itself: ${rule.name}`, () => {
    assert.ok(rule.mustFail.length > 0 && rule.mustPass.length > 0, 'a rule brings samples of both kinds');
    rule.mustFail.forEach((files, index) => {
      assert.notEqual(rule.check(sample(files)).length, 0, `must fail: sample ${index}`);
    });
    for (const files of rule.mustPass) assert.deepEqual(rule.check(sample(files)), []);
  });
}

test('docs/cli.md documents every command and option, and none that is gone', () => {
  const findings = differences(
    new Set(commandLines(buildProgram())),
    new Set(documentedCommandLines(repository.get('docs/cli.md') ?? '')),
    (line) => `docs/cli.md lacks: ${line}`,
    (line) => `docs/cli.md has, but the program does not: ${line}`,
  );
  assert.deepEqual(findings, []);
});

test('the addon exports what NativeBinding says, no more and no less', () => {
  const findings = differences(
    new Set(Object.keys(loadNative())),
    bindingMembers(repository),
    (name) => `src/native/binding.ts lacks ${name}`,
    (name) => `the addon lacks ${name}`,
  );
  assert.deepEqual(findings, []);
});

test('the check itself: members of NativeBinding are found, those of other interfaces are not', () => {
  const text = 'export interface NativeBinding { open(): number; readonly close: () => void } interface Other { x: 1 }';
  assert.deepEqual(bindingMembers(sample({ 'src/native/binding.ts': text })), new Set(['open', 'close']));
  assert.deepEqual(
    differences(
      new Set(['a', 'b']),
      new Set(['b', 'c']),
      (n) => `-${n}`,
      (n) => `+${n}`,
    ),
    ['-a', '+c'],
  );
});

test('the check itself: command lines in code and document are compared one by one', () => {
  const leaf = { name: () => 'up', commands: [], options: [{ long: '--detach' }, { long: '--secret', hidden: true }] };
  const program = { name: () => 'dunnage', commands: [leaf], options: [{ long: '--json' }] };
  assert.deepEqual(commandLines(program), ['dunnage', 'dunnage --json', 'dunnage up', 'dunnage up --detach']);
  const document =
    '# `dunnage`\n- `--json` prints JSON\n### dunnage up [options]\n| `--detach` | returns |\nsee `--not-here`';
  assert.deepEqual(documentedCommandLines(document), commandLines(program));
});
