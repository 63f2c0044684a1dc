/** What code may not do, and how long it may be. */
import ts from 'typescript';
import { lineOf, parse, type Rule, typeScriptPaths, visit } from './rule.ts';

const FILE_LINES_MAX = 500;
const FUNCTION_LINES_MAX = 70;

export const fileLength: Rule = {
  name: `no file of code has more than ${FILE_LINES_MAX} lines`,
  check(repository) {
    return [...repository]
      .filter(([path]) => /^(?:src|native|test|examples|packaging|\.ci)\//.test(path) && !path.endsWith('.json'))
      .map(([path, text]) => ({ path, lines: text.split('\n').length - 1 }))
      .filter(({ lines }) => lines > FILE_LINES_MAX)
      .map(({ path, lines }) => `${path} has ${lines} lines`);
  },
  mustFail: [{ 'native/src/a.cc': 'x\n'.repeat(501) }],
  mustPass: [{ 'native/src/a.cc': 'x\n'.repeat(500) }],
};

export const functionLength: Rule = {
  name: `no function of the sources or the test tools has more than ${FUNCTION_LINES_MAX} lines`,
  check(repository) {
    const findings: string[] = [];
    for (const path of typeScriptPaths(repository, 'src', 'test/tools', 'test/bench')) {
      const source = parse(repository, path);
      visit(source, (node) => {
        if (!ts.isFunctionLike(node)) return;
        const end = source.getLineAndCharacterOfPosition(node.end).line + 1;
        const lines = end - lineOf(source, node) + 1;
        if (lines > FUNCTION_LINES_MAX)
          findings.push(`${path}:${lineOf(source, node)} is a function of ${lines} lines`);
      });
    }
    return findings;
  },
  mustFail: [{ 'src/base/a.ts': `export function a() {\n${'f();\n'.repeat(69)}}` }],
  mustPass: [{ 'src/base/a.ts': `export function a() {\n${'f();\n'.repeat(68)}}` }],
};

interface Ban {
  readonly what: RegExp;
  readonly unless: RegExp;
  readonly instead: string;
}

/** Against the text of a call's or a `new` expression's head, e.g. `Date.now` or `new Date()`. */
const BANS: readonly Ban[] = [
  { what: /^(?:Date\.now|new Date\(\)|performance\.now)$/, unless: /^src\/base\/clock\.ts$/, instead: 'take a Clock' },
  { what: /^Math\.random$/, unless: /^$/, instead: 'use node:crypto' },
  { what: /^console\./, unless: /^src\/cli\//, instead: 'log through the port in base/log.ts' },
  {
    what: /^process\.(?:stdout|stderr)\.write$/,
    unless: /^src\/cli\//,
    instead: 'log through the port in base/log.ts',
  },
  {
    what: /^(?:process\.dlopen|createRequire)$/,
    unless: /^src\/native\//,
    instead: 'load native code in src/native only',
  },
  { what: /^process\.exit$/, unless: /^src\/(?:cli|daemon)\//, instead: 'throw a DunnageError' },
];

function isCallee(node: ts.Expression): boolean {
  return ts.isCallExpression(node.parent) && node.parent.expression === node;
}

export const bannedCalls: Rule = {
  name: 'the clock, chance, the console and native code are reached through their one place only',
  check(repository) {
    const findings: string[] = [];
    for (const path of typeScriptPaths(repository, 'src')) {
      const source = parse(repository, path);
      visit(source, (node) => {
        const head = ts.isCallExpression(node)
          ? node.expression.getText(source)
          : ts.isNewExpression(node) && node.arguments?.length === 0
            ? node.getText(source)
            : ts.isPropertyAccessExpression(node) && !isCallee(node)
              ? node.getText(source)
              : undefined;
        const ban = BANS.find((row) => head !== undefined && row.what.test(head) && !row.unless.test(path));
        if (ban !== undefined) findings.push(`${path}:${lineOf(source, node)} has ${head}: ${ban.instead}`);
        if (ts.isStringLiteral(node) && node.text.endsWith('.node') && !path.startsWith('src/native/')) {
          findings.push(`${path}:${lineOf(source, node)} names the addon: only src/native loads it`);
        }
      });
    }
    return findings;
  },
  mustFail: [
    { 'src/store/a.ts': 'const t = Date.now();' },
    { 'src/store/a.ts': 'const t = items.map(Math.random);' },
    { 'src/store/a.ts': 'const t = new Date();' },
    { 'src/store/a.ts': "console.error('x');" },
    { 'src/store/a.ts': "load('build/x.node');" },
    { 'src/store/a.ts': 'process.exit(1);' },
  ],
  mustPass: [
    {
      'src/base/clock.ts': 'const t = Date.now();',
      'src/cli/a.ts': "console.log('x');",
      'src/store/a.ts': '// Date.now() is what this is not\nconst t = new Date(5);',
    },
  ],
};
