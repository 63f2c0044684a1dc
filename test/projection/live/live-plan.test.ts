import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { GenerationId } from '../../../src/base/ids.ts';
import { isPlanRecord, LivePlan } from '../../../src/projection/live/live-plan.ts';

describe('LivePlan', () => {
  it('is the same plan after the way through the store', () => {
    const plan = LivePlan.empty(7 as GenerationId);
    assert.ok(plan.isEmpty);
    plan.creates.set('d', 'directory');
    plan.removes.set('d', 'file');
    plan.writes.add('a');
    plan.modes.set('b', 0o600);
    assert.ok(!plan.isEmpty);
    const again = new LivePlan(JSON.parse(JSON.stringify(plan.record)));
    assert.deepEqual(again, plan);
    assert.equal(again.towards, 7);
  });

  it('removes from the leaves on, makes from the root on, and then tells of changes', () => {
    const plan = LivePlan.empty(0);
    plan.removes.set('old', 'directory').set('old/in', 'directory').set('old/in/file', 'file').set('x', 'file');
    plan.creates.set('x/y', 'directory').set('x', 'directory').set('x/y/z', 'file');
    plan.writes.add('a').add('x/y/z');
    plan.modes.set('b', 0o640);
    assert.deepEqual(plan.batches('web'), [
      { directory: 'live/web/old/in', operations: [{ kind: 'unlink', name: 'file' }] },
      { directory: 'live/web/old', operations: [{ kind: 'rmdir', name: 'in' }] },
      {
        directory: 'live/web',
        operations: [
          { kind: 'rmdir', name: 'old' },
          { kind: 'unlink', name: 'x' },
          { kind: 'mkdir', name: 'x', mode: 0o755 },
        ],
      },
      { directory: 'live/web/x', operations: [{ kind: 'mkdir', name: 'y', mode: 0o755 }] },
      { directory: 'live/web/x/y', operations: [{ kind: 'mknod', name: 'z', mode: 0o600 }] },
      { directory: 'live/web', operations: [{ kind: 'modify', name: 'a' }] },
      { directory: 'live/web/x/y', operations: [{ kind: 'modify', name: 'z' }] },
      { directory: 'live/web', operations: [{ kind: 'chmod', name: 'b', mode: 0o640 }] },
    ]);
  });

  it('names the projection itself in live/', () => {
    const plan = LivePlan.empty(0);
    plan.removes.set('', 'directory').set('a', 'file');
    assert.deepEqual(plan.batches('web'), [
      { directory: 'live/web', operations: [{ kind: 'unlink', name: 'a' }] },
      { directory: 'live', operations: [{ kind: 'rmdir', name: 'web' }] },
    ]);
  });

  it('knows a record of its own from anything else', () => {
    const plan = LivePlan.empty(7 as GenerationId);
    plan.creates.set('d', 'directory');
    plan.modes.set('b', 0o600);
    const { record } = plan;
    assert.ok(isPlanRecord(record));
    const wrong = [
      undefined,
      null,
      [],
      {},
      { ...record, towards: '7' },
      { ...record, creates: [['d', 'link']] },
      { ...record, removes: ['d'] },
      { ...record, writes: [1] },
      { ...record, modes: [['b', '600']] },
    ];
    for (const value of wrong) assert.ok(!isPlanRecord(value), JSON.stringify(value));
  });
});
