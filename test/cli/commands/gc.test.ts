import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatGarbage } from '../../../src/cli/commands/gc.ts';
import { exampleGc } from '../../server/fake-operations.ts';

test('it says what went, what is kept on purpose and what is held by whom', () => {
  assert.equal(
    formatGarbage(exampleGc(false)),
    [
      'removed: 1 replaced generation, 2 contents, 0 left-over files; 2 KiB',
      'kept as history: 3 generations (dunnage projection history --purge)',
      '',
      'HELD                 SIZE   BY',
      'web, generation 2   512 B   readers hold it open',
      '',
    ].join('\n'),
  );
});

test('a dry run says what would go', () => {
  assert.match(formatGarbage(exampleGc(true)), /^would remove: /);
});
