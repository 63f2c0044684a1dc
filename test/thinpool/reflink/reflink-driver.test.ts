/** The driver `reflink` against the suites of all drivers, on both file systems it can use. What is its own is in test/kernel/thinpool. */
import { after, before, describe } from 'node:test';
import { crashSuite } from '../../conformance/thinpool/crash-suite.ts';
import { driverSuite } from '../../conformance/thinpool/driver-suite.ts';
import { poolSuite } from '../../conformance/thinpool/pool-suite.ts';
import { ScratchFileSystem, type ScratchType, skipUnlessScratch } from '../../tools/scratch-file-system.ts';
import { reflinkSubject } from '../helpers/reflink-subject.ts';

const OPTIONS = { hasKernel: true, holdsRawWrites: false, suspensionEndsWithProcess: true } as const;

for (const type of ['xfs', 'btrfs'] as const satisfies readonly ScratchType[]) {
  describe(`reflink on ${type}`, { skip: skipUnlessScratch(type) }, () => {
    let scratch: ScratchFileSystem;
    before(() => {
      scratch = new ScratchFileSystem(type, 512);
    });
    after(() => scratch.close());
    const factory = () => reflinkSubject(scratch);
    driverSuite(`reflink on ${type}`, factory, OPTIONS);
    poolSuite(`reflink on ${type}`, factory, OPTIONS);
    // Long, and about what is done in which order: that is the same on both.
    if (type === 'xfs') crashSuite(`reflink on ${type}`, factory, { ...OPTIONS, runs: 10 });
  });
}
