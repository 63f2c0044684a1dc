/**
 * The composition root: builds every part in the order in which they need each other, and takes them down in reverse.
 *
 * Start:  directories -> locks -> key, store -> holder -> FUSE thread -> mounts (or takeover) -> agent -> mending -> control API
 * End:    control API -> agent -> mounts (only if unmounting) -> FUSE thread -> holder -> store -> locks
 */
import { systemClock } from '../base/clock.ts';
import type { GenerationId } from '../base/ids.ts';
import { limits } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import { DunnageError } from '../errors/dunnage-error.ts';
import { MountAgent } from '../mounts/agent.ts';
import { agentCommand } from '../mounts/agent-command.ts';
import { Catalog } from '../projection/catalog.ts';
import { ProjectionHistory, type ProjectionHistoryOptions } from '../projection/history/projection-history.ts';
import { LiveAnnouncements } from '../projection/live/live-announcements.ts';
import { LiveAnnouncer } from '../projection/live/live-announcer.ts';
import { ProjectionService, type ProjectionServiceOptions } from '../projection/projection-service.ts';
import { Publisher } from '../projection/publisher.ts';
import { performOnHost } from '../projection/reactions/perform.ts';
import { ReactionRecords } from '../projection/reactions/reaction-records.ts';
import { SwapReactions } from '../projection/reactions/swap-reactions.ts';
import { SourceService, type SourceServiceOptions } from '../projection/sources/source-service.ts';
import type { AllocFilesPort } from '../server/alloc-files-port.ts';
import { startControlServer } from '../server/control-server.ts';
import type { HistoryOperations } from '../server/history-operations.ts';
import type { ControlOperations } from '../server/operations.ts';
import type { PoolOperations } from '../server/pool-operations.ts';
import type { Scrub } from '../store/check/scrub.ts';
import type { SealingKey } from '../store/sealing-key.ts';
import type { Store } from '../store/store.ts';
import { allocsPath, deviceFolder, projectionsPath } from '../tree/places.ts';
import { createAllocOperations } from './allocs/alloc-operations.ts';
import { allocDirOf } from './allocs/alloc-places.ts';
import { type DaemonAllocs, startAllocs } from './allocs/daemon-allocs.ts';
import { attachTree } from './attach-tree.ts';
import { AuditFile } from './audit/audit-file.ts';
import { AuditLog } from './audit/audit-log.ts';
import { AuditedMounts } from './audit/audited-mount.ts';
import { Cleanups } from './cleanups.ts';
import { createControlOperations } from './control-operations.ts';
import { makeDaemonDirectories } from './daemon-directories.ts';
import { DaemonLock } from './daemon-lock.ts';
import { daemonMetrics } from './daemon-metrics.ts';
import type { DaemonOptions } from './daemon-options.ts';
import type { DaemonSeams } from './daemon-seams.ts';
import { daemonStatus } from './daemon-status.ts';
import { Ending, once } from './ending.ts';
import { createFileOperations } from './file-operations.ts';
import { FuseThread, type FuseThreadEvents } from './fuse-thread-client.ts';
import { createHistoryOperations } from './history-operations.ts';
import { lookUpLapsed } from './lapsed-names.ts';
import { LiveAgent } from './live-agent.ts';
import type { PrometheusMetrics } from './metrics.ts';
import { openStore } from './open-store.ts';
import { type DaemonPools, startPools } from './pools/daemon-pools.ts';
import { createPoolOperations } from './pools/pool-operations.ts';
import { realPlace } from './real-place.ts';
import { auditLogPath } from './runtime-files.ts';
import { type ScrubParts, startScrub } from './scrubbing.ts';
import { describeSealingKey } from './sealing.ts';
import { connectionStatistics, type ServedTree } from './served-tree.ts';
import { type ServingParts, servingMaintenance } from './serving-maintenance.ts';
import { pendingIn, takeoverMemory } from './takeover-memory.ts';
import { chooseTransport, type TransportChoice } from './transport.ts';

/** What a daemon consists of once its tree is up. */
interface LiveParts extends ServingParts {
  readonly tree: ServedTree;
  readonly thread: FuseThread;
  readonly sources: SourceService;
  readonly reactions: SwapReactions;
  readonly catalog: Catalog;
  readonly metrics: PrometheusMetrics;
  readonly audit: AuditLog;
  /** Undefined where the tree has none. */
  readonly allocs: DaemonAllocs | undefined;
  /** Undefined where this daemon can have none. */
  readonly pools: DaemonPools | undefined;
  /** Ends what works through the mount, and unmounts if that is wanted. */
  readonly stopTree: () => Promise<void>;
}

export class Daemon {
  readonly #options: DaemonOptions;
  readonly #choice: TransportChoice;
  readonly #log: Log;
  readonly #seams: DaemonSeams;
  readonly #cleanups: Cleanups;
  readonly #startedAtMs = systemClock.nowMs();
  readonly #uid = process.getuid?.() ?? 0;
  readonly #gid = process.getgid?.() ?? 0;
  readonly #ended = new Ending();
  #operations: ControlOperations | undefined;
  #ending: Promise<void> | undefined;
  #scrub: Scrub | undefined;
  /** A start that fails takes its own mounts down, and leaves those that it took over. */
  #unmountAtEnd = false;
  #isStopping = false;

  private constructor(options: DaemonOptions, choice: TransportChoice, log: Log, seams: DaemonSeams) {
    this.#choice = choice;
    this.#options = options;
    this.#seams = seams;
    this.#log = log;
    this.#cleanups = new Cleanups(log);
  }

  /** Resolves when the tree is mounted and the control API answers. A start that fails leaves nothing behind. */
  static async start(options: DaemonOptions, log: Log, seams: DaemonSeams = {}): Promise<Daemon> {
    const choice = chooseTransport(options.transport);
    // Of what the holder keeps for the next daemon, and of what is looked up in the mount table, there is one spelling only.
    const stateDir = await realPlace(options.stateDir);
    const runtimeDir = await realPlace(options.runtimeDir);
    const mountPoint = await realPlace(options.mountPoint);
    const allocDir = await realPlace(allocDirOf({ ...options, stateDir }));
    const daemon = new Daemon({ ...options, stateDir, runtimeDir, mountPoint, allocDir }, choice, log, seams);
    try {
      await daemon.#start();
    } catch (error) {
      await daemon.#cleanups.run();
      throw error;
    }
    return daemon;
  }

  /** What the control API offers, for a program that runs the daemon in its own process. */
  get operations(): ControlOperations {
    if (this.#operations === undefined) throw new DunnageError('UNREACHABLE', 'the daemon has not started');
    return this.#operations;
  }

  /** Resolves when the daemon has ended in order; rejects if it broke. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** Unmounts the tree, or leaves it to the holder; then ends. */
  end(unmount: boolean): Promise<void> {
    if (this.#ending === undefined) {
      this.#log.info({ unmount }, 'ending');
      this.#unmountAtEnd = unmount;
      this.#isStopping = true;
      this.#ending = this.#cleanups.run().then(this.#ended.resolve, this.#ended.reject);
    }
    return this.#ended.promise;
  }

  async #start(): Promise<void> {
    makeDaemonDirectories(this.#options);
    this.#lock();
    const { sealingKey, commitChain, store, blobs } = await openStore(this.#options, this.#log, this.#cleanups);

    const tree = await this.#attachTree();
    const audit = this.#startAudit((count) => thread.audited(count));
    // A takeover tells of some before there is anybody to hear of it.
    const early: GenerationId[] = [];
    let onForgotten = (generation: GenerationId): void => void early.push(generation);
    const thread = await this.#startThread(
      tree,
      { sealingKey, commitChain },
      {
        onForgotten: (generation) => onForgotten(generation),
        onOpened: (batch) => audit.take(batch),
        onLapsed: (parent, name) => void lookUpLapsed({ catalog, throughMount: agent, log: this.#log }, parent, name),
      },
    );
    this.#unmountAtEnd = tree.held === undefined;
    await tree.serve(thread, (name, errno) => this.#connectionEnded(name, errno));
    this.#cleanups.add(() => tree.allocs?.close());
    // The FUSE thread's store holds the newest durable commit; this one must hold it when that closes.
    this.#cleanups.add(() => store.flush());

    const agent = this.#projectionsAgent();
    const live = this.#live(store, thread);
    const audited = this.#auditedMounts(tree, agent);
    const catalog = new Catalog(store);
    const { onAllocStep: onStep } = this.#seams;
    const allocs = startAllocs({ options: this.#options, tree, store, catalog, log: this.#log, onStep });
    const stopTree = this.#stopTree(tree, [agent, live.agent, ...[audited ?? [], allocs ?? []].flat()]);
    const metrics = daemonMetrics({
      ...{ catalog, blobs, store, log: this.#log, startedAtMs: this.#startedAtMs },
      connections: () => connectionStatistics(thread, tree),
      allocStates: () => allocs?.service.states() ?? new Map(),
      poolStates: () => pools?.service.states() ?? new Map(),
    });
    const pools = this.#pools(store, metrics);
    const reactions = this.#reactions(catalog, metrics, store);
    const projections = this.#projections(thread, tree, {
      ...{ reactions, catalog, metrics, blobs, ...(audited && { audited }) },
      ...(!this.#inProcess && { publisher: new Publisher({ store, catalog, blobs, clock: systemClock }) }),
      throughMount: this.#seams.throughMount?.(agent) ?? agent,
      announceLive: (projection) => live.announcer.announce(projection),
      onChanged: (directory) => {
        sources.changed(directory);
        allocs?.service.projectionChanged(directory);
      },
    });
    const sources = this.#sources({ store, catalog, blobs, sealingKey, metrics }, projections);
    onForgotten = (generation) => projections.forgotten(generation);
    early.forEach(onForgotten);
    await this.#recover({ tree, projections, audited, announcer: live.announcer, allocs, pools });
    sources.start();
    await this.#open({
      ...{ store, blobs, sealingKey, tree, thread, projections, sources, reactions, catalog, metrics },
      ...{ audit, stopTree, allocs, pools },
    });
    this.#log.info({ mountPoint: this.#options.mountPoint, takenOver: tree.held !== undefined }, 'the tree is live');
  }

  /** Finishes or undoes what earlier daemons have begun. */
  async #recover(parts: {
    readonly tree: ServedTree;
    readonly projections: ProjectionService;
    readonly audited: AuditedMounts | undefined;
    readonly announcer: LiveAnnouncer;
    readonly allocs: DaemonAllocs | undefined;
    readonly pools: DaemonPools | undefined;
  }): Promise<void> {
    const { tree, projections, audited, announcer, allocs, pools } = parts;
    const poolsRecovered = pools?.recover();
    if (tree.held === undefined) await projections.removeDropped();
    await projections.recover();
    await this.#showAudited(projections, audited, tree);
    await announcer.recover();
    // What allocs present is there now.
    await allocs?.recover();
    await poolsRecovered;
  }

  /** Everything is in its place: what is asked from outside is answered from now on. */
  async #open(parts: LiveParts): Promise<void> {
    const { thread, catalog, blobs, projections, sources, reactions, metrics } = parts;
    const maintenance = servingMaintenance(this.#options.stateDir, parts);
    const pools = createPoolOperations(parts.pools?.service);
    const operations = createControlOperations({
      ...{ projections, sources, maintenance },
      allocs: createAllocOperations(parts.allocs?.service, allocsPath(this.#options.mountPoint)),
      pools,
      status: daemonStatus({
        ...{ ...parts, options: this.#options, transport: this.#choice.transport, startedAtMs: this.#startedAtMs },
        scrub: () => this.#scrub,
        connections: () => connectionStatistics(thread, parts.tree),
      }),
      history: this.#history({ catalog, blobs, projections }, sources, thread),
      metrics: () => metrics.text(),
      files: createFileOperations({ projections, sources, blobs, log: this.#log }),
      shutdown: async (unmount) => {
        this.#unmountAtEnd = unmount;
        this.#isStopping = true;
        await sources.close();
        await reactions.close();
        await parts.stopTree();
        setImmediate(() => void this.end(unmount).catch(() => undefined));
      },
      ...{ uid: this.#uid, gid: this.#gid },
    });
    await this.#answer(operations, pools, parts.allocs?.files);
    this.#startScrub({ maintenance, metrics, projections, log: this.#log });
    // Now that what a reaction asks of the control API is answered.
    reactions.recover();
  }

  /** Ends the agents and, once, unmounts: on request, and what nobody could take over. */
  #stopTree(tree: ServedTree, agents: readonly { close(): Promise<void> }[]): () => Promise<void> {
    const stopTree = once(async () => {
      await Promise.all(agents.map((agent) => agent.close()));
      if (this.#unmountAtEnd || tree.holderPid === undefined) await tree.unmount();
    });
    this.#cleanups.add(stopTree);
    return stopTree;
  }

  #projections(
    thread: FuseThread,
    tree: ServedTree,
    parts: Omit<ProjectionServiceOptions, 'clock' | 'log' | 'stager' | 'interrupted' | 'onDropped'>,
  ): ProjectionService {
    const projections = new ProjectionService({
      ...parts,
      ...(this.#seams.onStep === undefined ? {} : { onStep: this.#seams.onStep }),
      clock: systemClock,
      log: this.#log,
      stager: thread,
      interrupted: pendingIn(takeoverMemory(tree.memoryDescriptor)),
      onDropped: (generations) => thread.dropped(generations),
    });
    this.#cleanups.add(() => projections.close());
    return projections;
  }

  /** Devices stay active for the next daemon; what nobody uses is taken out of service with the tree. */
  #pools(store: Store, metrics: PrometheusMetrics): DaemonPools | undefined {
    const { onPoolStep: onStep } = this.#seams;
    const pools = startPools({ options: this.#options, store, metrics, log: this.#log, onStep });
    this.#cleanups.add(() => pools?.end(this.#unmountAtEnd));
    return pools;
  }

  async #answer(
    operations: ControlOperations,
    pools: PoolOperations,
    allocFiles: AllocFilesPort | undefined,
  ): Promise<void> {
    this.#operations = operations;
    const server = await startControlServer({
      ...{ socketPath: this.#options.controlSocket, operations, pools, log: this.#log },
      ...(allocFiles && { allocFiles }),
    });
    this.#cleanups.add(() => server.close());
  }

  /** Who tells watchers of live files, and the agent that does it. */
  #live(store: Store, thread: FuseThread): { readonly announcer: LiveAnnouncer; readonly agent: LiveAgent } {
    const agent = new LiveAgent({ mountPoint: this.#options.mountPoint, log: this.#log });
    const announcer = new LiveAnnouncer({
      announcements: new LiveAnnouncements(store),
      throughMount: agent,
      log: this.#log,
      onGivenUp: (projection, towards) => thread.giveUpAnnouncement(projection, towards),
    });
    return { announcer, agent };
  }

  #sources(
    parts: Pick<SourceServiceOptions, 'store' | 'catalog' | 'blobs' | 'sealingKey' | 'metrics'>,
    projections: ProjectionService,
  ): SourceService {
    const { mountPoint } = this.#options;
    const write = projections.write.bind(projections);
    const sources = new SourceService({ ...parts, clock: systemClock, log: this.#log, mountPoint, write });
    this.#cleanups.add(() => sources.close());
    return sources;
  }

  #startScrub(parts: ScrubParts): void {
    this.#scrub = startScrub(this.#options, parts);
    this.#cleanups.add(() => this.#scrub?.close());
  }

  #lock(): void {
    const { stateDir, runtimeDir } = this.#options;
    for (const [directory, what] of [
      [runtimeDir, 'runtime directory'],
      [stateDir, 'state directory'],
    ] as const) {
      const lock = DaemonLock.acquire(directory, what);
      this.#cleanups.add(() => lock.release());
    }
  }

  #projectionsAgent(): MountAgent {
    const baseDirectory = projectionsPath(this.#options.mountPoint);
    return MountAgent.start({ ...agentCommand(), baseDirectory, log: this.#log });
  }

  #startAudit(onWritten: (count: number) => void): AuditLog {
    const file = new AuditFile({
      path: auditLogPath(this.#options.stateDir),
      sizeBytesMax: limits.auditFileBytes,
      olderFiles: limits.auditFilesKept,
    });
    const audit = new AuditLog({ file, log: this.#log, clock: systemClock, onWritten });
    this.#cleanups.add(() => audit.close());
    return audit;
  }

  /** Undefined where there is no connection for it: as an ordinary user, and on the tree of an older daemon. */
  #auditedMounts(tree: ServedTree, projectionsAgent: MountAgent): AuditedMounts | undefined {
    if (!tree.records.has('audited')) return undefined;
    return new AuditedMounts({ mountPoint: this.#options.mountPoint, projectionsAgent, log: this.#log });
  }

  async #showAudited(
    projections: ProjectionService,
    mounts: AuditedMounts | undefined,
    tree: ServedTree,
  ): Promise<void> {
    const directories = projections.list().flatMap(({ record }) => (record.audited === true ? [record.directory] : []));
    await mounts?.reconcile(new Set(directories));
    if (mounts !== undefined || directories.length === 0) return;
    tree.warnings.push(
      `${directories.length} audited projections are not shown, because this daemon cannot audit: run it as root, after dunnage down`,
    );
  }

  async #attachTree(): Promise<ServedTree> {
    const tree = await attachTree(this.#choice, this.#options, this.#log);
    this.#cleanups.add(() => tree.leave());
    return tree;
  }

  #reactions(catalog: Catalog, metrics: PrometheusMetrics, store: Store): SwapReactions {
    const reactions = new SwapReactions({
      ...{ catalog, metrics, clock: systemClock, log: this.#log, perform: performOnHost },
      records: new ReactionRecords(store),
      projectionsPath: projectionsPath(this.#options.mountPoint),
    });
    this.#cleanups.add(() => reactions.close());
    return reactions;
  }

  #history(
    parts: Pick<ProjectionHistoryOptions, 'catalog' | 'blobs' | 'projections'>,
    sources: SourceService,
    thread: FuseThread,
  ): HistoryOperations {
    const owner = { uid: this.#uid, gid: this.#gid };
    const history = new ProjectionHistory({ ...parts, owner, onDropped: (ids) => thread.dropped(ids) });
    return createHistoryOperations(history, (directory) => sources.view(directory) !== undefined);
  }

  /** Whether what serves the mount is a process of its own. */
  get #inProcess(): boolean {
    return this.#choice.transport === 'fuse-native';
  }

  async #startThread(
    tree: ServedTree,
    { sealingKey, commitChain }: { readonly sealingKey: SealingKey; readonly commitChain: BigInt64Array },
    events: Pick<FuseThreadEvents, 'onForgotten' | 'onLapsed' | 'onOpened'>,
  ): Promise<FuseThread> {
    const inProcess = this.#inProcess;
    const shared = inProcess ? undefined : sealingKey.share();
    const thread = await FuseThread.start(
      {
        stateDir: this.#options.stateDir,
        sealingKeyDescriptor: shared?.descriptor,
        sealingKeyPath: describeSealingKey(sealingKey, this.#options).path,
        commitChain: inProcess ? undefined : commitChain,
        memoryDescriptor: tree.memoryDescriptor,
        resumed: tree.held !== undefined,
        uid: this.#uid,
        gid: this.#gid,
        graceMs: limits.droppedGenerationGraceMs,
        deviceFolder: deviceFolder(this.#options.runtimeDir),
      },
      {
        log: this.#log,
        ...events,
        onEnded: (name, errno) => this.#connectionEnded(name, errno),
        onFailed: (error) => this.#threadFailed(error),
      },
      inProcess,
    ).finally(() => shared?.release());
    this.#cleanups.add(() => thread.close());
    return thread;
  }

  /** Somebody unmounted or aborted a connection: the rest goes too, in order. */
  #connectionEnded(name: string, errno: number): void {
    if (this.#isStopping) return;
    this.#log.info({ name, errno }, 'unmounted from outside');
    void this.end(true).catch(() => undefined);
  }

  /** Without its thread the daemon is of no use; the holder keeps the tree for the next one. */
  #threadFailed(error: Error): void {
    const failure = new DunnageError('INTERNAL', `the FUSE thread failed: ${error.message}`, {
      remedy: 'start it again with: dunnage up',
    });
    if (this.#choice.transport === 'kernel') {
      this.#log.error(
        { error: error.stack ?? String(error) },
        'the FUSE thread failed; the tree waits for a new daemon',
      );
      this.#ended.reject(failure);
      return;
    }
    this.#log.error({ error: error.message }, 'the serving process failed; the tree is gone');
    this.#isStopping = true;
    // What cannot be taken down is logged there.
    const reject = (): void => this.#ended.reject(failure);
    this.#cleanups.run().then(reject, reject);
  }
}
