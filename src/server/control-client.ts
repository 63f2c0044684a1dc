/**
 * Talks to a daemon's control socket. The methods are those of `ControlOperations`, with the same meaning and errors;
 * besides those each of them throws UNREACHABLE, PERMISSION_DENIED or TIMED_OUT if the daemon cannot be asked.
 */
import { limits } from '../base/limits.ts';
import type { Payload } from '../projection/payload.ts';
import { payloadToJson } from '../projection/payload-json.ts';
import type { AllocDeletion, AllocDetail, AllocMove, AllocRestore, AllocSummary } from './alloc-operations.ts';
import { encodeFiles, FILES_TYPE } from './file-frames.ts';
import type {
  GenerationDiff,
  GenerationRange,
  ProjectionHistory,
  PurgeResult,
  RollbackResult,
} from './history-operations.ts';
import { type Exchange, exchange, exchangeText } from './http-exchange.ts';
import { download, upload } from './http-streams.ts';
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
} from './operations.ts';
import { PoolClient } from './pool-client.ts';
import { TAR_TYPE } from './tar-stream.ts';

/** A daemon that says nothing for this long is taken for dead. Swaps wait for flushes, so this is generous. */
const SILENCE_MS_MAX = 120_000;

const LONG_SILENCE_MS_MAX = 24 * 3_600_000;

export class ControlClient implements ControlOperations {
  readonly #socketPath: string;
  readonly #silenceMsMax: number;
  readonly pools: PoolClient;

  constructor(socketPath: string, options: { readonly silenceMsMax?: number } = {}) {
    this.pools = new PoolClient(socketPath);
    this.#socketPath = socketPath;
    this.#silenceMsMax = options.silenceMsMax ?? SILENCE_MS_MAX;
  }

  status(): Promise<DaemonStatus> {
    return this.#call<DaemonStatus>({ method: 'GET', path: '/v1/status' });
  }

  metrics(): Promise<string> {
    return exchangeText({
      method: 'GET',
      path: '/metrics',
      socketPath: this.#socketPath,
      silenceMsMax: this.#silenceMsMax,
    });
  }

  apply(manifestYaml: string, onlyNew = false): Promise<readonly AppliedObject[]> {
    const body = { contentType: 'application/yaml', text: manifestYaml, bytesMax: limits.manifestBytesMax };
    const path = onlyNew ? '/v1/apply?onlyNew=true' : '/v1/apply';
    return this.#call<readonly AppliedObject[]>({ method: 'POST', path, body });
  }

  listProjections(kind: ProjectionKind | undefined): Promise<readonly ProjectionSummary[]> {
    const query = kind === undefined ? '' : `?kind=${encodeURIComponent(kind)}`;
    return this.#call<readonly ProjectionSummary[]>({ method: 'GET', path: `/v1/projections${query}` });
  }

  getProjection(kind: ProjectionKind, namespace: string, name: string): Promise<ProjectionDetail> {
    return this.#call<ProjectionDetail>({ method: 'GET', path: objectPath(kind, namespace, name) });
  }

  async deleteProjection(kind: ProjectionKind, namespace: string, name: string): Promise<void> {
    await this.#call({ method: 'DELETE', path: objectPath(kind, namespace, name) });
  }

  writeProjection(name: string, files: Payload): Promise<ApplyResult> {
    return this.writeProjectionJson(name, JSON.stringify(payloadToJson(files)));
  }

  /** `writeProjection` with the payload as JSON text: `{"files": {"<path>": {"mode", "data": "<base64>", "uid", "gid"}}}`. */
  writeProjectionJson(name: string, payloadJson: string): Promise<ApplyResult> {
    const body = { contentType: 'application/json', text: payloadJson, bytesMax: limits.controlBodyBytesMax };
    return this.#call<ApplyResult>({ method: 'PUT', path: `/v1/projections/${encodeURIComponent(name)}`, body });
  }

  projectionHistory(kind: ProjectionKind, namespace: string, name: string): Promise<ProjectionHistory> {
    return this.#call<ProjectionHistory>({ method: 'GET', path: `${objectPath(kind, namespace, name)}/history` });
  }

  diffProjection(
    kind: ProjectionKind,
    namespace: string,
    name: string,
    { from, to }: GenerationRange,
  ): Promise<GenerationDiff> {
    const query = [...(from === undefined ? [] : [`from=${from}`]), ...(to === undefined ? [] : [`to=${to}`])];
    const path = `${objectPath(kind, namespace, name)}/diff${query.length === 0 ? '' : `?${query.join('&')}`}`;
    return this.#call<GenerationDiff>({ method: 'GET', path });
  }

  rollbackProjection(
    kind: ProjectionKind,
    namespace: string,
    name: string,
    to: number | undefined,
  ): Promise<RollbackResult> {
    const body = { contentType: 'application/json', text: JSON.stringify({ to }), bytesMax: 4096 };
    return this.#call<RollbackResult>({ method: 'POST', path: `${objectPath(kind, namespace, name)}/rollback`, body });
  }

  purgeHistory(kind: ProjectionKind, namespace: string, name: string, keep: number): Promise<PurgeResult> {
    const path = `${objectPath(kind, namespace, name)}/history?keep=${keep}`;
    return this.#call<PurgeResult>({ method: 'DELETE', path });
  }

  fsck(repair: boolean): Promise<FsckReport> {
    return this.#call<FsckReport>(longRequest('/v1/fsck', { repair }));
  }

  gc(dryRun: boolean): Promise<GcReport> {
    return this.#call<GcReport>(longRequest('/v1/gc', { dryRun }));
  }

  writeFile(name: string, { path, content, mode, uid, gid }: IncomingFile): Promise<ApplyResult> {
    const query = new URLSearchParams({
      ...(mode === undefined ? {} : { mode: mode.toString(8) }),
      ...(uid === undefined ? {} : { uid: String(uid) }),
      ...(gid === undefined ? {} : { gid: String(gid) }),
    });
    const target = `${filePath(name, path)}${query.size === 0 ? '' : `?${query}`}`;
    return this.#upload('PUT', target, 'application/octet-stream', content);
  }

  writeFiles(name: string, files: AsyncIterable<SizedFile>): Promise<ApplyResult> {
    return this.#upload('PATCH', filePath(name), FILES_TYPE, encodeFiles(files));
  }

  removeFile(name: string, path: string): Promise<ApplyResult> {
    return this.#call<ApplyResult>({ method: 'DELETE', path: filePath(name, path) });
  }

  readFile(name: string, path: string): Promise<OutgoingFile> {
    return download({ socketPath: this.#socketPath, path: filePath(name, path), silenceMsMax: this.#silenceMsMax });
  }

  listAllocs(): Promise<readonly AllocSummary[]> {
    return this.#call<readonly AllocSummary[]>({ method: 'GET', path: '/v1/allocs' });
  }

  getAlloc(id: string): Promise<AllocDetail> {
    return this.#call<AllocDetail>({ method: 'GET', path: allocPath(id) });
  }

  deleteAlloc(id: string): Promise<AllocDeletion> {
    return this.#call<AllocDeletion>({ method: 'DELETE', path: allocPath(id), silenceMsMax: LONG_SILENCE_MS_MAX });
  }

  moveAlloc(from: string, to: string): Promise<AllocMove> {
    const body = { contentType: 'application/json', text: JSON.stringify({ from }), bytesMax: 4096 };
    const path = `${allocPath(to)}/move`;
    return this.#call<AllocMove>({ method: 'POST', path, body, silenceMsMax: LONG_SILENCE_MS_MAX });
  }

  async snapshotAlloc(id: string): Promise<AsyncIterable<Uint8Array>> {
    const [socketPath, silenceMsMax] = [this.#socketPath, this.#silenceMsMax];
    return (await download({ socketPath, silenceMsMax, path: `${allocPath(id)}/snapshot` })).content;
  }

  restoreAlloc(id: string, chunks: AsyncIterable<Uint8Array>): Promise<AllocRestore> {
    const [socketPath, path] = [this.#socketPath, `${allocPath(id)}/snapshot`];
    const about = { method: 'PUT', contentType: TAR_TYPE, silenceMsMax: LONG_SILENCE_MS_MAX } as const;
    return upload({ ...about, socketPath, path, chunks }) as Promise<AllocRestore>;
  }

  async shutdown(unmount: boolean): Promise<void> {
    const body = { contentType: 'application/json', text: JSON.stringify({ unmount }), bytesMax: 4096 };
    await this.#call({ method: 'POST', path: '/v1/shutdown', body });
  }

  #upload(
    method: 'PUT' | 'PATCH',
    path: string,
    contentType: string,
    chunks: AsyncIterable<Uint8Array>,
  ): Promise<ApplyResult> {
    const [socketPath, silenceMsMax] = [this.#socketPath, this.#silenceMsMax];
    return upload({ socketPath, silenceMsMax, method, path, contentType, chunks }) as Promise<ApplyResult>;
  }

  #call<Answer>(request: Asked): Promise<Answer> {
    return exchange({ silenceMsMax: this.#silenceMsMax, ...request, socketPath: this.#socketPath }) as Promise<Answer>;
  }
}

type Asked = Pick<Exchange, 'method' | 'path' | 'body'> & Partial<Pick<Exchange, 'silenceMsMax'>>;

/** Work that takes as long as reading everything that is stored. A daemon that dies meanwhile ends the connection. */
function longRequest(path: string, body: Readonly<Record<string, boolean>>): Asked {
  const text = JSON.stringify(body);
  return {
    method: 'POST',
    path,
    body: { contentType: 'application/json', text, bytesMax: 4096 },
    silenceMsMax: LONG_SILENCE_MS_MAX,
  };
}

function allocPath(id: string): string {
  return `/v1/allocs/${encodeURIComponent(id)}`;
}

function filePath(name: string, path?: string): string {
  const files = `/v1/projections/${encodeURIComponent(name)}/files`;
  return path === undefined ? files : `${files}/${encodeURIComponent(path)}`;
}

function objectPath(kind: ProjectionKind, namespace: string, name: string): string {
  return `/v1/projections/${[kind, namespace, name].map(encodeURIComponent).join('/')}`;
}
