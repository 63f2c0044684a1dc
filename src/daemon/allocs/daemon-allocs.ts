/** Alloc directories as a part of the daemon: the service over the connection at `<mount>/allocs`, and who mounts for it. */
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { findLeftovers, removeEach } from '../../alloc/alloc-removal.ts';
import { AllocBuilder } from '../../alloc/service/alloc-builder.ts';
import { AllocService } from '../../alloc/service/alloc-service.ts';
import { AllocTransfers } from '../../alloc/service/alloc-transfers.ts';
import { PresentedProjections, type ProjectionPlaces } from '../../alloc/service/presented-projections.ts';
import { systemClock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import { fromSystemError } from '../../errors/dunnage-error.ts';
import { MountAgent } from '../../mounts/agent.ts';
import { AgentMounts } from '../../mounts/agent-mounts.ts';
import { agentProgramPath } from '../../native/programs.ts';
import type { Catalog } from '../../projection/catalog.ts';
import type { AllocFilesPort } from '../../server/alloc-files-port.ts';
import type { Store } from '../../store/store.ts';
import { projectionPath } from '../../tree/places.ts';
import type { DaemonOptions } from '../daemon-options.ts';
import type { ServedTree } from '../served-tree.ts';
import { AllocFilesIndex } from './alloc-files-index.ts';
import { allocPlaces } from './alloc-places.ts';
import type { AllocsConnection } from './allocs-connection.ts';
import { announced } from './announced.ts';
import { ServedDirectory } from './served-directory.ts';
import { StableLogs } from './stable-logs.ts';

/** The start waits so long at most. */
const RECOVER_MS_MAX = 20_000;

export interface DaemonAllocsOptions {
  readonly options: DaemonOptions;
  readonly connection: AllocsConnection;
  readonly store: Store;
  readonly projections: ProjectionPlaces;
  readonly log: Log;
  /** Called before each step that changes something. */
  readonly onStep?: ((step: string) => void) | undefined;
}

/** Undefined if the tree has no connection for them: as an ordinary user, and over fuse-native. */
export function startAllocs(
  parts: Omit<DaemonAllocsOptions, 'connection' | 'projections'> & {
    readonly tree: Pick<ServedTree, 'allocs'>;
    readonly catalog: Catalog;
  },
): DaemonAllocs | undefined {
  const { tree, catalog, options, ...rest } = parts;
  if (tree.allocs === undefined) return undefined;
  const projections: ProjectionPlaces = {
    pathOf: (name) => projectionPath(options.mountPoint, name),
    exists(name) {
      catalog.refresh();
      const id = catalog.findProjection(name);
      return id !== undefined && catalog.projection(id)?.state === 'live';
    },
  };
  return new DaemonAllocs({ ...rest, options, projections, connection: tree.allocs });
}

export class DaemonAllocs {
  readonly service: AllocService;
  readonly directory: ServedDirectory;
  readonly files: AllocFilesPort;
  readonly #log: Log;
  readonly #agent: MountAgent;
  readonly #ending = new AbortController();
  readonly #leftOver: string[] = [];
  #removing: Promise<void> = Promise.resolve();

  constructor({ options, connection, store, projections, log, onStep }: DaemonAllocsOptions) {
    this.#log = log;
    const { stateDir, runtimeDir, mountPoint } = options;
    const places = allocPlaces(options);
    const ownPaths = [stateDir, runtimeDir, mountPoint, dirname(places.tree)];
    this.#agent = MountAgent.start({ programPath: agentProgramPath(), baseDirectory: places.visible, log });
    const mounts = new AgentMounts({ agent: this.#agent });
    const { loopback } = connection;
    this.directory = new ServedDirectory({
      ...{ places, runtimeDir, ownPaths },
      loopback: onStep === undefined ? loopback : announced(loopback, onStep),
      mounts: onStep === undefined ? mounts : announced(mounts, onStep),
    });
    const presented = new PresentedProjections({ directory: this.directory, projections, log });
    const { signal } = this.#ending;
    const logs = new StableLogs(this.directory, log);
    const files = new AllocFilesIndex({ directory: this.directory, find: (id) => this.service.find(id) });
    this.service = new AllocService({
      ...{ store, clock: systemClock, log, onStep },
      builder: new AllocBuilder({ directory: this.directory, presented, log, signal }),
      transfers: new AllocTransfers(this.directory),
      exists: (name) => projections.exists(name),
      onReady: (spec) => logs.start(spec),
      onLeave: (id) => logs.stop(id),
      onGone: (id) => files.forget(id),
    });
    this.files = files;
  }

  /**
   * Finishes what earlier daemons began, each alloc by itself. What takes long goes on in the background. What is left over keeps no
   * alloc waiting, and what of it cannot be removed is said.
   */
  async recover(): Promise<void> {
    this.#removing = this.#removeLeftovers(await this.#findLeftovers());
    const recovered = this.service.recover();
    const isDone = await Promise.race([recovered.then(() => true), delay(RECOVER_MS_MAX, false, { ref: false })]);
    if (isDone) return;
    this.#log.warn({ ms: RECOVER_MS_MAX }, 'some allocs take long to be made ready; the start does not wait for them');
    recovered.catch((error: unknown) => this.#log.error({ error: String(error) }, 'allocs could not be made ready'));
  }

  /** Sentences for the status of the daemon. */
  warnings(): readonly string[] {
    return [...this.#leftOver, ...this.service.warnings()];
  }

  async #findLeftovers(): ReturnType<typeof findLeftovers> {
    try {
      return await findLeftovers(this.directory);
    } catch (error) {
      this.#noteLeftOver(this.directory.stagingPath, error);
      return [];
    }
  }

  async #removeLeftovers(places: Awaited<ReturnType<typeof findLeftovers>>): Promise<void> {
    for (const { path, error } of await removeEach(places, this.#ending.signal)) this.#noteLeftOver(path, error);
  }

  #noteLeftOver(path: string, error: unknown): void {
    const { message, remedy } = fromSystemError(error, `cannot remove what is left over in ${path}`);
    this.#log.warn({ path, reason: message }, 'what an earlier daemon has left could not be removed');
    this.#leftOver.push(remedy === undefined ? message : `${message}; ${remedy}`);
  }

  /** Ends what is under way: the next daemon goes on with it. Idempotent. */
  async close(): Promise<void> {
    this.#ending.abort();
    await this.#removing;
    await this.service.close();
    await this.#agent.close();
  }
}
