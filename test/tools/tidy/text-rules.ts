/** Names, words and addresses that do not belong in the repository, and the two commands that do. */
import { type Rule, textOf } from './rule.ts';

const KEBAB = /^\.?[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z0-9]+(?:-[a-z0-9]+)*)*$/;

export const kebabCase: Rule = {
  name: 'files and folders have kebab-case names',
  check(repository) {
    return [...repository.keys()]
      .filter((path) => path.includes('/'))
      .filter((path) => !path.split('/').every((part) => KEBAB.test(part) || part === 'README.md'))
      .map((path) => `${path} is not kebab-case`);
  },
  mustFail: [{ 'src/base/someFile.ts': '' }, { 'native/src/fuse_channel.cc': '' }, { 'test/Kernel/a.test.ts': '' }],
  mustPass: [{ 'src/base/some-file.test.ts': '', 'src/README.md': '', '.ci/run': '', 'CHANGELOG.md': '' }],
};

// Written in pieces, because this file is checked as well.
const LEFT_OVER = new RegExp(`\\b(?:TO${'DO'}|FIX${'ME'}|XX${'X'}|HA${'CK'})\\b`);
const OUTSIDE = new RegExp(`\\.\\./sha${'red'}/|(?:^|[\\s"'\`(])sha${'red'}/|/wo${'rk'}/`);
const MAKERS = new RegExp(
  `\\b(?:cla${'ude'}|anthro${'pic'}|open${'ai'}|chat${'gpt'}|copi${'lot'}|language mo${'del'}|co-authored-${'by'}|(?:ai|machine)[- ]gener${'ated'})\\b`,
  'i',
);

export const words: Rule = {
  name: 'no left-over markers, no paths outside the repository, no word about how it was made',
  check(repository) {
    const findings: string[] = [];
    for (const [path, text] of repository) {
      if (path === 'package-lock.json') continue;
      text.split('\n').forEach((line, index) => {
        for (const [what, pattern] of [
          ['a left-over marker', LEFT_OVER],
          ['a path outside the repository', OUTSIDE],
          ['how it was made', MAKERS],
        ] as const) {
          if (pattern.test(line)) findings.push(`${path}:${index + 1} has ${what}: ${line.trim().slice(0, 100)}`);
        }
      });
    }
    return findings;
  },
  mustFail: [
    { 'src/base/a.ts': `// TO${'DO'}: later` },
    { 'docs/a.md': `see ../sha${'red'}/x` },
    { 'docs/a.md': `see sha${'red'}/x` },
    { 'README.md': `made by chat${'gpt'}` },
  ],
  mustPass: [
    { 'packaging/a.sh': 'mktemp /tmp/x.XXXXXX', 'docs/a.md': 'mounted shared, or slave; a mode/shared/slave list' },
  ],
};

export const noRegistryHosts: Rule = {
  name: 'no address of a package registry in the lock file, the npm settings or the scripts',
  check(repository) {
    const findings: string[] = [];
    if (/"resolved":/.test(textOf(repository, 'package-lock.json')))
      findings.push('package-lock.json records download addresses');
    for (const [path, text] of repository) {
      const settings =
        path === '.npmrc' || path === 'package.json' || /^(?:packaging|\.ci)\//.test(path) || path.endsWith('.sh');
      if (settings && /\bregistry\s*=|https?:\/\/(?!localhost|127\.)/.test(text)) findings.push(`${path} names a host`);
    }
    return findings;
  },
  mustFail: [
    { 'package-lock.json': '{"resolved": "https://x"}' },
    { '.npmrc': 'registry=http://x' },
    { 'packaging/setup.sh': 'curl https://example.org/x' },
  ],
  mustPass: [{ 'package-lock.json': '{}', '.npmrc': 'fund=false', 'packaging/setup.sh': 'apt-get update' }],
};

const DEMO_COMMAND = 'npm ci && npm run demo';
const TEST_COMMAND = 'npm ci && npm test';

export const readmeCommands: Rule = {
  name: "README.md has the two commands, and CI runs README's own test command",
  check(repository) {
    const readme = textOf(repository, 'README.md').split('\n');
    const findings = [DEMO_COMMAND, TEST_COMMAND]
      .filter((command) => !readme.some((line) => line.trim() === command || line.startsWith(`${command} `)))
      .map((command) => `README.md lacks the command: ${command}`);
    const ci = textOf(repository, '.ci/run').split('\n');
    if (!ci.includes(TEST_COMMAND)) findings.push(`.ci/run does not run: ${TEST_COMMAND}`);
    return findings;
  },
  mustFail: [
    { 'README.md': `${DEMO_COMMAND}\n${TEST_COMMAND}`, '.ci/run': 'npm ci && npm run test:fast' },
    { 'README.md': `${TEST_COMMAND}`, '.ci/run': TEST_COMMAND },
  ],
  mustPass: [
    { 'README.md': `${DEMO_COMMAND}   # a minute\n${TEST_COMMAND}\n`, '.ci/run': `set -e\n${TEST_COMMAND}\n` },
  ],
};
