/** What the running kernel lacks of what the POSIX suite tries. */
import { release } from 'node:os';
import type { PosixAbility } from '../../conformance/posix/subject.ts';

export function kernelLacks(): Partial<Record<PosixAbility, string>> {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  const isOlderThan = (wantedMajor: number, wantedMinor: number): boolean =>
    major < wantedMajor || (major === wantedMajor && minor < wantedMinor);
  return isOlderThan(6, 6) ? { fchmodat2: 'needs fchmodat2(2) (Linux 6.6)' } : {};
}
