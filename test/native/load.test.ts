import assert from 'node:assert/strict';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { after, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { loadAddon, loadNative, missingNativePart } from '../../src/native/load.ts';
import { evaluateIn, unbuiltPackage } from '../tools/unbuilt-package.ts';

const unbuilt = unbuiltPackage();
after(() => rmSync(unbuilt, { recursive: true, force: true }));

test('the addon is loaded once', () => {
  assert.equal(loadNative(), loadNative());
  assert.equal(loadNative(), loadAddon());
  assert.equal(missingNativePart(), undefined);
});

test('without its build there is no addon, and a stand-in that says why', () => {
  const program = `
    const { loadAddon, loadNative, missingNativePart } = await import('./src/native/load.js');
    const attempt = (act) => { try { return { value: act() }; } catch ({ code, message, remedy }) { return { code, message, remedy }; } };
    console.log(JSON.stringify({
      addon: attempt(loadAddon),
      part: missingNativePart()?.code,
      device: attempt(() => loadNative().openFuseDevice()),
      same: loadNative() === loadNative(),
    }));`;
  const { addon, part, device, same } = evaluateIn(unbuilt, program) as Record<string, Record<string, string>>;
  assert.equal(addon?.['code'], 'MISSING_DEPENDENCY');
  assert.equal(part, 'MISSING_DEPENDENCY');
  assert.equal(device?.['code'], 'MISSING_DEPENDENCY');
  assert.match(
    device?.['message'] ?? '',
    /^the kernel transport needs the addon of dunnage: .*dunnage\.node is not built/,
  );
  assert.equal(device?.['remedy'], 'build it: npm run build');
  assert.equal(same, true);
});

test('a worker loads it too, and works with descriptors of the main thread', async () => {
  const native = loadNative();
  const [ours, theirs] = native.socketPair('seqpacket');
  const url = new URL('../../src/native/load.js', import.meta.url).href;
  const program = `import(${JSON.stringify(url)}).then(({ loadNative }) => loadNative().sendMessage(${theirs}, Buffer.from('hello'), []))`;
  const worker = new Worker(program, { eval: true });
  await once(worker, 'exit');
  assert.equal(native.receiveMessage(ours, 64, 1000).data.toString(), 'hello');
  native.closeDescriptor(ours);
  native.closeDescriptor(theirs);
});
