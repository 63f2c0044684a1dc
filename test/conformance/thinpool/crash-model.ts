/** What a pool must be after any sequence of operations: a map of names. The only definition of what is right in the crash tests. */
import assert from 'node:assert/strict';
import { isInBetween } from '../../../src/thinpool/device-states.ts';
import type { PoolDriver } from '../../../src/thinpool/driver.ts';
import type { PoolDevice } from '../../../src/thinpool/pool-device.ts';
import { deviceSizeBytes, MIB, pattern, read, write } from './subject.ts';

export const DEVICE_BYTES: number = 8 * MIB;
const GROWN_BYTES = 12 * MIB;
const CONTENT_BYTES = 4096;

export interface ModelDevice {
  readonly content: number;
  readonly isActive: boolean;
  readonly isSuspended: boolean;
  readonly isGrown: boolean;
}

export type Model = Readonly<Record<string, ModelDevice>>;

export type PoolOperation =
  | {
      readonly kind: 'create' | 'remove' | 'activate' | 'deactivate' | 'suspend' | 'resume' | 'grow';
      readonly name: string;
    }
  | { readonly kind: 'snapshot'; readonly origin: string; readonly name: string }
  | { readonly kind: 'write'; readonly name: string; readonly content: number };

export type Result = { readonly model: Model } | { readonly code: string };

const EMPTY: ModelDevice = { content: 0, isActive: true, isSuspended: false, isGrown: false };

/** The model after the operation, or the code it is refused with. */
export function expected(model: Model, operation: PoolOperation): Result {
  const device = model[operation.name];
  const changed = (change: Partial<ModelDevice>): Result => ({
    model: { ...model, [operation.name]: { ...(device ?? EMPTY), ...change } },
  });
  if (operation.kind === 'create') return device === undefined ? changed(EMPTY) : { code: 'ALREADY_EXISTS' };
  if (operation.kind === 'snapshot') {
    const origin = model[operation.origin];
    if (origin === undefined) return { code: 'NOT_FOUND' };
    const { content, isGrown } = origin;
    return device === undefined ? changed({ ...EMPTY, content, isGrown }) : { code: 'ALREADY_EXISTS' };
  }
  if (device === undefined) return { code: 'NOT_FOUND' };
  switch (operation.kind) {
    case 'remove':
      return { model: Object.fromEntries(Object.entries(model).filter(([name]) => name !== operation.name)) };
    case 'activate':
      return changed({ isActive: true, isSuspended: false });
    case 'deactivate':
      return changed({ isActive: false, isSuspended: false });
    case 'write':
      return changed({ content: operation.content });
    case 'grow':
      return changed({ isGrown: true });
    default:
      return device.isActive ? changed({ isSuspended: operation.kind === 'suspend' }) : { code: 'BUSY' };
  }
}

export function canWrite(model: Model, name: string): boolean {
  return model[name]?.isActive === true && !model[name].isSuspended;
}

export async function perform(pool: PoolDevice, operation: PoolOperation): Promise<void> {
  const { name } = operation;
  switch (operation.kind) {
    case 'create':
      await pool.createThinDevice(name, DEVICE_BYTES);
      break;
    case 'snapshot':
      await pool.createSnapshotDevice(operation.origin, name, sizeOf(pool, operation.origin));
      break;
    case 'grow':
      await pool.growDevice(name, GROWN_BYTES);
      break;
    case 'write':
      write(pool, name, 0, pattern(operation.content, CONTENT_BYTES));
      break;
    default:
      await pool[`${operation.kind}Device`](name);
  }
}

const sizeOf = (pool: PoolDevice, name: string): number => pool.metadata.findDevice(name)?.sizeBytes ?? DEVICE_BYTES;

/** What the model must be for the pool that is seen. Content of what cannot be read now is taken from `known`. */
export async function observe(pool: PoolDevice, known: Model): Promise<Model> {
  const seen: Record<string, ModelDevice> = {};
  for (const { name, state, sizeBytes } of [...pool.metadata.walkDevices()]) {
    const isActive = await pool.isLoaded(name);
    const isSuspended = state === 'Suspended';
    // Of the device-mapper, reads of a suspended device wait too.
    const content = isActive && !isSuspended ? contentOf(pool, name) : (known[name]?.content ?? 0);
    if (isActive && !isSuspended) assert.equal(deviceSizeBytes(pool, name), sizeBytes, `${name} has another size`);
    seen[name] = { content, isActive, isSuspended, isGrown: sizeBytes === GROWN_BYTES };
  }
  return seen;
}

function contentOf(pool: PoolDevice, name: string): number {
  const bytes = read(pool, name, 0, CONTENT_BYTES);
  if (bytes.every((byte) => byte === 0)) return 0;
  for (let content = 1; content < 256; content += 1) {
    if (bytes.equals(pattern(content, CONTENT_BYTES))) return content;
  }
  return assert.fail(`${name} holds what nobody wrote`);
}

/** What holds after every start: nothing is half done, nothing is left over, no id is lost. */
export async function assertInOrder(pool: PoolDevice, driver: PoolDriver, idMost: number): Promise<void> {
  const records = [...pool.metadata.walkDevices()];
  assert.deepEqual(pool.startReport.unknownIds, []);
  assert.equal(pool.startReport.areMetadataOlder, false);
  for (const { name, state, error } of records) {
    assert.ok(!isInBetween(state) && state !== 'Faulty' && state !== 'Created', `${name} is ${state}: ${error}`);
  }
  const listed = await driver.list();
  const there = listed.map(({ id }) => id).sort((one, other) => one - other);
  assert.deepEqual(
    there,
    records.map(({ deviceId }) => deviceId).sort((one, other) => one - other),
  );
  assert.deepEqual(pool.metadata.idsSetAside(), []);
  assert.ok(
    there.every((id) => id <= idMost),
    `ids ${there.join()} though there were never more than ${idMost} devices`,
  );
  for (const device of listed) {
    const record = records.find(({ deviceId }) => deviceId === device.id);
    if (device.isActive) assert.equal(device.isSuspended, record?.state === 'Suspended', record?.name);
  }
}
