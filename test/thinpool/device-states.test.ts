import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  DEVICE_OPERATIONS,
  DEVICE_STATES,
  isDeviceState,
  isInBetween,
  SETTLEMENTS,
} from '../../src/thinpool/device-states.ts';

describe('the states of a device', () => {
  it('are the fourteen of the reference', () => {
    assert.equal(DEVICE_STATES.length, 14);
    assert.equal(new Set(DEVICE_STATES).size, 14);
    assert.ok(DEVICE_STATES.every(isDeviceState));
    for (const other of ['', 'activated', 5, undefined]) assert.equal(isDeviceState(other), false);
  });

  it('are in between exactly while something is tried', () => {
    const inBetween = ['Unknown', 'Creating', 'Activating', 'Suspending', 'Resuming', 'Deactivating', 'Removing'];
    assert.deepEqual(DEVICE_STATES.filter(isInBetween), inBetween);
  });

  it('are never undone once the device had been handed to somebody', () => {
    const undone = DEVICE_STATES.filter((state) => SETTLEMENTS[state] === 'undo');
    assert.deepEqual(undone, ['Unknown', 'Creating']);
  });
});

describe('the operations', () => {
  it('begin in states that last, and end in one', () => {
    for (const [name, { trying, done, from }] of Object.entries(DEVICE_OPERATIONS)) {
      assert.ok(isInBetween(trying), name);
      assert.ok(!isInBetween(done), name);
      assert.ok(name === 'create' || !from.some(isInBetween), name);
    }
  });

  it('leave a Faulty device alone, except its removal', () => {
    const taken = Object.entries(DEVICE_OPERATIONS).filter(([, { from }]) =>
      (from as readonly string[]).includes('Faulty'),
    );
    assert.deepEqual(
      taken.map(([name]) => name),
      ['remove'],
    );
  });
});
