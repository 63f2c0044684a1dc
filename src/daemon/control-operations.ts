/** The control API's port, answered from the projections and the state of the daemon. */
import { projectionDirectory } from '../projection/manifests/names.ts';
import { parseManifests } from '../projection/manifests/parse-manifests.ts';
import type { ProjectionService, ProjectionView, WantedProjection } from '../projection/projection-service.ts';
import type {
  ApplyResult,
  ControlOperations,
  DaemonStatus,
  ProjectionDetail,
  ProjectionKind,
  ProjectionSummary,
  WriteFile,
} from '../server/operations.ts';

export interface ControlOperationsOptions {
  readonly projections: ProjectionService;
  readonly status: () => Promise<DaemonStatus>;
  readonly metrics: () => Promise<string>;
  readonly shutdown: (unmount: boolean) => Promise<void>;
  /** Owner of files that name none. */
  readonly uid: number;
  readonly gid: number;
}

export function createControlOperations(options: ControlOperationsOptions): ControlOperations {
  const { projections } = options;

  const write = async (wanted: WantedProjection): Promise<ApplyResult> => {
    const { kind, namespace, name, directory } = wanted;
    return { kind, namespace, name, directory, ...(await projections.write(wanted)) };
  };

  return {
    status: options.status,
    metrics: options.metrics,
    shutdown: options.shutdown,

    async apply(manifestYaml: string): Promise<readonly ApplyResult[]> {
      const results: ApplyResult[] = [];
      for (const manifest of parseManifests(manifestYaml)) results.push(await write(manifest));
      return results;
    },

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
        sha256: kind === 'Secret' ? undefined : file.digest.toString('hex'),
      }));
      const { reactions } = view;
      return Promise.resolve({ ...toSummary(view), paths, ...(reactions === undefined ? {} : { reactions }) });
    },

    async deleteProjection(kind: ProjectionKind, namespace: string, name: string): Promise<void> {
      await projections.delete(projectionDirectory(kind, namespace, name));
    },

    writeProjection(name: string, files: ReadonlyMap<string, WriteFile>): Promise<ApplyResult> {
      const directory = projectionDirectory('Projection', 'default', name);
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
  };
}
