/** Who may import whom: the ladder of rooms in src/README.md, and no circles. */
import { posix } from 'node:path';
import ts from 'typescript';
import { lineOf, parse, type Repository, type Rule, roomOf, roomsOf, textOf, typeScriptPaths, visit } from './rule.ts';

interface Import {
  readonly specifier: string;
  readonly line: number;
}

/** Static, re-exporting and dynamic imports with a literal specifier. */
export function importsOf(repository: Repository, path: string): Import[] {
  const source = parse(repository, path);
  const imports: Import[] = [];
  visit(source, (node) => {
    const specifier =
      ts.isImportDeclaration(node) || ts.isExportDeclaration(node)
        ? node.moduleSpecifier
        : ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword
          ? node.arguments[0]
          : undefined;
    if (specifier !== undefined && ts.isStringLiteral(specifier)) {
      imports.push({ specifier: specifier.text, line: lineOf(source, node) });
    }
  });
  return imports;
}

/** What a relative import means, as a path of the repository; undefined for packages. */
export function resolveImport(from: string, specifier: string): string | undefined {
  return specifier.startsWith('.') ? posix.join(posix.dirname(from), specifier) : undefined;
}

/** Room -> step, read from the table in src/README.md. */
export function stepsOf(repository: Repository): Map<string, number> {
  const rows = textOf(repository, 'src/README.md').matchAll(/^\| (\d+) \| `([a-z-]+)` \|/gm);
  return new Map([...rows].map((row) => [row[2] ?? '', Number(row[1])]));
}

const README = '| 0 | `base` | x |\n| 3 | `store` | x |\n| 3 | `vfs` | x |\n';

export const importLadder: Rule = {
  name: 'a room imports only from rooms on a lower step, and sources never import tests',
  check(repository) {
    const steps = stepsOf(repository);
    const findings: string[] = [];
    for (const path of typeScriptPaths(repository, 'src')) {
      const room = roomOf(path);
      for (const { specifier, line } of importsOf(repository, path)) {
        const target = resolveImport(path, specifier);
        if (target === undefined) continue;
        const targetRoom = roomOf(target);
        if (!target.startsWith('src/')) findings.push(`${path}:${line} imports ${target}, which is not a source`);
        if (room === undefined || targetRoom === undefined || room === targetRoom) continue;
        const step = steps.get(room) ?? -1;
        if ((steps.get(targetRoom) ?? Number.POSITIVE_INFINITY) >= step) {
          findings.push(`${path}:${line} imports ${target}: room ${targetRoom} is not on a lower step than ${room}`);
        }
      }
    }
    return findings;
  },
  mustFail: [
    { 'src/README.md': README, 'src/base/a.ts': "import { b } from '../store/b.ts';" },
    { 'src/README.md': README, 'src/store/a.ts': "export * from '../vfs/b.ts';" },
    { 'src/README.md': README, 'src/store/a.ts': "await import('../vfs/b.ts');" },
    { 'src/README.md': README, 'src/store/a.ts': "import type { B } from '../unknown/b.ts';" },
    { 'src/README.md': README, 'src/store/a.ts': "import { help } from '../../test/help.ts';" },
  ],
  mustPass: [{ 'src/README.md': README, 'src/store/a.ts': "import { b } from '../base/b.ts';\nimport './c.ts';" }],
};

export const importCycles: Rule = {
  name: 'no import cycles',
  check(repository) {
    const findings: string[] = [];
    const done = new Set<string>();
    const walk = (path: string, trail: readonly string[]): void => {
      const seen = trail.indexOf(path);
      if (seen >= 0) findings.push([...trail.slice(seen), path].join(' -> '));
      if (seen >= 0 || done.has(path) || !repository.has(path)) return;
      for (const { specifier } of importsOf(repository, path)) {
        const target = resolveImport(path, specifier);
        if (target !== undefined) walk(target, [...trail, path]);
      }
      done.add(path);
    };
    for (const path of typeScriptPaths(repository, 'src', 'test')) walk(path, []);
    return findings;
  },
  mustFail: [
    { 'src/base/a.ts': "import './b.ts';", 'src/base/b.ts': "import './c.ts';", 'src/base/c.ts': "import './a.ts';" },
    { 'src/base/a.ts': "import type { A } from './a.ts';" },
  ],
  mustPass: [
    {
      'src/base/a.ts': "import './b.ts';\nimport './c.ts';",
      'src/base/b.ts': "import './c.ts';",
      'src/base/c.ts': "import 'node:fs';",
    },
  ],
};

export const roomsTable: Rule = {
  name: 'the table of rooms in src/README.md names the folders of src/, no more and no less',
  check(repository) {
    const documented = stepsOf(repository);
    const folders = roomsOf(repository);
    return [
      ...[...folders].filter((room) => !documented.has(room)).map((room) => `src/${room} is not in src/README.md`),
      ...[...documented.keys()]
        .filter((room) => !folders.has(room))
        .map((room) => `src/README.md names ${room}: no such folder`),
    ];
  },
  mustFail: [
    { 'src/README.md': '| 0 | `base` | x |', 'src/base/a.ts': '', 'src/new/a.ts': '' },
    { 'src/README.md': '| 0 | `base` | x |\n| 1 | `gone` | x |', 'src/base/a.ts': '' },
  ],
  mustPass: [{ 'src/README.md': '| 0 | `base` | x |', 'src/base/a.ts': '', 'src/index.ts': '' }],
};
