/** A daemon for tests: serves a directory with the loopback engine until its parent ends. */
import { closeSync, constants, openSync } from 'node:fs';
import { silentLog } from '../../../src/base/log.ts';
import { HolderClient } from '../../../src/fuse/holder-client.ts';
import { decodeNegotiated, encodeNegotiated, type NegotiatedRecord } from '../../../src/fuse/init.ts';
import { LoopbackConnection, loopbackMemoryBytes } from '../../../src/fuse/loopback-connection.ts';
import { PROFILES } from '../../../src/fuse/profiles.ts';
import { mountFuse } from '../../../src/mounts/fuse-mount.ts';
import { loadNative } from '../../../src/native/load.ts';
import { serveCommands, settings } from './child-side.ts';
import type { LoopbackSettings } from './loopback.ts';

const DEVICE_ENTRY = 'allocs';
const MEMORY_ENTRY = 'allocs-memory';

const wanted = settings<LoopbackSettings>();
const directory = (path: string): number => openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
const holder = wanted.holderSocket === undefined ? undefined : HolderClient.connect(wanted.holderSocket);
holder?.attach();
const entries = holder?.entries() ?? [];
const held = entries.find(({ name }) => name === DEVICE_ENTRY);
const memory =
  entries.find(({ name }) => name === MEMORY_ENTRY)?.descriptor ??
  loadNative().createMemfd('allocs', loopbackMemoryBytes());
holder?.put(MEMORY_ENTRY, Buffer.from('{}'), memory);

let record: NegotiatedRecord | undefined;
let ended: (errno: number) => void = () => undefined;
const end = new Promise<number>((resolve) => {
  ended = resolve;
});
const without = new Set(wanted.without ?? []);

function device(): Promise<number> | number {
  if (held !== undefined) return held.descriptor;
  const options = {
    target: wanted.mountPoint,
    source: 'dunnage',
    subtype: 'dunnage',
    rootMode: 0o755,
    allowOther: true,
  };
  return mountFuse(options).then((mount) => mount.device);
}

const descriptor = await device();
const connection = new LoopbackConnection({
  name: 'allocs',
  device: descriptor,
  root: directory(wanted.backing),
  orphans: directory(wanted.orphans),
  memory,
  log: silentLog,
  profile: { ...PROFILES.allocs, features: PROFILES.allocs.features.filter((feature) => !without.has(feature)) },
  ...(wanted.threads === undefined ? {} : { threads: wanted.threads }),
  ...(held === undefined ? {} : { resume: decodeNegotiated(held.record) }),
  onInit: (agreed) => {
    record = agreed;
    holder?.put(DEVICE_ENTRY, encodeNegotiated(agreed), descriptor);
  },
  onEnd: (errno) => ended(errno),
});
connection.start();
await connection.served();

serveCommands(
  {
    record: () => record,
    statistics: () => connection.statistics(),
    engine: () => connection.engineStatistics(),
    seal: ({ path }) => connection.seal(String(path)),
    unseal: ({ path }) => connection.unseal(String(path)),
    forget: ({ parent, name }) => connection.forget(String(parent), String(name)),
    refresh: ({ path }) => connection.refresh(String(path)),
    close: () => connection.close(),
    ended: () => end,
    descriptors: () => import('node:fs').then((fs) => fs.readdirSync('/proc/self/fd').length),
  },
  () => closeSync(descriptor),
);
