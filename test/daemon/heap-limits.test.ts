import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import type { getHeapStatistics } from 'node:v8';
import { HEAP_OPTIONS } from '../../src/daemon/heap-limits.ts';

const MODULE = new URL('../../src/daemon/heap-limits.js', import.meta.url).href;

/** What is left of a heap in which half a million objects came and went, in a process of its own. */
function heapBytes(options: readonly string[], prepare = ''): number {
  const program = `${prepare}
    const kept = [];
    for (let i = 0; i < 500_000; i += 1) { kept.push({ text: String(i), list: [i, i, i] }); if (kept.length > 50_000) kept.length = 0; }
    console.log(JSON.stringify(v8.getHeapStatistics()));`;
  const script = `import v8 from 'node:v8'; ${program}`;
  const output = execFileSync(process.execPath, [...options, '--input-type=module', '--eval', script]).toString();
  return (JSON.parse(output) as ReturnType<typeof getHeapStatistics>).total_heap_size;
}

test('the options are known to this Node, and keep a heap small that would have grown', () => {
  assert.ok(heapBytes(HEAP_OPTIONS) < heapBytes([]) * 0.8);
});

test('limits a process that was started without them too', () => {
  assert.ok(heapBytes([], `const { limitHeaps } = await import('${MODULE}'); limitHeaps();`) < heapBytes([]));
});
