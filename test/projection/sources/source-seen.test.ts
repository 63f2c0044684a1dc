import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SourceSeen, sourceSeenAtMs } from '../../../src/projection/sources/source-seen.ts';
import { TreeHarness } from '../helpers/tree-harness.ts';

test('SourceSeen keeps when sources were seen, for whoever opens the store', async (context) => {
  const harness = await TreeHarness.create();
  context.after(() => harness.close());
  const seen = new SourceSeen(harness.store);
  assert.equal(sourceSeenAtMs(seen, 'web'), undefined);
  seen.put('web', { seenAtMs: 17, fingerprint: 'f' });
  assert.equal(sourceSeenAtMs(new SourceSeen(harness.store), 'web'), 17);
  seen.remove('web');
  assert.equal(seen.get('web'), undefined);
});
