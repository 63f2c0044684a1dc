import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  type DeviceInfo,
  deviceInfoCodec,
  fromDeviceInfoJson,
  toDeviceInfoJson,
} from '../../src/thinpool/device-info.ts';

const INFO: DeviceInfo = {
  name: 'test2',
  deviceId: 7,
  sizeBytes: 1024,
  parentName: 'test1',
  state: 'Activated',
  error: 'why',
};

describe('the record of a device', () => {
  it('is JSON with the keys of the reference', () => {
    assert.deepEqual(JSON.parse(Buffer.from(deviceInfoCodec.encode(INFO)).toString()), {
      device_id: 7,
      size: 1024,
      name: 'test2',
      parent_name: 'test1',
      state: 'Activated',
      error: 'why',
    });
  });

  it('is read back equal', () => {
    assert.deepEqual(deviceInfoCodec.decode(deviceInfoCodec.encode(INFO)), INFO);
  });

  it('is refused if a key is missing or of another type', () => {
    const whole = toDeviceInfoJson(INFO);
    for (const key of Object.keys(whole)) {
      for (const value of [undefined, null, {}, 1.5]) {
        assert.throws(() => fromDeviceInfoJson({ ...whole, [key]: value }), TypeError, key);
      }
    }
    assert.throws(() => fromDeviceInfoJson({ ...whole, state: 'activated' }), TypeError);
    for (const other of [null, 5, 'x', []]) assert.throws(() => fromDeviceInfoJson(other), TypeError);
  });
});
