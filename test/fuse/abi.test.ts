import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { FATTR, FOPEN, INIT_FLAG, NOTIFY, OPCODE, OPCODE_COUNT, opcodeName } from '../../src/fuse/abi.ts';

const HEADER = '/usr/include/linux/fuse.h';
const skip = existsSync(HEADER) ? {} : { skip: `needs ${HEADER} (linux-libc-dev)` };

/** `#define FUSE_<prefix>NAME (1 << n)` and the like, and enumerators. */
function headerValue(text: string, name: string): bigint | undefined {
  const shifted = new RegExp(`#define ${name}\\s+\\(1(?:ULL)? << (\\d+)\\)`).exec(text);
  if (shifted !== null) return 1n << BigInt(shifted[1] as string);
  const plain = new RegExp(`\\b${name}\\s*=\\s*(\\d+)`).exec(text);
  return plain === null ? undefined : BigInt(plain[1] as string);
}

describe('the numbers of the protocol', () => {
  const text = skip.skip === undefined ? readFileSync(HEADER, 'utf8') : '';
  const table: [string, Record<string, bigint>][] = [
    ['FUSE_', bits(INIT_FLAG)],
    ['FOPEN_', plain(FOPEN)],
    ['FATTR_', plain(FATTR)],
    ['FUSE_', plain(OPCODE)],
    ['FUSE_NOTIFY_', plain(NOTIFY)],
  ];

  it('are those of the installed kernel header, as far as it knows them', skip, () => {
    let compared = 0;
    for (const [prefix, values] of table) {
      for (const [name, value] of Object.entries(values)) {
        const expected = headerValue(text, `${prefix}${name}`);
        if (expected === undefined) continue;
        assert.equal(value, expected, `${prefix}${name}`);
        compared += 1;
      }
    }
    assert.ok(compared > 90, `only ${compared} were found in the header`);
  });

  it('have names that can be logged', () => {
    assert.equal(opcodeName(OPCODE.BATCH_FORGET), 'BATCH_FORGET');
    assert.equal(opcodeName(7), 'opcode 7');
    assert.equal(opcodeName(4_000_000_000), 'opcode 4000000000');
    assert.ok(Object.values(OPCODE).every((opcode) => opcode < OPCODE_COUNT));
  });
});

function bits(table: Readonly<Record<string, number>>): Record<string, bigint> {
  return Object.fromEntries(Object.entries(table).map(([name, bit]) => [name, 1n << BigInt(bit)]));
}

function plain(table: Readonly<Record<string, number>>): Record<string, bigint> {
  return Object.fromEntries(Object.entries(table).map(([name, value]) => [name, BigInt(value)]));
}
