/** The directories of tasks as containers see them: in a user namespace, with and without an idmapped mount. */

import assert from 'node:assert/strict';
import { chmod, stat } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { Actor } from '../conformance/posix/actor.ts';
import type { PosixSubject } from '../conformance/posix/subject.ts';
import { posixConformance } from '../conformance/posix.ts';
import {
  CONTAINER_AREAS,
  CONTAINER_FIRST_ID,
  type ContainerKind,
  containerCommand,
  inContainer,
} from './helpers/containers.ts';
import { loopbackPlace } from './helpers/loopback-place.ts';
import { idmappingSkip, loopbackLacks } from './helpers/posix-abilities.ts';
import { mountTestsSkip } from './helpers/run.ts';

const skip = mountTestsSkip();
const skipped = skip === undefined ? {} : { skip };

const mount: PosixSubject = {
  name: 'an alloc directory',
  ...skipped,
  lacks: loopbackLacks(),
  areas: CONTAINER_AREAS,
  start: () => loopbackPlace(),
};

posixConformance(inContainer(mount, 'users'));
const idmapping = idmappingSkip();
posixConformance({ ...inContainer(mount, 'idmapped'), ...(idmapping === undefined ? {} : { skip: idmapping }) });

/** Makes a file in the container as its user 5 and group 6. Resolves to owner and group of it on the disk, and in the container. */
async function ownersOf(kind: ContainerKind): Promise<{ disk: readonly number[]; inside: string }> {
  const place = await loopbackPlace();
  const { directory, mount: served } = place;
  let actor: Actor | undefined;
  try {
    await chmod(directory, 0o777);
    actor = new Actor((program) => [...containerCommand(kind, directory), program]);
    for (const line of [`chdir ${directory}`, 'as 5 6', 'create file 0600 text'])
      assert.equal(await actor.call(line), '0');
    assert.equal(await actor.call('as 7 7'), '0');
    assert.equal(await actor.call('content file'), 'EACCES');
    const { uid, gid } = await stat(served.backing('file'));
    const inside = await actor.call('stat file');
    return { disk: [uid, gid], inside };
  } finally {
    await actor?.end();
    await place.stop();
  }
}

describe('a file that a container makes', { timeout: 60_000, ...skipped }, () => {
  it('is, on the disk, of the ids that the container has outside [S182]', async () => {
    const { disk, inside } = await ownersOf('users');
    assert.deepEqual(disk, [CONTAINER_FIRST_ID + 5, CONTAINER_FIRST_ID + 6]);
    assert.match(inside, / uid=5 gid=6 /);
  });

  const skipsIdmapped = idmapping === undefined ? {} : { skip: idmapping };
  it('is, through an idmapped mount, of the ids that it has inside [S182]', skipsIdmapped, async () => {
    const { disk, inside } = await ownersOf('idmapped');
    assert.deepEqual(disk, [5, 6]);
    assert.match(inside, / uid=5 gid=6 /);
  });
});
