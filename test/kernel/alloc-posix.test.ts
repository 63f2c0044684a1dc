/** The directories of tasks behave as ext4 does: the POSIX suites through the loopback engine. */

import type { PosixSubject } from '../conformance/posix/subject.ts';
import { posixConformance } from '../conformance/posix.ts';
import { contentConformance } from '../conformance/posix-content.ts';
import { differentialConformance } from '../conformance/posix-differential.ts';
import { diskPlace } from './helpers/disk-place.ts';
import { loopbackPlace } from './helpers/loopback-place.ts';
import { kernelLacks, loopbackLacks } from './helpers/posix-abilities.ts';
import { mountTestsSkip } from './helpers/run.ts';

const skip = mountTestsSkip();

const skipped = skip === undefined ? {} : { skip };
const disk: PosixSubject = { ...skipped, name: 'ext4', lacks: kernelLacks(), start: diskPlace };
const mount: PosixSubject = {
  ...skipped,
  name: 'an alloc directory',
  lacks: loopbackLacks(),
  start: () => loopbackPlace(),
};

posixConformance(mount);
contentConformance(mount);
differentialConformance(disk, mount);
