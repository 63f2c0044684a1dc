/** The subjects of the POSIX suite as containers see them: in a user namespace, with and without an idmapped mount. */
import { chown } from 'node:fs/promises';
import type { PosixPlace, PosixSubject } from '../../conformance/posix/subject.ts';
import { compileProgram } from '../../tools/compile-program.ts';
import { begin } from './run.ts';

/** Of the ids of the containers. */
const FIRST_ID = 200_000;

const NOT_IN_A_CONTAINER = 'only root of the host may';

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
    lacks: { ...subject.lacks, 'host-root': NOT_IN_A_CONTAINER },
    launch: (program) => [containerProgram(), kind, String(FIRST_ID), directory, program],
    start: async (): Promise<PosixPlace> => {
      const place = await subject.start();
      directory = place.directory;
      const owner = kind === 'users' ? FIRST_ID : 0;
      await chown(directory, owner, owner);
      return { ...place, owner };
    },
  };
}

function containerProgram(): string {
  return compileProgram('test/kernel/native/container.cc', 'test-container');
}

/** Whether this kernel makes idmapped mounts of that directory; if not, its words. */
export async function idmappingRefusal(directory: string): Promise<string | undefined> {
  const { code, stderr } = await begin(containerProgram(), ['idmapped', String(FIRST_ID), directory, '/bin/true'])
    .ended;
  return code === 0 ? undefined : stderr.trim();
}
