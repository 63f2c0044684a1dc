/**
 * Runs in user-mode-linux, which has the device-mapper that this host may lack: makes devices and snapshots of a pool of the kernel, by PoolDevice
 * and by the bare commands of the device-mapper, in turns. Prints what each round took, as JSON.
 *
 * argv: count of rounds
 */
import { mkdtempSync } from 'node:fs';
import { silentLog } from '../../../src/base/log.ts';
import { loadNative } from '../../../src/native/load.ts';
import { DeviceMapper } from '../../../src/thinpool/device-mapper/control.ts';
import { PoolDevice } from '../../../src/thinpool/pool-device.ts';
import { PoolMetadata } from '../../../src/thinpool/pool-metadata.ts';
import { DeviceMapperSubject } from '../../kernel/helpers/device-mapper-subject.ts';

export interface GuestRounds {
  /** Nanoseconds of each round. */
  readonly ours: number[];
  readonly baseline: number[];
}

export interface GuestFigures {
  readonly create: GuestRounds;
  readonly snapshot: GuestRounds;
}

const DEVICES = 20;
const MIB = 1024 * 1024;
const DEVICE_BYTES = 16 * MIB;
/** Of devices that are made by hand. */
const HAND_IDS = 1_000_000;

const rounds = Number(process.argv[2]);
const subject = await DeviceMapperSubject.make({ dataBytes: 512 * MIB });
const metadata = PoolMetadata.open({ stateDir: mkdtempSync('/dev/shm/state-'), pool: 'test', log: silentLog });
const pool = await PoolDevice.open({ driver: subject.driver, metadata, log: silentLog });
const mapper = DeviceMapper.open(loadNative());
const status = await mapper.status(subject.pool);
const poolNumber = `${status?.major}:${status?.minor}`;
const numbers = Array.from({ length: DEVICES }, (_, index) => index);

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = process.hrtime.bigint();
  await work();
  return Number(process.hrtime.bigint() - start);
}

async function activateByHand(name: string, id: number): Promise<void> {
  await mapper.create(name, `BENCH-${name}`);
  const parameters = `${poolNumber} ${id}`;
  await mapper.load(name, [{ startSectors: 0, lengthSectors: DEVICE_BYTES / 512, type: 'thin', parameters }]);
  await mapper.resume(name);
}

async function removeByHand(name: string, id: number): Promise<void> {
  await mapper.remove(name, false);
  await mapper.message(subject.pool, `delete ${id}`);
}

async function createOurs(): Promise<number> {
  const nanoseconds = await timed(() =>
    Promise.all(numbers.map((index) => pool.createThinDevice(`d${index}`, DEVICE_BYTES))),
  );
  await Promise.all(numbers.map((index) => pool.removeDevice(`d${index}`)));
  return nanoseconds;
}

async function createByHand(): Promise<number> {
  const nanoseconds = await timed(() =>
    Promise.all(
      numbers.map(async (index) => {
        await mapper.message(subject.pool, `create_thin ${HAND_IDS + index}`);
        await activateByHand(`hand${index}`, HAND_IDS + index);
      }),
    ),
  );
  for (const index of numbers) await removeByHand(`hand${index}`, HAND_IDS + index);
  return nanoseconds;
}

const origin = await pool.createThinDevice('origin', DEVICE_BYTES);
const originDevice = `${subject.pool}-origin`;

async function snapshotOurs(): Promise<number> {
  const nanoseconds = await timed(() => pool.createSnapshotDevice('origin', 'copy', DEVICE_BYTES));
  await pool.removeDevice('copy');
  return nanoseconds;
}

async function snapshotByHand(): Promise<number> {
  const nanoseconds = await timed(async () => {
    await mapper.suspend(originDevice);
    await mapper.message(subject.pool, `create_snap ${HAND_IDS} ${origin.deviceId}`);
    await mapper.resume(originDevice);
    await activateByHand('hand', HAND_IDS);
  });
  await removeByHand('hand', HAND_IDS);
  return nanoseconds;
}

async function measure(ours: () => Promise<number>, baseline: () => Promise<number>): Promise<GuestRounds> {
  const result: GuestRounds = { ours: [], baseline: [] };
  for (let round = 0; round < rounds; round += 1) {
    result.ours.push(await ours());
    result.baseline.push(await baseline());
  }
  return result;
}

const figures: GuestFigures = {
  create: await measure(createOurs, createByHand),
  snapshot: await measure(snapshotOurs, snapshotByHand),
};
console.log(JSON.stringify(figures));
mapper.close();
await pool.removeDevice('origin');
await pool.close();
await metadata.close();
await subject.cleanup();
