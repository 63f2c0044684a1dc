import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { builtFile } from '../../src/native/built-file.ts';

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'dunnage-built-file-')));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Runs builtFile of a copy of the compiled sources that lies somewhere else. */
function lookUpIn(copy: string): { path?: string; code?: string; remedy?: string } {
  cpSync(fileURLToPath(new URL('../../src', import.meta.url)), join(copy, 'src'), { recursive: true });
  const module = join(copy, 'src/native/built-file.js');
  const program = `
    const { builtFile } = await import(${JSON.stringify(module)});
    try { console.log(JSON.stringify({ path: builtFile('dunnage.node') })); }
    catch ({ code, remedy }) { console.log(JSON.stringify({ code, remedy })); }
  `;
  const result = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
  return JSON.parse(result.stdout) as ReturnType<typeof lookUpIn>;
}

test('outputs are found beside the package.json above the module', () => {
  assert.ok(builtFile('dunnage.node').endsWith('/build/Release/dunnage.node'));
});

test('a package.json that is a link leads to the build of the real one', () => {
  const real = join(folder, 'real');
  mkdirSync(join(real, 'build/Release'), { recursive: true });
  writeFileSync(join(real, 'package.json'), '{"type":"module"}');
  writeFileSync(join(real, 'build/Release/dunnage.node'), '');
  const compiled = join(folder, 'compiled');
  mkdirSync(compiled);
  symlinkSync(join(real, 'package.json'), join(compiled, 'package.json'));
  assert.deepEqual(lookUpIn(compiled), { path: join(real, 'build/Release/dunnage.node') });
});

test('an output that was not built is a missing dependency, with the command that builds it', () => {
  const unbuilt = join(folder, 'unbuilt');
  mkdirSync(unbuilt);
  writeFileSync(join(unbuilt, 'package.json'), '{"type":"module"}');
  assert.deepEqual(lookUpIn(unbuilt), { code: 'MISSING_DEPENDENCY', remedy: 'build it: npm run build' });
  assert.equal(dirname(unbuilt), folder);
});
