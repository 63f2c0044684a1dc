import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Feature, INIT_FLAG } from '../../src/fuse/abi.ts';
import { PROFILES } from '../../src/fuse/profiles.ts';

/** Nobody answers what these have the kernel ask or leave out. */
const UNANSWERED: readonly Feature[] = [
  'WRITEBACK_CACHE',
  'POSIX_LOCKS',
  'FLOCK_LOCKS',
  'EXPORT_SUPPORT',
  'OVER_IO_URING',
];
/** Right for a real directory beneath; the trees that TypeScript answers could not keep them. */
const WRITABLE_ONLY: readonly Feature[] = [
  'ATOMIC_O_TRUNC',
  'DO_READDIRPLUS',
  'READDIRPLUS_AUTO',
  'DONT_MASK',
  'POSIX_ACL',
];

describe('profiles', () => {
  for (const profile of Object.values(PROFILES)) {
    it(`${profile.name} asks for nothing the file systems could not keep`, () => {
      const forbidden = profile.name === 'allocs' ? UNANSWERED : [...UNANSWERED, ...WRITABLE_ONLY];
      for (const feature of forbidden) assert.ok(!profile.features.includes(feature), feature);
    });

    it(`${profile.name} asks for INIT_EXT with the features that need it, and for each once`, () => {
      assert.ok(profile.features.some((feature) => INIT_FLAG[feature] >= 32) === profile.features.includes('INIT_EXT'));
      assert.equal(new Set(profile.features).size, profile.features.length);
    });
  }

  it('differ in what the kernel does without asking', () => {
    assert.ok(PROFILES.projections.features.includes('NO_OPEN_SUPPORT'));
    assert.ok(
      !PROFILES.root.features.includes('NO_OPEN_SUPPORT') && !PROFILES.root.features.includes('CACHE_SYMLINKS'),
    );
  });

  it('audited is asked at every open, and by whom', () => {
    const { features } = PROFILES.audited;
    assert.ok(!features.includes('NO_OPEN_SUPPORT') && !features.includes('ALLOW_IDMAP'));
    assert.ok(features.includes('CACHE_SYMLINKS') && features.includes('NO_OPENDIR_SUPPORT'));
  });
});
