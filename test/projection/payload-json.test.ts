import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { validatePayload } from '../../src/projection/path-rules.ts';
import type { FileProjection } from '../../src/projection/payload.ts';
import { parsePayloadJson, payloadFromJson, payloadToJson } from '../../src/projection/payload-json.ts';

describe('parsePayloadJson', () => {
  it('reads files with and without mode and owner', () => {
    const text = '{"files": {"a//b": {"mode": 256, "data": "YQ==", "uid": 1, "gid": 2}, "c": {"data": ""}}}';
    assert.deepEqual(
      parsePayloadJson(text),
      new Map([
        ['a/b', { data: Buffer.from('a'), mode: 0o400, uid: 1, gid: 2 }],
        ['c', { data: Buffer.alloc(0), mode: 0o644 }],
      ]),
    );
    assert.equal(parsePayloadJson('{"files": {}}').size, 0);
  });

  const refused: readonly [string, RegExp][] = [
    ['[]', /^payload must be object/],
    ['null', /^payload must be object/],
    ['{}', /^payload must have required property 'files'/],
    ['{"files": [], "x": 1}', /^payload must not have the key "x"/],
    ['{"files": []}', /^files must be object/],
    ['{"files": {"a/b": {}}}', /^files\["a\/b"\] must have required property 'data'/],
    ['{"files": {"a~b": {"data": 5}}}', /^files\["a~b"\]\.data must be string/],
    ['{"files": {"a": {"data": "aHVudGVyMg"}}}', /^files\["a"\]\.data must be base64/],
    ['{"files": {"a": {"data": "", "mode": 512}}}', /^files\["a"\]\.mode must be <= 511/],
    ['{"files": {"a": {"data": "", "mode": "0644"}}}', /^files\["a"\]\.mode must be integer/],
    ['{"files": {"a": {"data": "", "uid": -1}}}', /^files\["a"\]\.uid must be >= 0/],
    ['{"files": {"a": {"data": "", "gid": 4294967295}}}', /^files\["a"\]\.gid must be <= 4294967294/],
    ['{"files": {"a": {"data": "", "owner": 1}}}', /^files\["a"\] must not have the key "owner"/],
    ['{"files": {"../a": {"data": ""}}}', /^files\["\.\.\/a"\]: invalid path: must not contain '\.\.'/],
    ['{"files": {"__proto__": {"data": 5}}}', /^files\["__proto__"\]\.data must be string/],
    ['{"files": {"a": {"data": ""}, "a/b": {"data": ""}}}', /"a" is a file and "a\/b" needs it/],
  ];
  for (const [text, message] of refused) {
    it(`refuses ${text}`, () => assert.throws(() => parsePayloadJson(text), { name: 'DunnageError', message }));
  }

  it('never repeats content in a message, not even of text that is no JSON', () => {
    for (const text of [
      'hunter2',
      '{"files": {"a": {"data": "hunter2" hunter2',
      '{"files": {"a": {"data": "hunter2!"}}}',
    ]) {
      assert.throws(
        () => parsePayloadJson(text),
        (error: Error) => {
          assert.doesNotMatch(`${error.stack} ${String(error.cause)}`, /hunter2/);
          return true;
        },
      );
    }
  });
});

it('payloadToJson writes what payloadFromJson reads back', () => {
  const owner = fc.integer({ min: 0, max: 0xffff_fffe });
  const wanted = fc.record(
    { data: fc.uint8Array(), mode: fc.integer({ min: 0, max: 0o777 }), uid: owner, gid: owner },
    { requiredKeys: ['data', 'mode'], noNullPrototype: true },
  );
  fc.assert(
    fc.property(fc.dictionary(fc.stringMatching(/^[a-z]{1,5}$/), wanted, { noNullPrototype: true }), (files) => {
      const payload = validatePayload(files as unknown as Record<string, FileProjection>);
      const back = payloadFromJson(JSON.parse(JSON.stringify(payloadToJson(payload))));
      assert.deepEqual(
        [...back].map(([path, entry]) => [path, { ...entry, data: new Uint8Array(entry.data) }]),
        [...payload],
      );
    }),
  );
});
