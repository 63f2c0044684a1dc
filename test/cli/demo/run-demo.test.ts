/** The demo as a newcomer runs it: every claim it makes is looked up in its own JSON, and nothing of it is left. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import type { DemoResult } from '../../../src/cli/demo/run-demo.ts';
import { compiledRoot } from '../../tools/repository.ts';

const run = promisify(execFile);
const DEMO = join(compiledRoot(), 'src/cli/main.js');
const DEMO_MS_MAX = 60_000;

/** Runs the demo with a temporary folder of its own and hands over what it printed; it must leave nothing in there. */
async function runDemo(...options: string[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'demo-'));
  try {
    const environment = { ...process.env, TMPDIR: folder, NO_COLOR: '1' };
    const { stdout } = await run(process.execPath, [DEMO, 'demo', ...options], {
      timeout: DEMO_MS_MAX,
      env: environment,
    });
    assert.deepEqual(await readdir(folder), []);
    assert.ok(!(await readFile('/proc/self/mountinfo', 'utf8')).includes(folder), 'nothing is left mounted');
    return stdout;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const needsRoot = process.geteuid?.() === 0 ? {} : { skip: 'the demo needs root: it makes a mount namespace' };

describe('dunnage demo', needsRoot, () => {
  test('rotates twice before a watcher in a mount namespace, and loses no read to kill -9', async () => {
    const result = JSON.parse(await runDemo('--json')) as DemoResult;
    assert.equal(result.total.failures, 0);
    assert.equal(result.withoutDaemon.failures, 0);
    assert.ok(result.log.isWhole && result.log.written > 0);
    assert.equal(result.log.followed, result.log.written);
    assert.ok(result.withoutDaemon.reads > 0, 'it read while no daemon ran');
    assert.ok(result.total.reads > result.withoutDaemon.reads);
    assert.equal(result.rotations.length, 2);
    for (const timeline of result.rotations) {
      const events = timeline.map(({ what }) => what.replace(/ +/, ' ')).filter((what) => what.includes('..data'));
      assert.deepEqual(events, ['CREATE ..data_tmp', 'MOVED_FROM ..data_tmp', 'MOVED_TO ..data']);
      assert.ok(timeline.some(({ what }) => what.startsWith('a read gives')));
    }
  });

  test('tells a story of numbered steps that ends with a summary', async () => {
    const story = await runDemo();
    assert.match(story, /^\n1\. dunnage up --detach\n/);
    assert.match(story, /projections\/secret\.db\/\n.*\.\.data -> /s);
    assert.match(
      story,
      /\d+ reads, 0 failed, 2 rotations seen, 1 daemon killed and replaced .*; 40 log lines followed\n$/,
    );
    assert.match(story, /alloc\/shop created\n/);
    assert.ok(!story.includes('\u001b'), 'no colour where NO_COLOR says so');
  });
});
