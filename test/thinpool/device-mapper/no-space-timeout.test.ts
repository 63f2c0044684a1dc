import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Log, silentLog } from '../../../src/base/log.ts';
import { waitForSpaceWithoutEnd } from '../../../src/thinpool/device-mapper/no-space-timeout.ts';

test('the time after which writes to a full pool fail is switched off, and that it cannot be is told', () => {
  const folder = mkdtempSync(join(tmpdir(), 'dunnage-timeout-'));
  try {
    const lines: string[] = [];
    const log: Log = { ...silentLog, info: () => lines.push('info'), warn: () => lines.push('warn') };
    const path = join(folder, 'no_space_timeout');
    writeFileSync(path, '60\n');
    assert.equal(waitForSpaceWithoutEnd(log, path), true);
    assert.equal(readFileSync(path, 'utf8'), '0');
    assert.equal(waitForSpaceWithoutEnd(log, path), true);
    assert.equal(waitForSpaceWithoutEnd(log, join(folder, 'missing')), false);
    assert.deepEqual(lines, ['info', 'warn']);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
