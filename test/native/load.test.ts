import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { loadNative } from '../../src/native/load.ts';

test('the addon is loaded once', () => {
  assert.equal(loadNative(), loadNative());
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
