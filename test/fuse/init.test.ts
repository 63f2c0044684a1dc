import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { limits } from '../../src/base/limits.ts';
import { DunnageError } from '../../src/errors/dunnage-error.ts';
import { type Feature, INIT_FLAG } from '../../src/fuse/abi.ts';
import { decodeNegotiated, encodeNegotiated, type InitOffer, negotiate } from '../../src/fuse/init.ts';
import { PROFILES } from '../../src/fuse/profiles.ts';

const FEATURES = Object.keys(INIT_FLAG) as Feature[];

function words(features: readonly Feature[]): { flags: number; flags2: number } {
  let value = 0n;
  for (const feature of features) value |= 1n << BigInt(INIT_FLAG[feature]);
  return { flags: Number(value & 0xffff_ffffn), flags2: Number(value >> 32n) };
}

/** What kernels offer, by `fuse_send_init` of each. */
const LINUX_5_10: Feature[] = FEATURES.filter((feature) => INIT_FLAG[feature] <= INIT_FLAG.EXPLICIT_INVAL_DATA);
const LINUX_6_1: Feature[] = [
  ...LINUX_5_10,
  'HANDLE_KILLPRIV_V2',
  'SETXATTR_EXT',
  'INIT_EXT',
  'SECURITY_CTX',
  'CREATE_SUPP_GROUP',
];
const LINUX_6_9: Feature[] = [
  ...LINUX_6_1,
  'HAS_EXPIRE_ONLY',
  'DIRECT_IO_ALLOW_MMAP',
  'PASSTHROUGH',
  'NO_EXPORT_SUPPORT',
  'HAS_RESEND',
];
const LINUX_6_18: Feature[] = [...LINUX_6_9, 'ALLOW_IDMAP', 'REQUEST_TIMEOUT'];

const offerOf = (minor: number, features: readonly Feature[]): InitOffer => ({
  major: 7,
  minor,
  readaheadBytesMax: 131_072,
  ...words(features),
});

const BASE: Feature[] = ['ASYNC_READ', 'ASYNC_DIO', 'BIG_WRITES', 'PARALLEL_DIROPS', 'ABORT_ERROR', 'MAX_PAGES'];
const ZERO_MESSAGE: Feature[] = ['AUTO_INVAL_DATA', 'NO_OPEN_SUPPORT', 'NO_OPENDIR_SUPPORT', 'CACHE_SYMLINKS'];

describe('negotiate', () => {
  const table: [string, InitOffer, Feature[]][] = [
    ['Linux 5.10', offerOf(32, LINUX_5_10), []],
    ['Linux 6.1', offerOf(37, LINUX_6_1), []],
    ['Linux 6.9', offerOf(40, LINUX_6_9), ['INIT_EXT', 'HAS_RESEND']],
    ['Linux 6.18', offerOf(45, LINUX_6_18), ['INIT_EXT', 'HAS_RESEND', 'ALLOW_IDMAP']],
  ];
  for (const [kernel, offer, newer] of table) {
    it(`uses what ${kernel} has`, () => {
      const root = negotiate(offer, PROFILES.root).negotiated;
      const projections = negotiate(offer, PROFILES.projections).negotiated;
      assert.deepEqual(new Set(root?.features), new Set([...BASE, ...newer]));
      assert.deepEqual(new Set(projections?.features), new Set([...BASE, ...ZERO_MESSAGE, ...newer]));
      assert.equal(projections?.minor, offer.minor);
      assert.equal(projections?.writeBytesMax, limits.fuseWriteBytesMax);
    });
  }

  it('writes the reply as the kernel reads it', () => {
    const { reply } = negotiate(offerOf(45, LINUX_6_18), PROFILES.projections);
    const view = Buffer.from(reply);
    assert.equal(view.length, 64);
    assert.deepEqual([view.readUInt32LE(0), view.readUInt32LE(4)], [7, 45]);
    assert.equal(view.readUInt32LE(8), 131_072);
    const { flags, flags2 } = words([...BASE, ...ZERO_MESSAGE, 'INIT_EXT', 'HAS_RESEND', 'ALLOW_IDMAP']);
    assert.equal(view.readUInt32LE(12), flags);
    assert.equal(view.readUInt32LE(32), flags2);
    assert.equal(view.readUInt32LE(20), limits.fuseWriteBytesMax);
    assert.equal(view.readUInt16LE(28), 256, 'max_pages');
    assert.ok(view.readUInt16LE(16) >= view.readUInt16LE(18), 'congestion below background');
    assert.deepEqual([...view.subarray(36)], new Array(28).fill(0));
  });

  it('answers a newer minor version with the newest it knows', () => {
    assert.equal(negotiate(offerOf(99, LINUX_6_18), PROFILES.root).negotiated?.minor, 45);
  });

  it('answers a newer major version with its own and waits for another INIT', () => {
    const { reply, negotiated } = negotiate({ ...offerOf(0, FEATURES), major: 8 }, PROFILES.root);
    assert.equal(negotiated, undefined);
    assert.equal(Buffer.from(reply).readUInt32LE(0), 7);
    assert.equal(Buffer.from(reply).readUInt32LE(12), 0);
  });

  for (const [major, minor] of [
    [7, 30],
    [7, 0],
    [6, 45],
  ] as const) {
    it(`refuses ${major}.${minor} and says which kernel is needed`, () => {
      assert.throws(
        () => negotiate({ ...offerOf(minor, LINUX_5_10), major }, PROFILES.root),
        (error) =>
          error instanceof DunnageError && error.code === 'NOT_SUPPORTED' && /Linux 5\.10/.test(error.remedy ?? ''),
      );
    });
  }

  it('ignores flags2 of a kernel that does not announce it', () => {
    const offer = { ...offerOf(45, LINUX_5_10), flags2: 0xffff_ffff };
    assert.ok(!negotiate(offer, PROFILES.root).negotiated?.features.includes('HAS_RESEND'));
  });

  it('never uses a feature that was not offered, and sends no bit it does not record', () => {
    fc.assert(
      fc.property(
        fc.subarray(FEATURES),
        fc.integer({ min: 31, max: 60 }),
        fc.constantFrom('root', 'projections'),
        (offered, minor, name) => {
          const { reply, negotiated } = negotiate(offerOf(minor, offered), PROFILES[name]);
          assert.ok(negotiated !== undefined);
          for (const feature of negotiated.features) assert.ok(offered.includes(feature), feature);
          const view = Buffer.from(reply);
          assert.deepEqual({ flags: view.readUInt32LE(12), flags2: view.readUInt32LE(32) }, words(negotiated.features));
          if (view.readUInt32LE(32) !== 0) assert.ok(negotiated.features.includes('INIT_EXT'));
          assert.equal(view.readUInt16LE(28) !== 0, offered.includes('MAX_PAGES'));
        },
      ),
    );
  });
});

describe('the negotiated record', () => {
  it('survives being written down', () => {
    const { negotiated } = negotiate(offerOf(45, LINUX_6_18), PROFILES.projections);
    assert.ok(negotiated !== undefined);
    assert.deepEqual(decodeNegotiated(encodeNegotiated(negotiated)), negotiated);
  });

  const record = negotiate(offerOf(45, LINUX_6_18), PROFILES.root).negotiated;
  const broken: [string, string][] = [
    ['text', 'hello'],
    ['null', 'null'],
    ['another format', JSON.stringify({ ...record, format: 2 })],
    ['an unknown profile', JSON.stringify({ ...record, profile: 'toString' })],
    ['an unknown feature', JSON.stringify({ ...record, features: ['TELEPATHY'] })],
    ['a negative size', JSON.stringify({ ...record, writeBytesMax: -1 })],
  ];
  for (const [what, json] of broken) {
    it(`is refused if it is ${what}`, () => {
      assert.throws(
        () => decodeNegotiated(Buffer.from(json)),
        (error) => error instanceof DunnageError && error.code === 'CORRUPT',
      );
    });
  }
});
