import assert from 'node:assert/strict';
import { test } from 'node:test';
import { numberKey } from '../../../src/store/codecs.ts';
import { DamagedCatalog, WEB_FILES } from './damaged-catalog.ts';

test('what is kept beside the content and cannot be read is removed, and its consequence said', async (t) => {
  const made = await DamagedCatalog.make(t);
  const tables = ['projection-specs', 'reactions', 'source-seen', 'projection-spec-literals'];
  for (const name of tables) {
    const torn = name === 'projection-spec-literals' ? '' : '{torn';
    const table = made.raw(name);
    made.change(() => table.put(Buffer.from('web'), Buffer.from(torn)));
  }
  const events = made.raw('live-announcements');
  made.change(() => events.put(numberKey.encode(made.web), Buffer.from('null')));
  const { repaired } = await made.mends([...tables, 'live-announcements'].map(() => 'setting-unreadable'));
  for (const { object, action } of repaired) {
    assert.equal(object, 'web');
    assert.match(action, /^remove the row: /);
  }
  assert.deepEqual(await made.files(made.web), WEB_FILES);
});
