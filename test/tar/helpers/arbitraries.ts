/** Any entries that a Linux host can have, with their content. */
import fc from 'fast-check';
import { type ByteText, byteTextOf } from '../../../src/base/byte-text.ts';
import { type DataRegion, type EntryType, type FileTime, type TarEntry, tarEntry } from '../../../src/tar/entry.ts';

const TYPES: readonly EntryType[] = [
  'file',
  'hard-link',
  'symlink',
  'character-device',
  'block-device',
  'directory',
  'fifo',
];

const nameByte = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...Buffer.from('abc. -é')) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 255 }) },
);
const component = fc
  .array(nameByte, { minLength: 1, maxLength: 120 })
  .map((bytes) => byteTextOf(Uint8Array.from(bytes)).replaceAll('/', '_'))
  .filter((text) => text !== '.' && text !== '..');
export const entryName: fc.Arbitrary<ByteText> = fc
  .array(component, { minLength: 1, maxLength: 5 })
  .map((parts) => parts.join('/') as ByteText);

const id = fc.oneof(fc.nat(70_000), fc.integer({ min: 0, max: 4_294_967_294 }));
const time: fc.Arbitrary<FileTime> = fc.record(
  {
    seconds: fc.integer({ min: -5_000_000_000, max: 20_000_000_000 }),
    nanoseconds: fc.oneof(fc.constant(0), fc.nat(999_999_999)),
  },
  { noNullPrototype: true },
);
const xattrs = fc
  .array(
    fc.tuple(
      fc.stringMatching(/^[a-z=%.]{1,12}$/).map((text) => `user.${text}` as ByteText),
      fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from(bytes)),
    ),
    { maxLength: 3 },
  )
  .map((list) => new Map(list));

export interface GeneratedEntry {
  readonly entry: TarEntry;
  /** The stored bytes. */
  readonly stored: Buffer;
  /** The whole file, with its holes as zeros. */
  readonly whole: Buffer;
}

const pieces = fc.array(fc.tuple(fc.integer({ min: 1, max: 900 }), fc.uint8Array({ minLength: 1, maxLength: 700 })), {
  maxLength: 5,
});

const fileContent = fc.oneof(
  fc.uint8Array({ maxLength: 1500 }).map((bytes) => ({ regions: undefined, whole: Buffer.from(bytes) })),
  fc.tuple(pieces, fc.nat(600)).map(([list, hole]) => {
    const regions: DataRegion[] = [];
    const parts: Buffer[] = [];
    let at = 0;
    for (const [gap, bytes] of list) {
      regions.push({ offset: at + gap, sizeBytes: bytes.length });
      parts.push(Buffer.alloc(gap), Buffer.from(bytes));
      at += gap + bytes.length;
    }
    return { regions, whole: Buffer.concat([...parts, Buffer.alloc(hole)]) };
  }),
);

export const generatedEntry: fc.Arbitrary<GeneratedEntry> = fc
  .record({
    type: fc.constantFrom(...TYPES),
    name: entryName,
    linkName: entryName,
    mode: fc.nat(0o7777),
    userId: id,
    groupId: id,
    userName: fc.oneof(
      fc.constant('' as ByteText),
      component.map((text) => text as ByteText),
    ),
    modifyTime: time,
    accessTime: fc.option(time, { nil: undefined }),
    changeTime: fc.option(time, { nil: undefined }),
    deviceMajor: fc.nat(4095),
    deviceMinor: fc.nat(1_048_575),
    xattrs,
    file: fileContent,
  })
  .map(({ file, ...given }) => {
    const { type } = given;
    const isDevice = type === 'character-device' || type === 'block-device';
    const isFile = type === 'file';
    const entry = tarEntry({
      ...given,
      linkName: type === 'symlink' || type === 'hard-link' ? given.linkName : ('' as ByteText),
      deviceMajor: isDevice ? given.deviceMajor : 0,
      deviceMinor: isDevice ? given.deviceMinor : 0,
      sizeBytes: isFile ? file.whole.length : 0,
      regions: isFile ? file.regions : undefined,
    });
    const stored = (entry.regions ?? [{ offset: 0, sizeBytes: entry.sizeBytes }]).map(({ offset, sizeBytes }) =>
      file.whole.subarray(offset, offset + sizeBytes),
    );
    return { entry, stored: Buffer.concat(stored), whole: isFile ? file.whole : Buffer.alloc(0) };
  });
