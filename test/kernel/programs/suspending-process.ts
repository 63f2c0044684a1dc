/**
 * Opens a pool, suspends a device, says so, and waits to be killed.
 *
 * argv: JSON {place, poolName, runtimeDir, device}
 */
import { silentLog } from '../../../src/base/log.ts';
import type { PoolPlace } from '../../../src/thinpool/reflink/pool-place.ts';
import { ReflinkDriver } from '../../../src/thinpool/reflink/reflink-driver.ts';

interface Settings {
  readonly place: PoolPlace;
  readonly poolName: string;
  readonly runtimeDir: string;
  readonly device: string;
}

const { device, ...options } = JSON.parse(process.argv[2] ?? '{}') as Settings;
const driver = new ReflinkDriver({ ...options, log: silentLog, suspendMsMax: 600_000 });
await driver.open();
await driver.suspend(device);
process.stdout.write('suspended\n');
setInterval(() => undefined, 60_000);
