/** The suites of thin pools themselves, on a driver that is nothing but files: what they ask for can be had. */
import { fileSubject } from '../../thinpool/helpers/file-subject.ts';
import { crashSuite } from './crash-suite.ts';
import { driverSuite } from './driver-suite.ts';
import { poolSuite } from './pool-suite.ts';

const options = { hasKernel: false, holdsRawWrites: false } as const;

driverSuite('files', fileSubject, options);
poolSuite('files', fileSubject, options);
crashSuite('files', fileSubject, { ...options, runs: 60 });
