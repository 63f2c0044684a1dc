/**
 * INIT: what the kernel offers against what a profile wants, as a pure function.
 *
 * The outcome is a record of plain data. It is kept by the holder, because whoever takes the connection over gets no
 * INIT of its own.
 */
import { limits } from '../base/limits.ts';
import { DunnageError } from '../errors/dunnage-error.ts';
import { type Feature, FUSE_MAJOR, FUSE_MINOR, FUSE_MINOR_MIN, INIT_FLAG } from './abi.ts';
import { PROFILES, type Profile, type ProfileName } from './profiles.ts';

/** The body of the kernel's INIT request. Bit n of the offer is bit n of `flags`, or bit n-32 of `flags2`. */
export interface InitOffer {
  readonly major: number;
  readonly minor: number;
  readonly readaheadBytesMax: number;
  readonly flags: number;
  readonly flags2: number;
}

/** What was agreed on. JSON-safe; `format` changes if its meaning does. */
export interface NegotiatedRecord {
  readonly format: 1;
  readonly profile: ProfileName;
  readonly major: number;
  readonly minor: number;
  readonly kernelMinor: number;
  readonly features: readonly Feature[];
  readonly writeBytesMax: number;
  readonly readaheadBytesMax: number;
}

export interface Negotiation {
  /** Body of the INIT reply. */
  readonly reply: Uint8Array;
  /** Undefined if the kernel speaks a newer major version: it answers with a second INIT for ours. */
  readonly negotiated: NegotiatedRecord | undefined;
}

const INIT_OUT_BYTES = 64;
/** Requests the kernel sends in the background (readahead, direct I/O) before it waits, and where it calls itself congested. */
const BACKGROUND_REQUESTS_MAX = 64;
const CONGESTION_THRESHOLD = 48;
/** Without MAX_PAGES the kernel sends at most 32 pages at once. */
const WRITE_BYTES_WITHOUT_MAX_PAGES = 128 * 1024;
const PAGE_BYTES_MIN = 4096;
const TIME_GRANULARITY_NS = 1;
/** The file system beneath is not stacked itself; ours can then be the lower layer of an overlay. */
const PASSTHROUGH_STACK_DEPTH = 1;

/**
 * Answers an offer.
 * @throws DunnageError NOT_SUPPORTED if the kernel's protocol is older than this program can serve.
 */
export function negotiate(offer: InitOffer, profile: Profile): Negotiation {
  if (offer.major > FUSE_MAJOR) return { reply: encodeInit({ minor: FUSE_MINOR }), negotiated: undefined };
  if (offer.major < FUSE_MAJOR || offer.minor < FUSE_MINOR_MIN) {
    throw new DunnageError(
      'NOT_SUPPORTED',
      `the kernel speaks FUSE ${offer.major}.${offer.minor}; dunnage needs ${FUSE_MAJOR}.${FUSE_MINOR_MIN} or newer`,
      { remedy: 'use Linux 5.10 or newer' },
    );
  }
  const features = profile.features.filter((feature) => isOffered(offer, feature));
  const used = features.some(isSecondWord) ? features : features.filter((feature) => feature !== 'INIT_EXT');
  const negotiated: NegotiatedRecord = {
    format: 1,
    profile: profile.name,
    major: FUSE_MAJOR,
    minor: Math.min(offer.minor, FUSE_MINOR),
    kernelMinor: offer.minor,
    features: used,
    writeBytesMax: used.includes('MAX_PAGES') ? limits.fuseWriteBytesMax : WRITE_BYTES_WITHOUT_MAX_PAGES,
    readaheadBytesMax: offer.readaheadBytesMax,
  };
  return { reply: encodeInit(negotiated), negotiated };
}

const isSecondWord = (feature: Feature): boolean => INIT_FLAG[feature] >= 32;

function isOffered(offer: InitOffer, feature: Feature): boolean {
  const bit = INIT_FLAG[feature];
  if (bit < 32) return (offer.flags & (1 << bit)) !== 0;
  const extended = (offer.flags & (1 << INIT_FLAG.INIT_EXT)) !== 0;
  return extended && (offer.flags2 & (1 << (bit - 32))) !== 0;
}

type InitReply = { readonly minor: number } & Partial<NegotiatedRecord>;

/** `struct fuse_init_out`. Its size is 64 bytes for every minor version served here (24 before 7.23, 8 before 7.5). */
function encodeInit(reply: InitReply): Uint8Array {
  const bytes = new Uint8Array(INIT_OUT_BYTES);
  const words = new Uint32Array(bytes.buffer);
  const halves = new Uint16Array(bytes.buffer);
  words[0] = FUSE_MAJOR;
  words[1] = reply.minor;
  if (reply.features === undefined) return bytes;
  const writeBytesMax = reply.writeBytesMax ?? 0;
  words[2] = reply.readaheadBytesMax ?? 0;
  words[3] = flagBits(reply.features, 0);
  halves[8] = BACKGROUND_REQUESTS_MAX;
  halves[9] = CONGESTION_THRESHOLD;
  words[5] = writeBytesMax;
  words[6] = TIME_GRANULARITY_NS;
  halves[14] = reply.features.includes('MAX_PAGES') ? writeBytesMax / PAGE_BYTES_MIN : 0;
  words[8] = flagBits(reply.features, 32);
  words[9] = reply.features.includes('PASSTHROUGH') ? PASSTHROUGH_STACK_DEPTH : 0;
  return bytes;
}

/** The features whose bit numbers lie in the 32 from `firstBit` on, as a word. */
function flagBits(features: readonly Feature[], firstBit: number): number {
  let word = 0;
  for (const feature of features) {
    const bit = INIT_FLAG[feature] - firstBit;
    if (bit >= 0 && bit < 32) word |= 1 << bit;
  }
  return word >>> 0;
}

export function encodeNegotiated(record: NegotiatedRecord): Uint8Array {
  return Buffer.from(JSON.stringify(record));
}

/**
 * Reads what `encodeNegotiated` wrote.
 * @throws DunnageError CORRUPT if it is something else, or was written by a version with another format.
 */
export function decodeNegotiated(bytes: Uint8Array): NegotiatedRecord {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (cause) {
    throw new DunnageError('CORRUPT', 'the recorded INIT reply is not JSON', { cause });
  }
  const record = value as Partial<NegotiatedRecord> | null;
  const valid =
    typeof record === 'object' &&
    record !== null &&
    record.format === 1 &&
    typeof record.profile === 'string' &&
    Object.hasOwn(PROFILES, record.profile) &&
    Array.isArray(record.features) &&
    record.features.every((feature) => Object.hasOwn(INIT_FLAG, feature)) &&
    [record.major, record.minor, record.kernelMinor, record.writeBytesMax, record.readaheadBytesMax].every(isCount);
  if (!valid) {
    throw new DunnageError('CORRUPT', 'the recorded INIT reply is not one this version of dunnage can read', {
      remedy: 'run `dunnage down`, then `dunnage up`',
    });
  }
  return record as NegotiatedRecord;
}

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
