/** The subjects of the POSIX suite as containers see them: in a user namespace, with and without an idmapped mount. */
import { chown } from 'node:fs/promises';
import type { PosixPlace, PosixSubject } from '../../conformance/posix/subject.ts';
import { compileProgram } from '../../tools/compile-program.ts';

/** What is 0 in the containers. */
export const CONTAINER_FIRST_ID = 200_000;

const NOT_IN_A_CONTAINER = 'only root of the host may';
const GROUPS_UNSEEN = 'through an idmapped mount the daemon does not know the groups of a caller';

/** Where owners and rights matter. */
export const CONTAINER_AREAS = [
  'open',
  'chmod',
  'chown',
  'groups and permissions',
  'link',
  'unlink',
  'rename',
  'mkdir and rmdir',
  'mknod and mkfifo',
  'O_TMPFILE',
  'extended attributes',
  'access control lists',
  'sockets',
] as const;

export type ContainerKind = 'users' | 'idmapped';

const NAMES: Readonly<Record<ContainerKind, string>> = {
  users: 'in a user namespace',
  idmapped: 'through an idmapped mount, in a user namespace',
};

/** The same subject, looked at from a container. */
export function inContainer(subject: PosixSubject, kind: ContainerKind): PosixSubject {
  let directory = '';
  return {
    ...subject,
    name: `${subject.name} ${NAMES[kind]}`,
    lacks: {
      ...subject.lacks,
      'host-root': NOT_IN_A_CONTAINER,
      ...(kind === 'idmapped' ? { 'loose-setgid': GROUPS_UNSEEN } : {}),
    },
    launch: (program) => [...containerCommand(kind, directory), program],
    start: async (): Promise<PosixPlace> => {
      const place = await subject.start();
      directory = place.directory;
      const owner = kind === 'users' ? CONTAINER_FIRST_ID : 0;
      await chown(directory, owner, owner);
      return { ...place, owner };
    },
  };
}

/** Runs what follows as root of a container that has the directory. */
export function containerCommand(kind: ContainerKind, directory: string): [string, ...string[]] {
  const program = compileProgram('test/kernel/native/container.cc', 'test-container');
  return [program, kind, String(CONTAINER_FIRST_ID), directory];
}
