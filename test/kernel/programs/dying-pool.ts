/**
 * Opens a pool of the device-mapper, makes one operation, and kills itself with SIGKILL at a point of it: before or after a change that it asks the
 * kernel for, or a change of the metadata. Says `done` if the operation was over before.
 *
 * argv: JSON {pool, dataPath, metadataPath, nodesDirectory, stateDir, operation, pointsBefore}
 */
import { silentLog } from '../../../src/base/log.ts';
import { loadNative } from '../../../src/native/load.ts';
import { DeviceMapperDriver } from '../../../src/thinpool/device-mapper/device-mapper-driver.ts';
import { COMMANDS } from '../../../src/thinpool/device-mapper/wire.ts';
import { PoolDevice } from '../../../src/thinpool/pool-device.ts';
import { PoolMetadata } from '../../../src/thinpool/pool-metadata.ts';
import { type PoolOperation, perform } from '../../conformance/thinpool/crash-model.ts';

export interface DyingPool {
  readonly pool: string;
  readonly dataPath: string;
  readonly metadataPath: string;
  readonly nodesDirectory: string;
  readonly stateDir: string;
  readonly operation: PoolOperation;
  readonly pointsBefore: number;
}

const METADATA_STEPS: readonly (keyof PoolMetadata)[] = [
  ...(['addDeviceNumbered', 'updateDeviceBuffered', 'changeDeviceState', 'changeDeviceStateNumbered'] as const),
  ...(['removeDeviceBuffered', 'updateDevice', 'markFaulty', 'replaceId'] as const),
];
const READING: readonly number[] = [COMMANDS.version, COMMANDS.listDevices, COMMANDS.status, COMMANDS.tableStatus];

const { stateDir, operation, pointsBefore, ...paths } = JSON.parse(process.argv[2] ?? '{}') as DyingPool;
let pointsLeft = Number.POSITIVE_INFINITY;

function point(): void {
  if (pointsLeft === 0) process.kill(process.pid, 'SIGKILL');
  pointsLeft -= 1;
}

function dyingAt<T extends object>(
  target: T,
  isStep: (property: PropertyKey, given: readonly unknown[]) => boolean,
): T {
  return new Proxy(target, {
    get: (_, property) => {
      const value = Reflect.get(target, property, target) as unknown;
      if (typeof value !== 'function') return value;
      return (...given: unknown[]): unknown => {
        const isOne = isStep(property, given);
        if (isOne) point();
        const result = Reflect.apply(value, target, given) as unknown;
        if (!isOne) return result;
        if (!(result instanceof Promise)) {
          point();
          return result;
        }
        return result.then((outcome: unknown) => {
          point();
          return outcome;
        });
      };
    },
  });
}

const native = dyingAt(
  loadNative(),
  (name, given) => name === 'deviceMapperCommand' && !READING.includes(Number(given[1])),
);
const metadata = PoolMetadata.open({ stateDir, pool: 'test', log: silentLog });
const pool = await PoolDevice.open({
  driver: new DeviceMapperDriver({ ...paths, native, log: silentLog }),
  metadata: dyingAt(metadata, (name) => (METADATA_STEPS as readonly PropertyKey[]).includes(name)),
  log: silentLog,
});
pointsLeft = pointsBefore;
await perform(pool, operation);
process.stdout.write('done\n');
pointsLeft = Number.POSITIVE_INFINITY;
await pool.close();
await metadata.close();
