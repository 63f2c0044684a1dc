/** The control API's port, answered from the projections and the state of the daemon. */
import type { AllocSpec } from '../alloc/service/alloc-spec.ts';
import { limits } from '../base/limits.ts';
import type { Manifest } from '../projection/manifests/manifest.ts';
import { projectionDirectory } from '../projection/manifests/names.ts';
import { holdsNothing, readManifests } from '../projection/manifests/parse-manifests.ts';
import { readYamlDocuments } from '../projection/manifests/yaml-documents.ts';
import type { ProjectionService, ProjectionView, WantedProjection } from '../projection/projection-service.ts';
import { isSecret } from '../projection/records.ts';
import type { SourceService } from '../projection/sources/source-service.ts';
import type { SourcedView } from '../projection/sources/sourced-projection.ts';
import type { HistoryOperations } from '../server/history-operations.ts';
import type {
  AppliedObject,
  ApplyResult,
  ControlOperations,
  DaemonStatus,
  ProjectionDetail,
  ProjectionKind,
  ProjectionSummary,
  WriteFile,
} from '../server/operations.ts';
import { type AllocManifest, isAllocDocument, readAlloc, refuseRepeatedAllocs } from './allocs/alloc-manifest.ts';
import type { AllocControl } from './allocs/alloc-operations.ts';
import type { FileOperations } from './file-operations.ts';
import { isPoolDocument, type PoolManifest, readPool, refuseRepeatedPools } from './pools/pool-manifest.ts';
import type { PoolControl } from './pools/pool-operations.ts';

export interface ControlOperationsOptions {
  readonly projections: ProjectionService;
  readonly sources: SourceService;
  readonly history: HistoryOperations;
  readonly maintenance: Pick<ControlOperations, 'fsck' | 'gc'>;
  readonly status: () => Promise<DaemonStatus>;
  readonly metrics: () => Promise<string>;
  readonly files: FileOperations;
  readonly allocs: AllocControl;
  readonly pools: Pick<PoolControl, 'applyPool'>;
  readonly shutdown: (unmount: boolean) => Promise<void>;
  /** Owner of files that name none. */
  readonly uid: number;
  readonly gid: number;
}

/** Projections that a warning names; the rest is counted. */
const TROUBLED_NAMED_MAX = 10;

export function createControlOperations(options: ControlOperationsOptions): ControlOperations {
  const { projections, sources } = options;

  const write = async (wanted: WantedProjection): Promise<ApplyResult> => {
    const { kind, namespace, name, directory } = wanted;
    return { kind, namespace, name, directory, ...(await projections.write(wanted)) };
  };

  return {
    status: async () => withTroubles(await options.status(), sources.troubled()),
    fsck: (repair) => options.maintenance.fsck(repair),
    gc: (dryRun) => options.maintenance.gc(dryRun),
    metrics: options.metrics,
    shutdown: options.shutdown,
    ...options.history,
    ...options.files,
    ...options.allocs,

    apply: async (manifestYaml: string, onlyNew = false) =>
      await applyAll(options, readAll(manifestYaml), onlyNew, write),

    listProjections(kind: ProjectionKind | undefined): Promise<readonly ProjectionSummary[]> {
      const views = projections.list().filter(({ record }) => kind === undefined || record.kind === kind);
      return Promise.resolve(views.map(toSummary));
    },

    getProjection(kind: ProjectionKind, namespace: string, name: string): Promise<ProjectionDetail> {
      const view = projections.get(projectionDirectory(kind, namespace, name));
      const paths = view.paths.map(({ path, file }) => ({
        path,
        mode: file.mode,
        uid: file.uid ?? options.uid,
        gid: file.gid ?? options.gid,
        sizeBytes: file.sizeBytes,
        sha256: isSecret(view.record) ? undefined : file.digest.toString('hex'),
      }));
      const { reactions } = view;
      return Promise.resolve({
        ...toSummary(view),
        paths,
        ...describeSources(sources.view(view.record.directory)),
        ...(reactions === undefined ? {} : { reactions }),
      });
    },

    async deleteProjection(kind: ProjectionKind, namespace: string, name: string): Promise<void> {
      const directory = projectionDirectory(kind, namespace, name);
      await sources.delete(directory, () => projections.delete(directory));
    },

    writeProjection(name: string, files: ReadonlyMap<string, WriteFile>): Promise<ApplyResult> {
      const directory = projectionDirectory('Projection', 'default', name);
      sources.refuseWrite(directory);
      return write({
        kind: 'Projection',
        namespace: 'default',
        name,
        directory,
        immutable: false,
        secret: false,
        payload: files,
      });
    },
  };
}

interface AllManifests {
  readonly manifests: readonly Manifest[];
  readonly allocs: readonly AllocManifest[];
  readonly pools: readonly PoolManifest[];
}

/** Gives the results in the order of the documents. */
async function applyAll(
  { sources, allocs: control, pools: poolControl }: Pick<ControlOperationsOptions, 'sources' | 'allocs' | 'pools'>,
  { manifests, allocs, pools }: AllManifests,
  onlyNew: boolean,
  write: (wanted: WantedProjection) => Promise<ApplyResult>,
): Promise<readonly AppliedObject[]> {
  const results = new Map<Manifest | AllocManifest | PoolManifest, AppliedObject>();
  for (const manifest of sources.order(manifests)) results.set(manifest, await applyOne(sources, manifest, write));
  // What an alloc presents comes before the alloc.
  for (const pool of pools) results.set(pool, await poolControl.applyPool(pool.spec, onlyNew));
  for (const alloc of allocs) results.set(alloc, await control.applyAlloc(specOf(alloc), onlyNew));
  const inOrder = [...manifests, ...allocs, ...pools].toSorted((a, b) => a.document - b.document);
  return inOrder.flatMap((manifest) => results.get(manifest) ?? []);
}

/** @throws DunnageError INVALID_MANIFEST for the first thing that is wrong in any document */
function readAll(manifestYaml: string): AllManifests {
  const documents = readYamlDocuments(manifestYaml);
  const allocs = documents.filter(isAllocDocument).map(readAlloc);
  const pools = documents.filter(isPoolDocument).map(readPool);
  const others = documents.filter((document) => !isAllocDocument(document) && !isPoolDocument(document));
  const manifests = readManifests(others);
  if (allocs.length + pools.length + manifests.length === 0) throw holdsNothing();
  refuseRepeatedAllocs(allocs);
  refuseRepeatedPools(pools);
  return { manifests, allocs, pools };
}

const specOf = ({ id, tasks }: AllocManifest): AllocSpec => ({ id, tasks });

/** Content that is not what its sources hold now is worth a warning. */
function withTroubles(status: DaemonStatus, troubled: readonly string[]): DaemonStatus {
  if (troubled.length === 0) return status;
  const named = troubled.slice(0, TROUBLED_NAMED_MAX).join(', ');
  const more = troubled.length > TROUBLED_NAMED_MAX ? ` and ${troubled.length - TROUBLED_NAMED_MAX} more` : '';
  const warning = `sources cannot be read, the content stays as it was: ${named}${more} (dunnage get projection NAME says why)`;
  return { ...status, warnings: [...status.warnings, warning] };
}

async function applyOne(
  sources: SourceService,
  manifest: Manifest,
  write: (wanted: WantedProjection) => Promise<ApplyResult>,
): Promise<ApplyResult> {
  const { kind, namespace, name, directory, labels, annotations, sourced } = manifest;
  const wanted = { ...manifest, keep: manifest.historyLimit ?? limits.historyGenerations };
  if (sourced === undefined) return await sources.withoutSources(directory, () => write(wanted));
  const kept = { metadata: { namespace, name, labels, annotations }, spec: sourced };
  const { warnings, ...result } = await sources.apply(wanted, kept);
  return { kind, namespace, name, directory, ...result, ...(warnings.length === 0 ? {} : { warnings }) };
}

/** What there is to say about sources; nothing for a projection without. */
function describeSources(
  view: SourcedView | undefined,
): Pick<ProjectionDetail, 'sources' | 'refreshError' | 'warnings'> {
  if (view === undefined) return {};
  const sources = view.sources.map(({ source, seenAtMs, problem }) => ({
    source,
    ...(seenAtMs === undefined ? {} : { seenAtMs }),
    ...(problem === undefined ? {} : { error: problem.message }),
  }));
  return {
    sources,
    ...(view.problem === undefined ? {} : { refreshError: view.problem.message }),
    ...(view.warnings.length === 0 ? {} : { warnings: view.warnings }),
  };
}

function toSummary({ record, files, sizeBytes, awaitingSource }: ProjectionView): ProjectionSummary {
  const { directory, kind, namespace, name, number, createdAtMs, updatedAtMs } = record;
  return {
    directory,
    kind,
    namespace,
    name,
    generation: number,
    files,
    sizeBytes,
    createdAtMs,
    updatedAtMs,
    awaitingSource,
    audited: record.audited === true,
  };
}
