/** The directories of tasks as containers see them: in a user namespace, with and without an idmapped mount. */

import type { PosixSubject } from '../conformance/posix/subject.ts';
import { posixConformance } from '../conformance/posix.ts';
import { CONTAINER_AREAS, inContainer } from './helpers/containers.ts';
import { loopbackPlace } from './helpers/loopback-place.ts';
import { idmappingSkip, loopbackLacks } from './helpers/posix-abilities.ts';
import { mountTestsSkip } from './helpers/run.ts';

const skip = mountTestsSkip();

const mount: PosixSubject = {
  name: 'an alloc directory',
  ...(skip === undefined ? {} : { skip }),
  lacks: loopbackLacks(),
  areas: CONTAINER_AREAS,
  start: () => loopbackPlace(),
};

posixConformance(inContainer(mount, 'users'));
const idmapping = idmappingSkip();
posixConformance({ ...inContainer(mount, 'idmapped'), ...(idmapping === undefined ? {} : { skip: idmapping }) });
