import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseUpConfig, UP_CONFIG_KEYS } from '../../../src/cli/config/up-config.ts';
import { buildProgram } from '../../../src/cli/program.ts';

test('every key is read', () => {
  const text = UP_CONFIG_KEYS.map(
    (key) =>
      `${key} = "${key === 'transport' ? 'kernel' : key === 'log_level' ? 'warn' : key === 'log_format' ? 'json' : '/x'}"`,
  );
  const config = parseUpConfig(text.join('\n'), 'f.toml');
  assert.deepEqual(Object.keys(config).sort(), [...UP_CONFIG_KEYS].sort());
  assert.equal(config.log_level, 'warn');
  assert.equal(Object.keys(parseUpConfig('', 'f.toml')).length, 0);
});

test('the keys are the long options of up, but for those that make no sense in a file', () => {
  const program = buildProgram();
  const up = program.commands.find((command) => command.name() === 'up');
  const options = (up?.options ?? []).map((option) => option.long?.slice(2).replaceAll('-', '_'));
  const expected = [...options, 'socket'].filter((key) => key !== 'config' && key !== 'detach');
  assert.deepEqual([...UP_CONFIG_KEYS].sort(), expected.sort());
});

test('an unknown key is refused with the nearest valid one', () => {
  const refused = (text: string, message: RegExp, remedy?: RegExp): void => {
    assert.throws(() => parseUpConfig(text, 'f.toml'), {
      code: 'INVALID_ARGUMENT',
      message,
      ...(remedy === undefined ? {} : { remedy }),
    });
  };
  refused('stat_dir = "/x"', /^f\.toml: unknown key "stat_dir"$/, /^did you mean state_dir\?$/);
  refused('state-dir = "/x"', /"state-dir"/, /^did you mean state_dir\?$/);
  refused('banana = 1', /"banana"/, /^valid keys: state_dir, /);
  refused('__proto__ = 1', /__proto__/);
});

test('a wrong value and wrong TOML say where', () => {
  assert.throws(() => parseUpConfig('log_level = "loud"', 'f.toml'), {
    message: 'f.toml: log_level: must be one of debug, info, warn, error',
  });
  assert.throws(() => parseUpConfig('mount = 5', 'f.toml'), { message: 'f.toml: mount: must be string' });
  assert.throws(() => parseUpConfig('[mount]\nx = 1', 'f.toml'), { message: 'f.toml: mount: must be string' });
  assert.throws(() => parseUpConfig('mount = "/x"\nmount', 'f.toml'), {
    code: 'INVALID_ARGUMENT',
    message: /^f\.toml:2: not valid TOML: /,
  });
});
