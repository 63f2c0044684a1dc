/**
 * Entry of the FUSE thread: a worker that serves the connections and does nothing else. It never waits on the mount,
 * never hashes, never talks to clients. Over the transport fuse-native it is a process instead (fuse-link.ts).
 */
import { receiveMessageOnPort } from 'node:worker_threads';
import { systemClock } from '../base/clock.ts';
import { type GenerationId, type ProjectionId, ROOT_NODE_ID } from '../base/ids.ts';
import { limits } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import { fromSystemError } from '../errors/dunnage-error.ts';
import { Connection } from '../fuse/connection.ts';
import { FuseNativeConnection } from '../fuse/fuse-native/connection.ts';
import { PROFILES } from '../fuse/profiles.ts';
import { JOURNAL_BYTES, RequestJournal } from '../fuse/request-journal.ts';
import { loadNative } from '../native/load.ts';
import { AuditedTree, auditedLiveFile } from '../projection/audited-tree.ts';
import { Catalog } from '../projection/catalog.ts';
import { publishingEarly } from '../projection/early-publication.ts';
import { isLiveNode } from '../projection/live/live-ids.ts';
import { LiveTree } from '../projection/live/live-tree.ts';
import { PendingGenerations } from '../projection/pending-generations.ts';
import { ProjectionTree } from '../projection/projection-tree.ts';
import { Publisher } from '../projection/publisher.ts';
import { SourceSeen } from '../projection/sources/source-seen.ts';
import { received, type StagedGeneration } from '../projection/staged-generation.ts';
import { BlobStore } from '../store/blob-store.ts';
import { toDigest } from '../store/digest.ts';
import { SealingKey } from '../store/sealing-key.ts';
import { Store } from '../store/store.ts';
import { DeviceLinks } from '../tree/device-links.ts';
import { GraftedTree } from '../tree/grafted-tree.ts';
import { RootTree } from '../tree/root-tree.ts';
import type { FileSystem } from '../vfs/file-system.ts';
import type { KernelCache } from '../vfs/ports.ts';
import { AuditQueue } from './audit/audit-queue.ts';
import { toAuditEvent } from './audit/caller-program.ts';
import { openFuseLink } from './fuse-link.ts';
import type { FromFuseThread, ServedConnection, ToFuseThread } from './fuse-messages.ts';
import { lookupsIn, pendingIn, takeoverMemory } from './takeover-memory.ts';

const link = await openFuseLink();
const { data } = link;
const say = (message: FromFuseThread): void => link.say(message);

const logAt =
  (level: 'debug' | 'info' | 'warn' | 'error'): Log['info'] =>
  (fields, message) =>
    say({ type: 'log', level, fields: plain(fields), message });
const log: Log = { debug: logAt('debug'), info: logAt('info'), warn: logAt('warn'), error: logAt('error') };

/** Errors and bigints do not survive a log line as they are. */
function plain(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [
      key,
      typeof value === 'number' || typeof value === 'boolean' || value === undefined ? value : String(value),
    ]),
  );
}

const connections = new Map<ServedConnection, Connection | FuseNativeConnection>();
/** Called when the record of a new connection is safe with the holder. */
const onKept = new Map<ServedConnection, () => void>();

/** Before its connection exists the kernel has nothing cached. */
const cacheOf = (name: ServedConnection): KernelCache => ({
  invalidateEntry: (parent, entry) => connections.get(name)?.kernelCache.invalidateEntry(parent, entry),
  invalidateNode: (nodeId) => connections.get(name)?.kernelCache.invalidateNode(nodeId),
});
const projectionsCache = cacheOf('projections');
const auditedCache = cacheOf('audited');

function nextStaged(): StagedGeneration | undefined {
  const { staging } = data;
  if (staging === undefined) return staged.shift();
  const next = receiveMessageOnPort(staging) as { readonly message: StagedGeneration } | undefined;
  return next && received(next.message);
}

const store = Store.open({
  stateDir: data.stateDir,
  log,
  ownProcess: link.isProcess,
  ...(data.commitChain === undefined ? {} : { commitChain: data.commitChain }),
});
const sealingKey =
  data.sealingKeyDescriptor === undefined
    ? SealingKey.load(data.sealingKeyPath)
    : SealingKey.ofShared(data.sealingKeyDescriptor);
const blobs = new BlobStore({ store, stateDir: data.stateDir, sealingKey, log });
const catalog = new Catalog(store);
const publisher = new Publisher({ store, catalog, blobs, clock: systemClock });
const memory = takeoverMemory(data.memoryDescriptor);
const lookups = lookupsIn(memory);
const interrupted = pendingIn(memory);
/** What came as a message: only to a process of its own. */
const staged: StagedGeneration[] = [];
const pending = new PendingGenerations({ table: interrupted, lookups, receive: nextStaged });
const owner = { uid: data.uid, gid: data.gid };
const sourceSeen = new SourceSeen(store);
const sourcesSeenAtMs = (directory: string): number | undefined => sourceSeen.get(directory)?.seenAtMs;
const audit = new AuditQueue({ room: limits.auditQueueEvents, send: (batch) => say({ type: 'opened', batch }) });
/** Which of the two has a generation in its care. */
const serving = (id: GenerationId): ProjectionTree => (audited.serves(id) ? audited : projections);
const treeOf = (projection: ProjectionId | undefined): ProjectionTree => {
  const record = projection === undefined ? undefined : catalog.projection(projection);
  return record?.audited === true ? audited : projections;
};
const live: LiveTree = new LiveTree({
  ...{ catalog, store, blobs, lookups, owner, sourcesSeenAtMs },
  startedAtMs: systemClock.nowMs(),
  prune: (nodes) => {
    const root = connections.get('root');
    if (root instanceof Connection) root.prune(nodes);
  },
  generations: {
    load: (id) => serving(id).generations.load(id),
    hold: (id) => serving(id).generations.hold(id),
    release: (id) => serving(id).generations.release(id),
  },
  onOpen: (caller, opened) => {
    const file = auditedLiveFile(catalog, opened);
    if (file !== undefined) audit.add(toAuditEvent(caller, file, systemClock.nowMs()));
  },
});
const shown = {
  catalog,
  blobs,
  publisher,
  lookups,
  pending,
  clock: systemClock,
  owner,
  publications: live.publications,
  graceMs: data.graceMs,
  sourcesSeenAtMs,
  storeSizeBytes: () => store.sizeBytes,
  onForgotten: (generation: GenerationId) => say({ type: 'forgotten', generation }),
};
const projections: ProjectionTree = new ProjectionTree({ ...shown, kernelCache: projectionsCache });
const audited: AuditedTree = new AuditedTree({
  ...shown,
  kernelCache: auditedCache,
  onOpened: (caller, file) => audit.add(toAuditEvent(caller, file, systemClock.nowMs())),
});
const fileSystems: Readonly<Record<ServedConnection, FileSystem>> = {
  root: new GraftedTree(
    new RootTree({ clock: systemClock, ...owner }),
    live,
    new DeviceLinks({ folder: data.deviceFolder, ...owner }),
  ),
  projections,
  audited,
};

function serve({ name, device, record, journal }: Extract<ToFuseThread, { type: 'serve' }>): void {
  const connection = new Connection({
    name,
    device,
    fileSystem: fileSystems[name],
    profile: PROFILES[name],
    log,
    ...(record === undefined ? {} : { resume: record }),
    ...(journal === undefined ? {} : { journal: new RequestJournal(loadNative().mapShared(journal, JOURNAL_BYTES)) }),
    onInit: (negotiated) =>
      new Promise((resolve) => {
        onKept.set(name, resolve);
        say({ type: 'initialised', name, record: negotiated });
      }),
    onEnd: (errno) => say({ type: 'ended', name, errno }),
  });
  connections.set(name, connection);
  connection.start();
  if (record !== undefined) say({ type: 'initialised', name, record });
}

/** The same over fuse-native, which opens the device and answers INIT by itself. */
async function mount({ name, mountPoint, allowOther }: Extract<ToFuseThread, { type: 'mount' }>): Promise<void> {
  try {
    const connection = await FuseNativeConnection.mount({
      name,
      mountPoint,
      allowOther,
      fileSystem: name === 'projections' ? publishingEarly(projections) : fileSystems[name],
      log,
      onEnd: (errno) => say({ type: 'ended', name, errno }),
      onLapsed: (parent, child) => say({ type: 'lapsed', parent, name: child }),
    });
    connections.set(name, connection);
    say({ type: 'mounted', name });
  } catch (error) {
    const { code, message, remedy } = fromSystemError(error, `cannot mount ${mountPoint}`);
    say({ type: 'refused', name, code, message, remedy });
  }
}

async function showName(name: string): Promise<void> {
  const root = connections.get('root');
  if (root instanceof Connection) {
    root.kernelCache.invalidateEntry(ROOT_NODE_ID, name);
    await root.notified();
  }
  say({ type: 'shown', name });
}

function statistics(): void {
  const all = [...connections].map(([name, connection]) => {
    const { requests, unanswered, failedNotifications } = connection.statistics();
    return { name, requests, unanswered, failedNotifications };
  });
  say({ type: 'statistics', connections: all });
}

async function close(): Promise<void> {
  projections.close();
  audited.close();
  for (const connection of connections.values()) await connection.close();
  audit.flush();
  await store.close();
  say({ type: 'closed' });
  link.close();
}

link.listen((message) => {
  switch (message.type) {
    case 'serve':
      return serve(message);
    case 'mount':
      void mount(message);
      return;
    case 'kept':
      onKept.get(message.name)?.();
      return;
    case 'resend':
      for (const connection of connections.values()) if (connection instanceof Connection) connection.requestResend();
      return;
    case 'show-name':
      void showName(message.name);
      return;
    case 'live-given-up':
      return live.giveUp(message.projection, message.towards);
    case 'stage':
      staged.push(received(message.generation));
      return say({ type: 'staged', generation: message.generation.id });
    case 'abort':
      return say({ type: 'aborted', generation: message.generation, done: projections.abort(message.generation) });
    case 'finish-abort':
      return treeOf(pending.staged(message.generation)?.projection).finishAbort(message.generation);
    case 'dropped':
      projections.dropped(message.generations);
      return audited.dropped(message.generations);
    case 'audited':
      return audit.written(message.count);
    case 'forget-content':
      return blobs.forget(toDigest(message.digest));
    case 'invalidate':
      // A connection that does not know a node has nothing to forget of it.
      for (const node of message.nodes) {
        if (isLiveNode(node)) connections.get('root')?.kernelCache.invalidateNode(node);
        else for (const cache of [projectionsCache, auditedCache]) cache.invalidateNode(node);
      }
      return;
    case 'statistics':
      return statistics();
    case 'close':
      void close();
      return;
  }
});
if (data.resumed) {
  const names = [...interrupted.entries()];
  for (const tree of [projections, audited]) tree.resume(names.filter(({ projection }) => treeOf(projection) === tree));
  live.resume();
} else {
  live.reset();
}
say({ type: 'ready' });
