/** A daemon's operations in memory: they record what was asked and answer what the test put there. */
import { DunnageError } from '../../src/errors/dunnage-error.ts';
import type {
  AllocDeletion,
  AllocDetail,
  AllocMove,
  AllocRestore,
  AllocSummary,
} from '../../src/server/alloc-operations.ts';
import type {
  GenerationDiff,
  GenerationRange,
  ProjectionHistory,
  PurgeResult,
  RollbackResult,
} from '../../src/server/history-operations.ts';
import type {
  AppliedObject,
  ApplyResult,
  ControlOperations,
  DaemonStatus,
  FsckReport,
  GcReport,
  IncomingFile,
  OutgoingFile,
  ProjectionDetail,
  ProjectionKind,
  ProjectionSummary,
  SizedFile,
  WriteFile,
} from '../../src/server/operations.ts';

const EXAMPLE = { kind: 'Projection', namespace: 'default', name: 'web', directory: 'web' } as const;

export class FakeOperations implements ControlOperations {
  readonly calls: { readonly name: keyof ControlOperations; readonly arguments: readonly unknown[] }[] = [];
  readonly objects: ProjectionDetail[] = [];
  daemon: DaemonStatus = exampleStatus();
  applied: readonly AppliedObject[] = [];
  allocs: AllocDetail[] = [];
  deletion: AllocDeletion = { id: '5f8c', deleted: true, awaiting: [] };
  /** Thrown at the end of a snapshot. */
  snapshotFailure: unknown;
  history: ProjectionHistory = exampleHistory();
  diff: GenerationDiff = exampleDiff();
  rolledBack: RollbackResult = { ...EXAMPLE, action: 'rolled-back', to: 2, generation: 4, warnings: [] };
  purged: PurgeResult = { ...EXAMPLE, dropped: [2, 1], kept: [3] };
  /** Thrown by the next operation instead of an answer. */
  failure: unknown;
  /** Awaited by every operation before it answers. */
  gate: Promise<void> = Promise.resolve();

  async status(): Promise<DaemonStatus> {
    await this.#enter('status');
    return this.daemon;
  }

  async metrics(): Promise<string> {
    await this.#enter('metrics');
    return '# HELP dunnage_swaps_total Generations that were published.\ndunnage_swaps_total 3\n';
  }

  async apply(manifestYaml: string, onlyNew = false): Promise<readonly AppliedObject[]> {
    await this.#enter('apply', manifestYaml, ...(onlyNew ? [onlyNew] : []));
    return this.applied;
  }

  async listProjections(kind: ProjectionKind | undefined): Promise<readonly ProjectionSummary[]> {
    await this.#enter('listProjections', kind);
    return this.objects.filter((object) => kind === undefined || object.kind === kind);
  }

  async getProjection(kind: ProjectionKind, namespace: string, name: string): Promise<ProjectionDetail> {
    await this.#enter('getProjection', kind, namespace, name);
    const found = this.objects.find(
      (object) => object.kind === kind && object.namespace === namespace && object.name === name,
    );
    if (found === undefined) throw new DunnageError('NOT_FOUND', `there is no ${kind} ${namespace}/${name}`);
    return found;
  }

  async deleteProjection(kind: ProjectionKind, namespace: string, name: string): Promise<void> {
    const found = await this.getProjection(kind, namespace, name);
    this.objects.splice(this.objects.indexOf(found), 1);
  }

  async writeProjection(name: string, files: ReadonlyMap<string, WriteFile>): Promise<ApplyResult> {
    await this.#enter('writeProjection', name, files);
    return { kind: 'Projection', namespace: 'default', name, directory: name, action: 'created', generation: 1 };
  }

  async projectionHistory(kind: ProjectionKind, namespace: string, name: string): Promise<ProjectionHistory> {
    await this.#enter('projectionHistory', kind, namespace, name);
    return this.history;
  }

  async diffProjection(
    kind: ProjectionKind,
    namespace: string,
    name: string,
    range: GenerationRange,
  ): Promise<GenerationDiff> {
    await this.#enter('diffProjection', kind, namespace, name, range);
    return this.diff;
  }

  async rollbackProjection(
    kind: ProjectionKind,
    namespace: string,
    name: string,
    to: number | undefined,
  ): Promise<RollbackResult> {
    await this.#enter('rollbackProjection', kind, namespace, name, to);
    return this.rolledBack;
  }

  async purgeHistory(kind: ProjectionKind, namespace: string, name: string, keep: number): Promise<PurgeResult> {
    await this.#enter('purgeHistory', kind, namespace, name, keep);
    return this.purged;
  }

  async fsck(repair: boolean): Promise<FsckReport> {
    await this.#enter('fsck', repair);
    return exampleFsck(repair);
  }

  async gc(dryRun: boolean): Promise<GcReport> {
    await this.#enter('gc', dryRun);
    return exampleGc(dryRun);
  }

  /** What was uploaded and is there to be read, by path. */
  readonly contents: Map<string, Buffer> = new Map();

  async writeFile(name: string, { content, ...file }: IncomingFile): Promise<ApplyResult> {
    await this.#enter('writeFile', name, file);
    this.contents.set(file.path, await collect(content));
    return { kind: 'Projection', namespace: 'default', name, directory: name, action: 'configured', generation: 2 };
  }

  async writeFiles(name: string, files: AsyncIterable<SizedFile>): Promise<ApplyResult> {
    const heads: unknown[] = [];
    await this.#enter('writeFiles', name, heads);
    for await (const { content, ...head } of files) {
      heads.push(head);
      this.contents.set(head.path, await collect(content));
    }
    return { kind: 'Projection', namespace: 'default', name, directory: name, action: 'configured', generation: 2 };
  }

  async removeFile(name: string, path: string): Promise<ApplyResult> {
    await this.#enter('removeFile', name, path);
    this.contents.delete(path);
    return { kind: 'Projection', namespace: 'default', name, directory: name, action: 'configured', generation: 3 };
  }

  async readFile(name: string, path: string): Promise<OutgoingFile> {
    await this.#enter('readFile', name, path);
    const found = this.contents.get(path);
    if (found === undefined) throw new DunnageError('NOT_FOUND', `there is no file ${path}`);
    return { sizeBytes: found.length, content: only(found) };
  }

  async listAllocs(): Promise<readonly AllocSummary[]> {
    await this.#enter('listAllocs');
    return this.allocs.map(({ path: _, ...alloc }) => ({ ...alloc, tasks: alloc.tasks.length }));
  }

  async getAlloc(id: string): Promise<AllocDetail> {
    await this.#enter('getAlloc', id);
    const found = this.allocs.find((alloc) => alloc.id === id);
    if (found === undefined) throw new DunnageError('NOT_FOUND', `there is no alloc ${id}`);
    return found;
  }

  async deleteAlloc(id: string): Promise<AllocDeletion> {
    await this.#enter('deleteAlloc', id);
    if (this.deletion.deleted) this.allocs = this.allocs.filter((alloc) => alloc.id !== id);
    return this.deletion;
  }

  async moveAlloc(from: string, to: string): Promise<AllocMove> {
    await this.#enter('moveAlloc', from, to);
    return { from, to, tasks: ['web'] };
  }

  async snapshotAlloc(id: string): Promise<AsyncIterable<Uint8Array>> {
    await this.#enter('snapshotAlloc', id);
    const tar = this.contents.get(id) ?? Buffer.alloc(0);
    const failure = this.snapshotFailure;
    return (async function* () {
      yield tar;
      if (failure !== undefined) throw failure;
    })();
  }

  async restoreAlloc(id: string, tar: AsyncIterable<Uint8Array>): Promise<AllocRestore> {
    await this.#enter('restoreAlloc', id);
    const content = await collect(tar);
    this.contents.set(id, content);
    return { id, replaced: ['alloc/data', 'web/local'], entries: 2, sizeBytes: content.length };
  }

  async shutdown(unmount: boolean): Promise<void> {
    await this.#enter('shutdown', unmount);
  }

  async #enter(name: keyof ControlOperations, ...given: readonly unknown[]): Promise<void> {
    this.calls.push({ name, arguments: given });
    await this.gate;
    if (this.failure === undefined) return;
    const failure = this.failure;
    this.failure = undefined;
    throw failure;
  }
}

export async function collect(content: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of content) chunks.push(Uint8Array.from(chunk));
  return Buffer.concat(chunks);
}

export async function* only<T>(...values: readonly T[]): AsyncGenerator<T> {
  yield* values;
}

export function exampleStatus(): DaemonStatus {
  return {
    version: '0.1.0',
    pid: 4711,
    holderPid: 4712,
    startedAtMs: 1_700_000_000_000,
    takenOver: false,
    transport: 'kernel',
    mountPoint: '/run/dunnage/mnt',
    stateDir: '/var/lib/dunnage',
    runtimeDir: '/run/dunnage',
    projections: 2,
    allocs: 1,
    allocDir: '/var/lib/dunnage/allocs',
    connections: [
      {
        name: 'root',
        mountPoint: '/run/dunnage/mnt',
        protocol: '7.45',
        features: ['HAS_RESEND'],
        requests: 3,
        unanswered: 0,
        failedNotifications: 0,
      },
      {
        name: 'projections',
        mountPoint: '/run/dunnage/mnt/projections',
        protocol: '7.45',
        features: ['NO_OPEN_SUPPORT', 'HAS_RESEND'],
        requests: 12,
        unanswered: 0,
        failedNotifications: 0,
      },
    ],
    storeBytes: 65_536,
    sealingKey: {
      id: '0123456789abcdef',
      path: '/run/dunnage/secret.key',
      outlivesReboot: false,
      keptOutOfSwap: true,
    },
    audit: { path: '/var/lib/dunnage/audit.log', opens: 0, lost: 0 },
    warnings: [],
  };
}

export function exampleSecret(): ProjectionDetail {
  return {
    directory: 'secret.db',
    kind: 'Secret',
    namespace: 'default',
    name: 'db',
    generation: 3,
    files: 2,
    sizeBytes: 1536,
    createdAtMs: 1_700_000_000_000,
    updatedAtMs: 1_700_000_060_000,
    awaitingSource: false,
    audited: false,
    paths: [
      { path: 'password', mode: 0o400, uid: 0, gid: 0, sizeBytes: 512, sha256: undefined },
      { path: 'tls/tls.crt', mode: 0o644, uid: 0, gid: 0, sizeBytes: 1024, sha256: undefined },
    ],
  };
}

export function exampleAlloc(): AllocDetail {
  const path = '/run/dunnage/mnt/allocs/5f8c';
  const reason = 'projections/secret.db does not exist yet';
  return {
    ...{ id: '5f8c', state: 'ready', createdAtMs: 1_700_000_000_000, path },
    notes: [`web/local/db waits: ${reason}`],
    tasks: [
      {
        ...{ name: 'web', path: `${path}/web`, isolation: 'none', user: '1000:1000', secretsSizeBytes: 1_048_576 },
        projections: [
          { name: 'configmap.web', path: 'local/conf', presented: true },
          { name: 'secret.db', path: 'local/db', presented: false, reason },
        ],
      },
      {
        ...{ name: 'shipper', path: `${path}/shipper`, isolation: 'chroot', secretsSizeBytes: 65_536 },
        projections: [],
      },
    ],
  };
}

export function exampleConfigMap(): ProjectionDetail {
  return {
    directory: 'prod.configmap.web',
    kind: 'ConfigMap',
    namespace: 'prod',
    name: 'web',
    generation: 1,
    files: 1,
    sizeBytes: 7,
    createdAtMs: 1_700_000_000_000,
    updatedAtMs: 1_700_000_000_000,
    awaitingSource: false,
    audited: false,
    paths: [{ path: 'nginx.conf', mode: 0o644, uid: 1000, gid: 1000, sizeBytes: 7, sha256: 'ab'.repeat(32) }],
  };
}

export function exampleHistory(): ProjectionHistory {
  const generation = { live: false, createdAtMs: 1_700_000_000_000, files: 2, sizeBytes: 1536 };
  return {
    ...EXAMPLE,
    limit: 10,
    generations: [
      {
        ...generation,
        generation: 3,
        live: true,
        directory: '..2023_11_14_22_15_20.3333333',
        createdAtMs: 1_700_000_120_000,
        changes: { added: 0, removed: 0, modified: 1 },
        rollbackOf: 1,
      },
      {
        ...generation,
        generation: 2,
        directory: '..2023_11_14_22_14_20.2222222',
        createdAtMs: 1_700_000_060_000,
        changes: { added: 1, removed: 2, modified: 3 },
        rollbackOf: undefined,
      },
      {
        ...generation,
        generation: 1,
        directory: '..2023_11_14_22_13_20.1111111',
        changes: undefined,
        rollbackOf: undefined,
      },
    ],
  };
}

export function exampleDiff(): GenerationDiff {
  const side = { mode: 0o644, uid: 0, gid: 0, sizeBytes: 2, sha256: 'ab'.repeat(32) };
  return {
    ...EXAMPLE,
    from: 2,
    to: 3,
    files: [
      {
        path: 'app.ini',
        change: 'modified',
        before: side,
        after: { ...side, mode: 0o600, uid: 7, sha256: 'cd'.repeat(32) },
        content: 'differs',
        shown: 'text',
        hunks: [{ oldStart: 1, oldLines: 1, newStart: 1, newLines: 1, lines: ['-1', '+2'] }],
      },
    ],
  };
}

export function exampleFsck(repair: boolean): FsckReport {
  const lost = {
    code: 'content-lost',
    object: 'web: nginx.conf',
    what: 'its SHA-256 is another one',
    repairable: false,
    action: 'apply its source again',
  };
  return {
    ...{ stateDir: '/var/lib/dunnage', online: true, repair, outcome: repair ? 'unrepaired' : 'found' },
    ...{ verifiedBlobs: 4, verifiedBytes: 4096, unverifiableBlobs: 1 },
    repaired: [],
    remaining: [lost],
  };
}

export function exampleGc(dryRun: boolean): GcReport {
  const held = [{ object: 'web, generation 2', sizeBytes: 512, by: 'readers hold it open' }];
  return { dryRun, generations: 1, blobs: 2, files: 0, sizeBytes: 2048, held, history: { generations: 3 } };
}
