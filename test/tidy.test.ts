/** Tidiness is a test: the rules are in test/tools/tidy, and each is tried on samples that it must refuse. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { repositoryRoot } from './tools/repository.ts';
import { bannedCalls, fileLength, functionLength } from './tools/tidy/code-rules.ts';
import { commandLines, documentedCommandLines, errorCodes, semanticsPromises } from './tools/tidy/document-rules.ts';
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

test('the check itself: command lines in code and document are compared one by one', () => {
  const leaf = { name: () => 'up', commands: [], options: [{ long: '--detach' }, { long: '--secret', hidden: true }] };
  const program = { name: () => 'dunnage', commands: [leaf], options: [{ long: '--json' }] };
  assert.deepEqual(commandLines(program), ['dunnage', 'dunnage --json', 'dunnage up', 'dunnage up --detach']);
  const document =
    '# `dunnage`\n- `--json` prints JSON\n### dunnage up [options]\n| `--detach` | returns |\nsee `--not-here`';
  assert.deepEqual(documentedCommandLines(document), commandLines(program));
});
