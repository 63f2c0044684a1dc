/** A PoolDevice on the kernel's own device-mapper. */
import { describe } from 'node:test';
import { poolSuite } from '../conformance/thinpool/pool-suite.ts';
import { DeviceMapperSubject, SUITE_OPTIONS, skipUnlessDeviceMapper } from './helpers/device-mapper-subject.ts';

describe('the driver devicemapper', { skip: skipUnlessDeviceMapper() }, () => {
  poolSuite('devicemapper', () => DeviceMapperSubject.make(), SUITE_OPTIONS);
});
