/** A control server with fake operations on a real socket in a directory of its own, cleaned when the test ends. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Log, LogFields } from '../../src/base/log.ts';
import { startControlServer } from '../../src/server/control-server.ts';
import { FakeOperations } from './fake-operations.ts';
import { FakePools } from './fake-pools.ts';

export interface LogLine {
  readonly level: keyof Log;
  readonly fields: LogFields;
  readonly message: string;
}

export interface ServedFake {
  readonly directory: string;
  readonly socketPath: string;
  readonly operations: FakeOperations;
  readonly pools: FakePools;
  readonly logged: LogLine[];
  close(): Promise<void>;
}

export async function makeDirectory(context: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'dunnage-control-'));
  context.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

export async function serveFake(
  context: TestContext,
  options: { requestTimeoutMs?: number; withoutPools?: boolean } = {},
): Promise<ServedFake> {
  const directory = await makeDirectory(context);
  const socketPath = join(directory, 'dunnage.sock');
  const operations = new FakeOperations();
  const pools = new FakePools();
  const logged: LogLine[] = [];
  const { withoutPools = false, ...rest } = options;
  const parts = { socketPath, operations, ...(withoutPools ? {} : { pools }), log: recordingLog(logged) };
  const { close } = await startControlServer({ ...parts, ...rest });
  context.after(close);
  return { directory, socketPath, operations, pools, logged, close };
}

function recordingLog(lines: LogLine[]): Log {
  const record = (level: keyof Log) => (fields: LogFields, message: string) =>
    void lines.push({ level, fields, message });
  return { debug: record('debug'), info: record('info'), warn: record('warn'), error: record('error') };
}
