/** A worker thread with the store open: runs what the test asks for, one request after another. */
import { parentPort, workerData } from 'node:worker_threads';
import { silentLog } from '../../../src/base/log.ts';
import { bytesValue, jsonValue, numberKey, stringKey } from '../../../src/store/codecs.ts';
import { plainDigest } from '../../../src/store/digest.ts';
import { Store } from '../../../src/store/store.ts';

export type WorkerRequest =
  | { readonly kind: 'put'; readonly key: string; readonly value: number; readonly durable: boolean }
  | { readonly kind: 'get'; readonly key: string }
  | { readonly kind: 'increment'; readonly times: number }
  | { readonly kind: 'fill'; readonly first: number; readonly count: number; readonly sizeBytes: number }
  | { readonly kind: 'digests'; readonly first: number; readonly count: number }
  | { readonly kind: 'close' };

const { stateDir, mapSizeBytes } = workerData as { stateDir: string; mapSizeBytes?: number };
const store = Store.open({ stateDir, log: silentLog, ...(mapSizeBytes === undefined ? {} : { mapSizeBytes }) });
const counters = store.table('counters', stringKey, jsonValue<number>());
const contents = store.table('contents', numberKey, bytesValue);

async function answer(request: WorkerRequest): Promise<unknown> {
  switch (request.kind) {
    case 'put': {
      const put = (): void => counters.put(request.key, request.value);
      return request.durable ? await store.transactDurable(put) : store.transactBuffered(put);
    }
    case 'get':
      store.refresh();
      return counters.get(request.key);
    case 'increment':
      for (let time = 0; time < request.times; time += 1) {
        store.transactBuffered(() => counters.put('shared', (counters.get('shared') ?? 0) + 1));
        if (time % 10 === 0) await new Promise(setImmediate);
      }
      return undefined;
    case 'fill':
      for (let key = request.first; key < request.first + request.count; key += 1) {
        store.transactBuffered(() => contents.put(key, Buffer.alloc(request.sizeBytes, key)));
        if (key % 4 === 0) await new Promise(setImmediate);
      }
      return undefined;
    case 'digests': {
      store.refresh();
      const found: (string | undefined)[] = [];
      for (let key = request.first; key < request.first + request.count; key += 1) {
        const content = contents.get(key);
        found.push(content === undefined ? undefined : plainDigest(content).toString('hex'));
      }
      return found;
    }
    case 'close':
      await store.close();
      return undefined;
  }
}

parentPort?.on('message', (request: WorkerRequest) => {
  answer(request).then(
    (value) => parentPort?.postMessage({ value }),
    (error: unknown) => parentPort?.postMessage({ error: String(error) }),
  );
});
parentPort?.postMessage({ value: 'ready' });
