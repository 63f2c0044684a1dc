/** Jobs one after the other on the same thread, and memory that comes back to it. */
import assert from 'node:assert/strict';
import { closeSync, createWriteStream, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { snapshotAlloc } from '../../../src/alloc/snapshot/snapshot-alloc.ts';
import { snapshotRoots } from '../../../src/alloc/snapshot/snapshot-names.ts';
import { SnapshotThread } from '../../../src/alloc/snapshot/snapshot-thread.ts';
import { streamAllocDir } from '../../../src/alloc/snapshot/stream-alloc-dir.ts';
import { PIECE_BYTES } from '../../../src/tar/piece-memory.ts';
import { type AllocScene, allocScene, fillAlloc, ID, snapshotOf } from './helpers/alloc-scene.ts';

/** Every piece is different, and some are no whole pieces. */
function fillLarge({ path }: AllocScene): void {
  for (const [index, sizeBytes] of [20 * PIECE_BYTES, 3 * PIECE_BYTES + 77, 70_000].entries()) {
    const content = Buffer.alloc(sizeBytes);
    for (let at = 0; at + 4 <= sizeBytes; at += 4) content.writeUInt32LE(index * 0x1000000 + at, at);
    writeFileSync(join(path, 'alloc/data', `large-${index}`), content);
  }
  for (let index = 0; index < 400; index += 1) {
    writeFileSync(join(path, 'alloc/data', `small-${index}`), Buffer.alloc(5_000, String(index)));
  }
}

describe('a thread for archives', () => {
  it('writes to a file what it gives to any other receiver, though memory of the one is used again', async (t) => {
    const scene = allocScene(t);
    fillAlloc(scene);
    fillLarge(scene);
    const { archive } = await snapshotOf(scene);
    const path = join(scene.folder, 'archive.tar');
    await snapshotAlloc(scene, createWriteStream(path));
    assert.ok(readFileSync(path).equals(archive));
  });

  it('does the next job after one that failed, and after one that unpacked', async (t) => {
    const scene = allocScene(t);
    fillAlloc(scene);
    const target = join(scene.folder, 'unpacked');
    mkdirSync(target);
    const { archive } = await snapshotOf(scene);
    const broken = Buffer.concat([archive.subarray(0, 512), Buffer.alloc(512, 'no header'), archive.subarray(1024)]);
    await assert.rejects(streamAllocDir(Readable.from([broken]), target));
    const { entries } = await streamAllocDir(Readable.from([archive]), target);
    const again = await snapshotOf(scene);
    assert.equal(entries, again.report.entries);
    assert.ok(again.archive.equals(archive));
  });

  it('does not let one job stop the next', async (t) => {
    const scene = allocScene(t);
    fillAlloc(scene);
    const { archive } = await snapshotOf(scene);
    const controller = new AbortController();
    const target = join(scene.folder, 'unpacked');
    mkdirSync(target);
    await streamAllocDir(Readable.from([archive]), target, controller.signal);
    controller.abort();
    await turn();
    assert.ok((await snapshotOf(scene)).archive.equals(archive));
  });

  it('does not take memory for its own while the receiver still has it', async (t) => {
    const scene = allocScene(t);
    fillLarge(scene);
    const kept: Buffer[] = [];
    const copies: Buffer[] = [];
    const directory = openSync(scene.path, 'r');
    t.after(() => closeSync(directory));
    const roots = snapshotRoots(scene.tasks);
    const thread = new SnapshotThread({ kind: 'snapshot', directory, allocId: ID, roots, secret: [], excluded: [] });
    thread.onPiece((bytes, giveBack) => {
      copies.push(Buffer.from(bytes));
      // Every other one is kept.
      if (copies.length % 2 === 0) giveBack();
      else kept.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    });
    await thread.end();
    await thread.close();
    assert.ok(kept.length > 8);
    for (const [index, bytes] of kept.entries()) assert.ok(bytes.equals(copies[2 * index] as Buffer));
  });
});
