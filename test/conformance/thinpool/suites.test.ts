/** The suites of thin pools themselves, on a driver that is nothing but files: what they ask for can be had. */
import { fileSubject } from '../../thinpool/helpers/file-subject.ts';
import { driverSuite } from './driver-suite.ts';

driverSuite('files', fileSubject, { hasKernel: false });
