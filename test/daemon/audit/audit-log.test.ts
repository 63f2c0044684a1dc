import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Log } from '../../../src/base/log.ts';
import type { AuditBatch } from '../../../src/daemon/audit/audit-event.ts';
import { AuditLog } from '../../../src/daemon/audit/audit-log.ts';

const TIME_MS = Date.UTC(2026, 10, 21, 9, 14, 3, 7);
const opened = {
  timeMs: TIME_MS,
  view: 'projections' as const,
  projection: 'secret.db',
  path: 'password',
  generation: 3,
  uid: 1000,
  gid: 100,
  pid: 4711,
  program: '/usr/bin/cat',
  command: 'cat',
  repeated: false,
};
const one: AuditBatch = { events: [opened], lost: 0 };

interface Scene {
  readonly audit: AuditLog;
  readonly lines: string[];
  readonly logged: { level: string; fields: unknown; message: string }[];
  readonly written: number[];
  fail: Error | undefined;
  flushes: number;
  untilWritten(count: number): Promise<void>;
}

function makeScene(): Scene {
  const logged: Scene['logged'] = [];
  const at =
    (level: string): Log['info'] =>
    (fields, message) =>
      logged.push({ level, fields, message });
  const log: Log = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  let wake: () => void = () => undefined;
  const scene: Scene = {
    lines: [],
    logged,
    written: [],
    fail: undefined,
    flushes: 0,
    async untilWritten(count) {
      while (scene.written.length < count) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
    audit: new AuditLog({
      file: {
        append: async (lines) => {
          if (scene.fail !== undefined) throw scene.fail;
          scene.lines.push(...lines.trimEnd().split('\n'));
        },
        flush: async () => undefined,
        close: async () => {
          scene.flushes += 1;
        },
      },
      log,
      clock: { nowMs: () => TIME_MS, monotonicMs: () => 0 },
      onWritten: (count) => {
        scene.written.push(count);
        wake();
      },
      retryMs: 1,
    }),
  };
  return scene;
}

test('AuditLog writes each open as a line of JSON, to the file and to the log', async () => {
  const { audit, lines, logged, written, untilWritten } = makeScene();
  audit.take(one);
  await untilWritten(1);
  const { timeMs: _, repeated: __, ...fields } = opened;
  assert.deepEqual(
    lines.map((line) => JSON.parse(line)),
    [{ time: '2026-11-21T09:14:03.007Z', event: 'open', ...fields }],
  );
  assert.deepEqual(logged, [
    { level: 'info', fields: { audit: { event: 'open', ...fields } }, message: 'audited open' },
  ]);
  assert.deepEqual([written, audit.figures, audit.warnings()], [[1], { opens: 1, lost: 0 }, []]);
});

test('AuditLog marks what a daemon before may have written, and says how many were lost', async () => {
  const { audit, lines, logged, untilWritten } = makeScene();
  audit.take({ events: [{ ...opened, repeated: true }], lost: 7 });
  await untilWritten(1);
  const [open, lost] = lines.map((line) => JSON.parse(line));
  assert.equal(open.repeated, true);
  assert.deepEqual(lost, { time: '2026-11-21T09:14:03.007Z', event: 'lost', count: 7 });
  assert.equal(logged.at(-1)?.level, 'warn');
  assert.match(audit.warnings()[0] ?? '', /^7 audited opens were not written down/);
});

test('AuditLog tries again what could not be written, in order, and tells it once', async () => {
  const scene = makeScene();
  scene.fail = new Error('the disk is full');
  scene.audit.take(one);
  scene.audit.take({ events: [{ ...opened, path: 'second' }], lost: 0 });
  while (scene.audit.warnings().length === 0) await new Promise(setImmediate);
  assert.match(scene.audit.warnings()[0] ?? '', /the disk is full.*wait in memory/);
  assert.deepEqual(scene.written, []);
  scene.fail = undefined;
  await scene.untilWritten(2);
  assert.deepEqual(
    scene.lines.map((line) => JSON.parse(line).path),
    ['password', 'second'],
  );
  assert.deepEqual(scene.audit.warnings(), []);
  assert.equal(scene.logged.filter(({ level }) => level === 'error').length, 1);
});

test('AuditLog.close writes what it has, and does not wait for a disk that takes nothing', async () => {
  const scene = makeScene();
  scene.audit.take(one);
  await scene.audit.close();
  assert.deepEqual([scene.written, scene.flushes], [[1], 1]);
  const stuck = makeScene();
  stuck.fail = new Error('the disk is full');
  stuck.audit.take(one);
  await stuck.audit.close();
  assert.deepEqual(stuck.written, []);
});
