/** The POSIX suites on ext4 itself: what they expect is what ext4 does, and not what we do. */

import type { PosixSubject } from '../conformance/posix/subject.ts';
import { posixConformance } from '../conformance/posix.ts';
import { contentConformance } from '../conformance/posix-content.ts';
import { differentialConformance } from '../conformance/posix-differential.ts';
import { inContainer } from './helpers/containers.ts';
import { diskPlace } from './helpers/disk-place.ts';
import { kernelLacks } from './helpers/posix-abilities.ts';
import { mountTestsSkip } from './helpers/run.ts';

const skip = mountTestsSkip();

const disk: PosixSubject = {
  name: 'ext4',
  ...(skip === undefined ? {} : { skip }),
  lacks: kernelLacks(),
  start: diskPlace,
};

posixConformance(disk);
contentConformance(disk);
differentialConformance(disk, disk);
for (const kind of ['users', 'idmapped'] as const) {
  posixConformance({ ...inContainer(disk, kind), areas: ['chown', 'groups and permissions', 'mknod and mkfifo'] });
}
