/** Where the test of a source is found: at the mirrored path, or named in test/coverage-map.json with the reason. */
import ts from 'typescript';
import { parse, type Repository, type Rule, roomsOf, textOf, typeScriptPaths } from './rule.ts';

interface Coverage {
  readonly suite: string;
  readonly why: string;
}

const testOf = (source: string): string => source.replace(/^src\//, 'test/').replace(/\.ts$/, '.test.ts');
const sourceOf = (test: string): string => test.replace(/^test\//, 'src/').replace(/\.test\.ts$/, '.ts');

/** False for files of types and re-exports only: nothing in them runs. */
export function hasCode(repository: Repository, path: string): boolean {
  return parse(repository, path).statements.some(
    (statement) =>
      !ts.isImportDeclaration(statement) &&
      !ts.isExportDeclaration(statement) &&
      !ts.isInterfaceDeclaration(statement) &&
      !ts.isTypeAliasDeclaration(statement) &&
      !(
        ts.canHaveModifiers(statement) &&
        ts.getModifiers(statement)?.some((m) => m.kind === ts.SyntaxKind.DeclareKeyword)
      ),
  );
}

function coverageMap(repository: Repository): Map<string, Coverage> {
  return new Map(
    Object.entries(JSON.parse(textOf(repository, 'test/coverage-map.json') || '{}') as Record<string, Coverage>),
  );
}

export const testsMirrorSources: Rule = {
  name: 'a test of a room stands at the path of the source it tests',
  check(repository) {
    const rooms = roomsOf(repository);
    return typeScriptPaths(repository, 'test')
      .filter((path) => path.endsWith('.test.ts') && rooms.has(path.split('/')[1] ?? ''))
      .filter((path) => !repository.has(sourceOf(path)))
      .map((path) => `${path} tests ${sourceOf(path)}, which does not exist`);
  },
  mustFail: [{ 'src/base/a.ts': '', 'test/base/b.test.ts': '' }],
  mustPass: [{ 'src/base/a.ts': '', 'test/base/a.test.ts': '', 'test/kernel/any.test.ts': '' }],
};

export const sourcesAreTested: Rule = {
  name: 'every source with code has its test, or test/coverage-map.json says which suite covers it and why',
  check(repository) {
    const covered = coverageMap(repository);
    const findings: string[] = [];
    for (const path of typeScriptPaths(repository, 'src')) {
      const hasTest = repository.has(testOf(path));
      if (hasTest && covered.has(path))
        findings.push(`${path} has ${testOf(path)}: remove it from test/coverage-map.json`);
      if (!hasTest && !covered.has(path) && hasCode(repository, path))
        findings.push(`${path} has no test ${testOf(path)}`);
    }
    for (const [path, { suite, why }] of covered) {
      if (!repository.has(path)) findings.push(`test/coverage-map.json names ${path}, which does not exist`);
      if (!repository.has(suite)) findings.push(`test/coverage-map.json: the suite ${suite} of ${path} does not exist`);
      if (typeof why !== 'string' || why.length < 10) findings.push(`test/coverage-map.json: ${path} gives no reason`);
    }
    return findings;
  },
  mustFail: [
    { 'src/base/a.ts': 'export const a = 1;' },
    { 'test/coverage-map.json': '{"src/base/a.ts": {"suite": "test/kernel/x.test.ts", "why": "needs a kernel"}}' },
    {
      'src/base/a.ts': 'export const a = 1;',
      'test/base/a.test.ts': '',
      'test/kernel/x.test.ts': '',
      'test/coverage-map.json': '{"src/base/a.ts": {"suite": "test/kernel/x.test.ts", "why": "needs a kernel"}}',
    },
    {
      'src/base/a.ts': 'export const a = 1;',
      'test/kernel/x.test.ts': '',
      'test/coverage-map.json': '{"src/base/a.ts": {"suite": "test/kernel/x.test.ts", "why": ""}}',
    },
  ],
  mustPass: [
    {
      'src/base/a.ts': 'export const a = 1;',
      'test/base/a.test.ts': '',
      'src/base/types.ts':
        "import type { B } from './b.ts';\nexport interface A { b: B }\nexport type { B };\ndeclare const x: 1;",
      'src/base/c.ts': 'export function c() {}',
      'test/kernel/x.test.ts': '',
      'test/coverage-map.json': '{"src/base/c.ts": {"suite": "test/kernel/x.test.ts", "why": "needs a kernel"}}',
    },
  ],
};
