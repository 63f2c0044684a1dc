/** Processes that die on the kernel's own device-mapper: at each step, and in random sequences. */
import { describe } from 'node:test';
import { crashSuite } from '../conformance/thinpool/crash-suite.ts';
import { DeviceMapperSubject, SUITE_OPTIONS, skipUnlessDeviceMapper } from './helpers/device-mapper-subject.ts';

describe('the driver devicemapper', { skip: skipUnlessDeviceMapper() }, () => {
  // A kernel in user mode starts a program in a tenth of a second, and each start of a pool needs two: not every point here. All of them
  // are tried on the other drivers.
  const slow = { runs: 4, withoutReboots: true, stride: 5 } as const;
  crashSuite('devicemapper', () => DeviceMapperSubject.make(), { ...SUITE_OPTIONS, ...slow });
});
