/** A daemon for tests: serves the sample file system through fuse-native until its parent ends. */
import { mkdirSync } from 'node:fs';
import type { Log } from '../../../src/base/log.ts';
import { FuseNativeConnection } from '../../../src/fuse/fuse-native/connection.ts';
import { serveCommands, settings } from './child-side.ts';
import { SampleFileSystem } from './sample-file-system.ts';
import type { SampleSettings } from './sample-server.ts';

const wanted = settings<SampleSettings & { readonly leaseMs?: number }>();
const fileSystem = new SampleFileSystem();
if (wanted.handles) fileSystem.withHandles();
const logged: string[] = [];
const lapsed: string[] = [];
const keep =
  (level: string): Log['info'] =>
  (fields, message) => {
    logged.push(`${level} ${message} ${JSON.stringify(fields)}`);
  };
let ended: (errno: number) => void = () => undefined;
const end = new Promise<number>((resolve) => {
  ended = resolve;
});
mkdirSync(wanted.mountPoint, { recursive: true });
const connection = await FuseNativeConnection.mount({
  name: 'sample',
  mountPoint: wanted.mountPoint,
  fileSystem,
  allowOther: true,
  log: { debug: () => undefined, info: keep('info'), warn: keep('warn'), error: keep('error') },
  onEnd: (errno) => ended(errno),
  onLapsed: (parent, name) => lapsed.push(`${parent}/${name}`),
  ...(wanted.leaseMs === undefined ? {} : { leaseMs: wanted.leaseMs }),
});

serveCommands(
  {
    statistics: () => connection.statistics(),
    logged: () => logged,
    lapsed: () => lapsed,
    references: () => [...fileSystem.references],
    openHandles: () => fileSystem.openHandles,
    openGate: () => fileSystem.openGate(),
    invalidateEntry: ({ parent, name }) =>
      connection.kernelCache.invalidateEntry(Number(parent) as never, String(name)),
    ended: () => end,
    close: () => connection.close(),
  },
  () => undefined,
);
