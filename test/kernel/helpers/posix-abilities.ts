/** What the running kernel, and FUSE on it, lack of what the POSIX suite tries. */
import { release } from 'node:os';
import type { PosixAbility } from '../../conformance/posix/subject.ts';

type Lacks = Partial<Record<PosixAbility, string>>;

function isOlderThan(wantedMajor: number, wantedMinor: number): boolean {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  return major < wantedMajor || (major === wantedMajor && minor < wantedMinor);
}

export function kernelLacks(): Lacks {
  return isOlderThan(6, 6) ? { fchmodat2: 'needs fchmodat2(2) (Linux 6.6)' } : {};
}

/** Of what is served by the loopback engine. Everything else is as on ext4. */
export function loopbackLacks(): Lacks {
  const withPassthrough: Lacks = {
    'append-taken-away': 'FUSE passthrough writes with the O_APPEND that a file was opened with',
  };
  const withoutPassthrough: Lacks = { 'atime-of-cached-reads': 'FUSE does not tell of reads from the page cache' };
  return {
    ...kernelLacks(),
    'range-shifts': 'FUSE refuses to take ranges out of a file or to put them in',
    ...(isOlderThan(6, 9) ? withoutPassthrough : withPassthrough),
  };
}

/** Why directories served by FUSE cannot be mounted with other ids here. */
export function idmappingSkip(): string | undefined {
  return isOlderThan(6, 12) ? 'needs idmapped mounts of FUSE (Linux 6.12)' : undefined;
}
