/**
 * The thin pools of a daemon, over its control socket. Besides what the operations throw each method throws UNREACHABLE,
 * PERMISSION_DENIED or TIMED_OUT if the daemon cannot be asked.
 */
import { exchange } from './http-exchange.ts';
import type {
  NewPoolDevice,
  PoolApplyResult,
  PoolCheckReport,
  PoolDeletion,
  PoolDetail,
  PoolDeviceSummary,
  PoolOperations,
  PoolRepairOptions,
  PoolStatusDoc,
  PoolSummary,
} from './pool-operations.ts';

const SILENCE_MS_MAX = 120_000;
/** For what formats, allocates, reads all of a pool or waits for its users. A daemon that dies meanwhile ends the connection. */
const LONG_SILENCE_MS_MAX = 24 * 3_600_000;
const BODY_BYTES_MAX = 65_536;

export class PoolClient implements PoolOperations {
  readonly #socketPath: string;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  putPool(name: string, spec: unknown, onlyNew: boolean): Promise<PoolApplyResult> {
    return this.#change<PoolApplyResult>('PUT', `${poolPath(name)}${onlyNew ? '?onlyNew=true' : ''}`, { spec });
  }

  listPools(): Promise<readonly PoolSummary[]> {
    return this.#get<readonly PoolSummary[]>('/v1/pools');
  }

  getPool(name: string): Promise<PoolDetail> {
    return this.#get<PoolDetail>(poolPath(name));
  }

  poolStatus(name: string): Promise<PoolStatusDoc> {
    return this.#get<PoolStatusDoc>(`${poolPath(name)}/status`);
  }

  deletePool(name: string, force: boolean): Promise<PoolDeletion> {
    return this.#change<PoolDeletion>('DELETE', `${poolPath(name)}${force ? '?force=true' : ''}`);
  }

  checkPool(name: string): Promise<PoolCheckReport> {
    return this.#change<PoolCheckReport>('POST', `${poolPath(name)}/check`);
  }

  repairPool(name: string, options: PoolRepairOptions): Promise<PoolCheckReport> {
    return this.#change<PoolCheckReport>('POST', `${poolPath(name)}/repair`, options);
  }

  listPoolDevices(pool: string): Promise<readonly PoolDeviceSummary[]> {
    return this.#get<readonly PoolDeviceSummary[]>(`${poolPath(pool)}/devices`);
  }

  putPoolDevice(pool: string, device: string, wanted: NewPoolDevice): Promise<PoolDeviceSummary> {
    return this.#change<PoolDeviceSummary>('PUT', devicePath(pool, device), wanted);
  }

  activatePoolDevice(pool: string, device: string): Promise<PoolDeviceSummary> {
    return this.#change<PoolDeviceSummary>('POST', `${devicePath(pool, device)}/activate`);
  }

  deactivatePoolDevice(pool: string, device: string): Promise<PoolDeviceSummary> {
    return this.#change<PoolDeviceSummary>('POST', `${devicePath(pool, device)}/deactivate`);
  }

  async deletePoolDevice(pool: string, device: string): Promise<void> {
    await this.#change('DELETE', devicePath(pool, device));
  }

  #get<Answer>(path: string): Promise<Answer> {
    const about = { socketPath: this.#socketPath, method: 'GET', silenceMsMax: SILENCE_MS_MAX } as const;
    return exchange({ ...about, path }) as Promise<Answer>;
  }

  #change<Answer>(method: 'PUT' | 'POST' | 'DELETE', path: string, value?: object): Promise<Answer> {
    const text = value === undefined ? undefined : JSON.stringify(value);
    const body =
      text === undefined ? {} : { body: { contentType: 'application/json', text, bytesMax: BODY_BYTES_MAX } };
    const about = { socketPath: this.#socketPath, silenceMsMax: LONG_SILENCE_MS_MAX };
    return exchange({ ...about, method, path, ...body }) as Promise<Answer>;
  }
}

function poolPath(name: string): string {
  return `/v1/pools/${encodeURIComponent(name)}`;
}

function devicePath(pool: string, device: string): string {
  return `${poolPath(pool)}/devices/${encodeURIComponent(device)}`;
}
