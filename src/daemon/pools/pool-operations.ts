/** The part of the control API about pools, answered from the service, or with the reason why there is none. */
import { DunnageError } from '../../errors/dunnage-error.ts';
import { readYamlDocuments } from '../../projection/manifests/yaml-documents.ts';
import type {
  NewPoolDevice,
  PoolApplyResult,
  PoolCheckReport,
  PoolDeviceSummary,
  PoolOperations,
  PoolRepairOptions,
} from '../../server/pool-operations.ts';
import type { PoolSpec } from '../../thinpool/pool-spec.ts';
import type { PoolService } from '../../thinpool/service/pool-service.ts';
import { checkPool, repairPool } from './pool-care.ts';
import { toPoolDocument } from './pool-document.ts';
import { readPool } from './pool-manifest.ts';
import { describePool, summarizePool, toDeviceSummary, warningsOf } from './pool-status.ts';

export interface PoolControl extends PoolOperations {
  applyPool(spec: PoolSpec, onlyNew: boolean): Promise<PoolApplyResult>;
}

/** `service` is undefined where this daemon cannot have any. */
export function createPoolOperations(service: PoolService | undefined): PoolControl {
  const pools = (): PoolService => {
    if (service !== undefined) return service;
    throw new DunnageError('NOT_SUPPORTED', 'this daemon has no thin pools', {
      remedy: 'they need root and the native parts of dunnage; dunnage doctor says what is missing',
    });
  };
  const applyPool = async (spec: PoolSpec, onlyNew: boolean): Promise<PoolApplyResult> => {
    const action = await pools().apply(spec, onlyNew);
    const warnings = warningsOf(await pools().view(spec.name));
    const result = { kind: 'Pool', namespace: 'default', name: spec.name, directory: '', action } as const;
    return warnings.length === 0 ? result : { ...result, warnings };
  };
  return {
    applyPool,

    async listPools() {
      const records = service?.list() ?? [];
      return await Promise.all(records.map(async ({ spec: { name } }) => summarizePool(await pools().view(name))));
    },

    async getPool(name: string) {
      const { spec, state, reason, createdAtMs } = pools().get(name);
      const about = { name, state, createdAtMs, manifest: toPoolDocument(spec) };
      return reason === undefined ? about : { ...about, reason };
    },

    async poolStatus(name: string) {
      const [view, devices] = [await pools().view(name), await pools().devices(name)];
      return describePool(view, devices);
    },

    async putPool(name: string, spec: unknown, onlyNew: boolean) {
      const manifest = { apiVersion: 'dunnage/v1', kind: 'Pool', metadata: { name }, spec };
      const [document] = readYamlDocuments(JSON.stringify(manifest));
      if (document === undefined) throw new DunnageError('INVALID_MANIFEST', 'there is no spec');
      return await applyPool(readPool(document).spec, onlyNew);
    },

    async deletePool(name: string, force: boolean) {
      return { name, ...(await pools().delete(name, force)) };
    },

    checkPool: (name: string): Promise<PoolCheckReport> => checkPool(pools(), name),

    repairPool: (name: string, options: PoolRepairOptions): Promise<PoolCheckReport> =>
      repairPool(pools(), name, options),

    async listPoolDevices(pool: string) {
      return (await pools().devices(pool)).map(toDeviceSummary);
    },

    async putPoolDevice(pool: string, device: string, wanted: NewPoolDevice): Promise<PoolDeviceSummary> {
      return toDeviceSummary(await pools().putDevice(pool, device, wanted));
    },

    async activatePoolDevice(pool: string, device: string): Promise<PoolDeviceSummary> {
      return toDeviceSummary(await pools().activateDevice(pool, device));
    },

    async deactivatePoolDevice(pool: string, device: string): Promise<PoolDeviceSummary> {
      return toDeviceSummary(await pools().deactivateDevice(pool, device));
    },

    deletePoolDevice: (pool: string, device: string): Promise<void> => pools().removeDevice(pool, device),
  };
}
