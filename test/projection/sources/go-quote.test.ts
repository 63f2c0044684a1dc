import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { formatMap, goQuote } from '../../../src/projection/sources/go-quote.ts';

describe('goQuote', () => {
  // What Go's strconv.Quote gives for them.
  const cases: readonly (readonly [string, string])[] = [
    ['', '""'],
    ['plain text', '"plain text"'],
    ['say "hi"', '"say \\"hi\\""'],
    ['back\\slash', '"back\\\\slash"'],
    ['\x07\b\f\n\r\t\v', '"\\a\\b\\f\\n\\r\\t\\v"'],
    ['\x00\x1b\x7f', '"\\x00\\x1b\\x7f"'],
    ["it's", `"it's"`],
    ['grüße, 世界 ☺ 😀', '"grüße, 世界 ☺ 😀"'],
    ['\u0085\u00a0\u00ad', '"\\u0085\\u00a0\\u00ad"'],
    ['\u200b\u2028\ufeff', '"\\u200b\\u2028\\ufeff"'],
    ['\ue000\u{10ffff}\u{e0001}', '"\\ue000\\U0010ffff\\U000e0001"'],
    ['a\ud800b', '"a\ufffdb"'],
  ];
  for (const [text, quoted] of cases) {
    it(`writes ${quoted}`, () => assert.equal(goQuote(text), quoted));
  }

  it('gives one line of printable characters for any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        assert.match(goQuote(text), /^"[\p{L}\p{M}\p{N}\p{P}\p{S} ]*"$/u);
      }),
    );
  });
});

describe('formatMap', () => {
  it('sorts by key and ends without a newline', () => {
    assert.equal(formatMap({ key2: 'value2', key1: 'value1' }), 'key1="value1"\nkey2="value2"');
    const map = { b: 'two\nlines', 'app.example/name': 'x', B: '' };
    assert.equal(formatMap(map), 'B=""\napp.example/name="x"\nb="two\\nlines"');
    assert.equal(formatMap({}), '');
  });
});
