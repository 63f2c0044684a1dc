/** What every driver does, on the kernel's own device-mapper. What only this driver has is in device-mapper-pool.test.ts. */
import { describe } from 'node:test';
import { driverSuite } from '../conformance/thinpool/driver-suite.ts';
import { DeviceMapperSubject, SUITE_OPTIONS, skipUnlessDeviceMapper } from './helpers/device-mapper-subject.ts';

describe('the driver devicemapper', { skip: skipUnlessDeviceMapper() }, () => {
  driverSuite('devicemapper', () => DeviceMapperSubject.make(), SUITE_OPTIONS);
});
