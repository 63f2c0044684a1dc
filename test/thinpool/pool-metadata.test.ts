import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { silentLog } from '../../src/base/log.ts';
import { jsonValue, stringKey } from '../../src/store/codecs.ts';
import { DEVICE_ID_MAX } from '../../src/thinpool/driver.ts';
import { PoolMetadata } from '../../src/thinpool/pool-metadata.ts';
import { makeStateDirectory, openStore } from '../store/state-directory.ts';

const device = (name: string) => ({ name, sizeBytes: 1024 });

function openMetadata(t: TestContext, stateDir: string = makeStateDirectory(t)): PoolMetadata {
  return new PoolMetadata(openStore(t, stateDir), 'test');
}

describe('addDevice', () => {
  it('is read back equal, with an id', async (t) => {
    const metadata = openMetadata(t);
    await metadata.addDevice({ name: 'test2', parentName: 'test1', sizeBytes: 1, state: 'Activated' });
    assert.deepEqual(metadata.getDevice('test2'), {
      name: 'test2',
      parentName: 'test1',
      sizeBytes: 1,
      state: 'Activated',
      deviceId: 1,
      error: '',
    });
  });

  it('refuses no name, and takes no id for it', async (t) => {
    const metadata = openMetadata(t);
    await assert.rejects(metadata.addDevice(device('')), { code: 'INVALID_ARGUMENT' });
    assert.throws(() => metadata.getDevice(''), { code: 'NOT_FOUND', message: /not found/ });
    assert.equal((await metadata.addDevice(device('a'))).deviceId, 1);
  });

  it('refuses a name that is taken', async (t) => {
    const metadata = openMetadata(t);
    await metadata.addDevice(device('test'));
    const taken = { code: 'ALREADY_EXISTS', message: /object already exists/ };
    await assert.rejects(metadata.addDevice(device('test')), taken);
  });

  it('replaces a Faulty record, with another id', async (t) => {
    const metadata = openMetadata(t);
    await metadata.addDevice(device('test'));
    await metadata.markFaulty('test', 'why');
    const again = await metadata.addDevice(device('test'));
    assert.equal(again.deviceId, 2);
    assert.equal(again.error, '');
    assert.deepEqual(metadata.idsSetAside(), [1]);
  });

  it('gives freed ids out before new ones, in the order of their digits', async (t) => {
    const metadata = openMetadata(t);
    for (let index = 1; index <= 11; index += 1) await metadata.addDevice(device(`d${index}`));
    for (const name of ['d9', 'd2', 'd10']) await metadata.removeDevice(name);
    const given: number[] = [];
    for (const name of ['a', 'b', 'c', 'd']) given.push((await metadata.addDevice(device(name))).deviceId);
    assert.deepEqual(given, [10, 2, 9, 12]);
  });

  it('says when all ids are given out, and what to do', async (t) => {
    const stateDir = makeStateDirectory(t);
    const store = openStore(t, stateDir);
    const rows = store.table('thinpool-pools', stringKey, jsonValue<unknown>());
    store.transactBuffered(() => rows.put('test', { next_id: DEVICE_ID_MAX, transaction_id: 0 }));
    const metadata = new PoolMetadata(store, 'test');
    assert.equal((await metadata.addDevice(device('last'))).deviceId, 0xff_ff_ff);
    const message = "dm-meta: couldn't find free device key";
    await assert.rejects(metadata.addDevice(device('one-more')), { code: 'NO_SPACE', message });
    await metadata.removeDevice('last');
    assert.equal((await metadata.addDevice(device('one-more'))).deviceId, 0xff_ff_ff);
  });

  it('gives an id that is set aside to nobody', async (t) => {
    const metadata = openMetadata(t);
    await metadata.setIdsAside([1, 3]);
    assert.equal((await metadata.addDevice(device('a'))).deviceId, 2);
    assert.equal((await metadata.addDevice(device('b'))).deviceId, 4);
    await metadata.freeId(3);
    assert.equal((await metadata.addDevice(device('c'))).deviceId, 3);
  });
});

describe('removeDevice', () => {
  it('frees the id', async (t) => {
    const metadata = openMetadata(t);
    const { deviceId: first } = await metadata.addDevice(device('test1'));
    const { deviceId: second } = await metadata.addDevice(device('test2'));
    assert.notEqual(first, second);
    await metadata.removeDevice('test2');
    assert.equal((await metadata.addDevice(device('test3'))).deviceId, second);
  });

  it('leaves no record', async (t) => {
    const metadata = openMetadata(t);
    await metadata.addDevice(device('test'));
    await metadata.removeDevice('test');
    assert.throws(() => metadata.getDevice('test'), { code: 'NOT_FOUND' });
    await assert.rejects(metadata.removeDevice('test'), { code: 'NOT_FOUND' });
  });
});

describe('promisedBytes', () => {
  it('is the sum of the sizes after every change, and those that failed do not count', async (t) => {
    const metadata = openMetadata(t);
    const { sizeBytes } = await metadata.addDevice(device('a'));
    assert.equal(metadata.promisedBytes, sizeBytes);
    await metadata.addDevice(device('b'));
    await assert.rejects(metadata.addDevice(device('b')), { code: 'ALREADY_EXISTS' });
    assert.equal(metadata.promisedBytes, 2 * sizeBytes);
    await metadata.updateDevice('b', (draft) => {
      draft.sizeBytes += 7;
    });
    const failing = metadata.updateDevice('b', (draft) => {
      draft.sizeBytes = 5;
      throw new RangeError('mine');
    });
    await assert.rejects(failing, RangeError);
    assert.equal(metadata.promisedBytes, 2 * sizeBytes + 7);
    await metadata.markFaulty('a', 'by hand');
    await metadata.addDevice({ ...device('a'), sizeBytes: 100 });
    assert.equal(metadata.promisedBytes, sizeBytes + 107);
    await metadata.removeDevice('b');
    metadata.removeDeviceBuffered('a');
    assert.equal(metadata.promisedBytes, 0);
  });
});

describe('updateDevice', () => {
  it('keeps what was changed', async (t) => {
    const metadata = openMetadata(t);
    await metadata.addDevice(device('test'));
    await metadata.updateDevice('test', (draft) => {
      draft.sizeBytes = 11;
      draft.parentName = 'p';
      draft.state = 'Created';
    });
    const { name, sizeBytes, parentName, state } = metadata.getDevice('test');
    assert.deepEqual([name, sizeBytes, parentName, state], ['test', 11, 'p', 'Created']);
  });

  it('keeps nothing if the callback throws, or touches name or id', async (t) => {
    const metadata = openMetadata(t);
    const before = await metadata.addDevice(device('test'));
    const failing = metadata.updateDevice('test', (draft) => {
      draft.sizeBytes = 5;
      throw new RangeError('mine');
    });
    await assert.rejects(failing, RangeError);
    for (const change of [{ name: 'other' }, { deviceId: 9 }]) {
      const update = metadata.updateDevice('test', (draft) => void Object.assign(draft, change));
      await assert.rejects(update, { code: 'INVALID_ARGUMENT' });
    }
    assert.deepEqual(metadata.getDevice('test'), before);
    assert.deepEqual(metadata.getDeviceNames(), ['test']);
    await assert.rejects(
      metadata.updateDevice('none', () => undefined),
      { code: 'NOT_FOUND' },
    );
  });
});

describe('a Faulty device', () => {
  it('keeps its id, which is set aside', async (t) => {
    const metadata = openMetadata(t);
    await metadata.addDevice(device('test'));
    await metadata.markFaulty('test', 'the reason');
    const { state, deviceId, error } = metadata.getDevice('test');
    assert.deepEqual([state, deviceId, error], ['Faulty', 1, 'the reason']);
    assert.deepEqual(metadata.idsSetAside(), [1]);
  });

  it('gives its id back when it is removed, and keeps it when it is repaired', async (t) => {
    const metadata = openMetadata(t);
    for (const name of ['a', 'b']) {
      await metadata.addDevice(device(name));
      await metadata.markFaulty(name, 'x');
    }
    await metadata.removeDevice('a');
    await metadata.markRepaired('b', 'Deactivated');
    assert.deepEqual(metadata.idsSetAside(), []);
    assert.deepEqual(metadata.getDevice('b'), {
      ...metadata.getDevice('b'),
      state: 'Deactivated',
      error: '',
      deviceId: 2,
    });
    assert.equal((await metadata.addDevice(device('c'))).deviceId, 1);
    assert.equal((await metadata.addDevice(device('d'))).deviceId, 3);
  });
});

describe('walking', () => {
  it('is in the order of names, with all fields', async (t) => {
    const metadata = openMetadata(t);
    const added = [];
    for (const name of ['b', 'c', 'a']) {
      added.push(await metadata.addDevice({ name, sizeBytes: 7, parentName: 'p', state: 'Created' }));
    }
    const sorted = added.toSorted((one, other) => (one.name < other.name ? -1 : 1));
    assert.deepEqual([...metadata.walkDevices()], sorted);
    assert.deepEqual(metadata.getDeviceNames(), ['a', 'b', 'c']);
  });

  it('shows only the pool that is asked for', async (t) => {
    const store = openStore(t, makeStateDirectory(t));
    const [one, other] = [new PoolMetadata(store, 'pool'), new PoolMetadata(store, 'pool2')];
    await one.addDevice(device('a'));
    await other.addDevice(device('b'));
    assert.deepEqual([one.getDeviceNames(), other.getDeviceNames()], [['a'], ['b']]);
    assert.equal(other.getDevice('b').deviceId, 1);
  });
});

describe('replaceId', () => {
  it('sets the old id aside and keeps everything else', async (t) => {
    const metadata = openMetadata(t);
    const before = await metadata.addDevice(device('test'));
    assert.deepEqual(await metadata.replaceId('test'), { ...before, deviceId: 2 });
    assert.deepEqual(metadata.idsSetAside(), [1]);
  });
});

describe('the number of the last change', () => {
  it('rises with each new device and removal that asks for one, and is kept', async (t) => {
    const stateDir = makeStateDirectory(t);
    const first = PoolMetadata.open({ stateDir, pool: 'test', log: silentLog });
    assert.equal(first.transaction, 0);
    assert.equal((await first.addDeviceNumbered(device('a'))).transaction, 1);
    assert.equal((await first.changeDeviceStateNumbered('a', 'Removing')).transaction, 2);
    await first.close();
    await first.close();
    const second = PoolMetadata.open({ stateDir, pool: 'test', log: silentLog });
    t.after(() => second.close());
    assert.equal(second.transaction, 2);
    assert.equal(second.getDevice('a').state, 'Removing');
    await second.setTransaction(9);
    assert.equal(second.transaction, 9);
  });
});
