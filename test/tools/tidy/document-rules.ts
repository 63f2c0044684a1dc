/** Documents held to the code, both ways: what exists is documented, what is documented exists. */
import ts from 'typescript';
import { parse, type Repository, type Rule, textOf, typeScriptPaths, visit } from './rule.ts';

/** Sentences about what is in one set only. */
export function differences(
  left: ReadonlySet<string>,
  right: ReadonlySet<string>,
  onlyLeft: (name: string) => string,
  onlyRight: (name: string) => string,
): string[] {
  return [
    ...[...left].filter((name) => !right.has(name)).map(onlyLeft),
    ...[...right].filter((name) => !left.has(name)).map(onlyRight),
  ];
}

/** One row as text, so that two rows can be compared as a whole. */
const show = (code: string, errno: string, grpc: string, http: string, exit: string): string =>
  `${code} (${errno}, ${grpc}, HTTP ${http}, exit ${exit})`;

/** `CODE: { errno: 'ERRNO', grpc: 'STATUS', http: 404, exit: 4 }` of src/errors/table.ts. */
function errorsInCode(repository: Repository): Set<string> {
  const rows = textOf(repository, 'src/errors/table.ts').matchAll(
    /^ +([A-Z_]+): \{ errno: '([A-Z0-9]+)', grpc: '([A-Z_]+)', http: (\d+), exit: (\d+) \}/gm,
  );
  return new Set(
    [...rows].map(([, code = '', errno = '', grpc = '', http = '', exit = '']) => show(code, errno, grpc, http, exit)),
  );
}

/** Table rows of docs/errors.md; the columns are found by their headings (code, errno, gRPC, HTTP, exit). */
function errorsInDocument(repository: Repository): Set<string> {
  const found = new Set<string>();
  let columns: Record<string, number> = {};
  for (const line of textOf(repository, 'docs/errors.md').split('\n')) {
    const cells = line.split('|').map((cell) => cell.replaceAll('`', '').trim());
    const heading = cells.map((cell) => cell.toLowerCase().split(' ')[0] ?? '');
    if (heading.includes('errno')) columns = Object.fromEntries(heading.map((name, index) => [name, index]));
    const code = cells[columns['code'] ?? -1] ?? '';
    if (!/^[A-Z][A-Z_]+$/.test(code)) continue;
    const cell = (name: string): string => cells[columns[name] ?? -1] ?? '';
    found.add(show(code, cell('errno'), cell('grpc'), cell('http'), cell('exit')));
  }
  return found;
}

const TABLE = "  NOT_FOUND: { errno: 'ENOENT', grpc: 'NOT_FOUND', http: 404, exit: 4 },\n";
const ERRORS = '| code | errno | gRPC | HTTP | exit | meaning |\n| --- | --- | --- | --- | --- | --- |\n';

export const errorCodes: Rule = {
  name: 'docs/errors.md lists the error codes of src/errors/table.ts with all they map to',
  check(repository) {
    const inCode = errorsInCode(repository);
    if (inCode.size === 0) return ['no error codes found in src/errors/table.ts: has its shape changed?'];
    return differences(
      inCode,
      errorsInDocument(repository),
      (row) => `docs/errors.md lacks ${row}`,
      (row) => `docs/errors.md has ${row}, which is not in src/errors/table.ts`,
    );
  },
  mustFail: [
    { 'src/errors/table.ts': TABLE, 'docs/errors.md': ERRORS },
    { 'src/errors/table.ts': TABLE, 'docs/errors.md': `${ERRORS}| \`NOT_FOUND\` | ENOENT | NOT_FOUND | 410 | 4 | x |` },
    {
      'src/errors/table.ts': TABLE,
      'docs/errors.md': `${ERRORS}| \`NOT_FOUND\` | ENOENT | NOT_FOUND | 404 | 4 | x |\n| \`GONE\` | EIO | X | 1 | 1 | x |`,
    },
  ],
  mustPass: [
    { 'src/errors/table.ts': TABLE, 'docs/errors.md': `${ERRORS}| \`NOT_FOUND\` | ENOENT | NOT_FOUND | 404 | 4 | x |` },
  ],
};

/** Titles given to `test`, `it`, `describe` and `suite`, also to those of a context (`t.test`). */
export function testTitles(repository: Repository): { readonly path: string; readonly title: string }[] {
  const titles: { path: string; title: string }[] = [];
  for (const path of typeScriptPaths(repository, 'test')) {
    const source = parse(repository, path);
    visit(source, (node) => {
      if (!ts.isCallExpression(node) || !/(?:^|\.)(?:test|it|describe|suite)$/.test(node.expression.getText(source)))
        return;
      const [title] = node.arguments;
      if (title === undefined) return;
      if (ts.isStringLiteralLike(title) || ts.isTemplateExpression(title))
        titles.push({ path, title: title.getText(source) });
    });
  }
  return titles;
}

const PROMISE = /\[S\d+\]/g;

export const semanticsPromises: Rule = {
  name: 'every promise of SEMANTICS.md has an id that the title of a test quotes, and no test quotes one that is gone',
  check(repository) {
    const text = textOf(repository, 'SEMANTICS.md');
    const ids = text.match(PROMISE) ?? [];
    const promised = new Set(ids);
    const quoted = new Set(
      testTitles(repository)
        .filter(({ path }) => !path.startsWith('test/tools/tidy/'))
        .flatMap(({ title }) => title.match(PROMISE) ?? []),
    );
    const findings = differences(
      promised,
      quoted,
      (id) => `no test has ${id} of SEMANTICS.md in its title`,
      (id) => `a test quotes ${id}, which is not in SEMANTICS.md`,
    );
    for (const id of promised) {
      if (ids.filter((other) => other === id).length > 1) findings.push(`SEMANTICS.md has ${id} twice`);
    }
    if (promised.size === 0) findings.push('SEMANTICS.md has no promises');
    return findings;
  },
  mustFail: [
    { 'SEMANTICS.md': '- [S1] whole', 'test/a.test.ts': "test('is whole', f); // [S1]" },
    { 'SEMANTICS.md': '- [S1] whole', 'test/a.test.ts': "test('is whole [S1]', f); t.test(`gone [S2]`, f);" },
    { 'SEMANTICS.md': '- [S1] whole\n- [S1] again', 'test/a.test.ts': "test('is whole [S1]', f);" },
    { 'SEMANTICS.md': '' },
  ],
  mustPass: [{ 'SEMANTICS.md': '- [S1] whole', 'test/a.test.ts': "describe('x', () => { it('is whole [S1]', f); });" }],
};

/** Members of `interface NativeBinding` in src/native/binding.ts. */
export function bindingMembers(repository: Repository): Set<string> {
  const names = new Set<string>();
  const source = parse(repository, 'src/native/binding.ts');
  visit(source, (node) => {
    if (!ts.isInterfaceDeclaration(node) || node.name.text !== 'NativeBinding') return;
    for (const member of node.members) if (member.name !== undefined) names.add(member.name.getText(source));
  });
  return names;
}

/** What a command line takes, as commander knows it. */
export interface CommandShape {
  name(): string;
  readonly commands: readonly CommandShape[];
  readonly options: readonly { readonly long?: string | undefined; readonly hidden?: boolean }[];
}

/** `dunnage up --detach`: one line for each command and for each of its options. Hidden ones are not told. */
export function commandLines(command: CommandShape, path: string = command.name()): string[] {
  const options = command.options.filter((option) => option.hidden !== true).flatMap((option) => option.long ?? []);
  const below = command.commands.flatMap((child) => commandLines(child, `${path} ${child.name()}`));
  return [path, ...options.map((option) => `${path} ${option}`), ...below];
}

/**
 * The same lines out of docs/cli.md: a heading `### dunnage up` opens a command, and each `--option` at the start of a
 * table row or list item below it is one of its options.
 */
export function documentedCommandLines(document: string): string[] {
  const lines: string[] = [];
  let path = '';
  for (const line of document.split('\n')) {
    const heading = /^#+ `?(dunnage(?: [a-z-]+)*)/.exec(line)?.[1];
    if (heading !== undefined) {
      path = heading;
      lines.push(path);
    }
    const option = /^(?:\| |[-*] )`?(?:-[a-z], ?)?(--[a-z][a-z0-9-]*)/.exec(line)?.[1];
    if (option !== undefined && path !== '') lines.push(`${path} ${option}`);
  }
  return lines;
}
