/** The record of one thin device, and how it is written down: JSON with the reference's keys. */
import type { Codec } from '../store/codecs.ts';
import { jsonValue } from '../store/codecs.ts';
import { type DeviceState, isDeviceState } from './device-states.ts';

export interface DeviceInfo {
  readonly name: string;
  /** From 1 to DEVICE_ID_MAX; given by `PoolMetadata`. */
  readonly deviceId: number;
  readonly sizeBytes: number;
  /** The origin of a snapshot; empty for a device that was made empty. */
  readonly parentName: string;
  readonly state: DeviceState;
  /** Why the last operation failed; empty after one that did not. */
  readonly error: string;
}

/** What the caller says of a new device. */
export interface NewDevice {
  readonly name: string;
  readonly sizeBytes: number;
  readonly parentName?: string;
  /** `Unknown` if nothing is said. */
  readonly state?: DeviceState;
}

/** As it lies in the store. */
export interface DeviceInfoJson {
  readonly device_id: number;
  readonly size: number;
  readonly name: string;
  readonly parent_name: string;
  readonly state: DeviceState;
  readonly error: string;
}

export function toDeviceInfoJson(info: DeviceInfo): DeviceInfoJson {
  return {
    device_id: info.deviceId,
    size: info.sizeBytes,
    name: info.name,
    parent_name: info.parentName,
    state: info.state,
    error: info.error,
  };
}

/** Throws TypeError for what is no record. */
export function fromDeviceInfoJson(value: unknown): DeviceInfo {
  const { device_id, size, name, parent_name, state, error } = (value ?? {}) as Readonly<Record<string, unknown>>;
  if (
    !Number.isSafeInteger(device_id) ||
    !Number.isSafeInteger(size) ||
    typeof name !== 'string' ||
    typeof parent_name !== 'string' ||
    !isDeviceState(state) ||
    typeof error !== 'string'
  ) {
    throw new TypeError('not a record of a thin device');
  }
  return { deviceId: device_id as number, sizeBytes: size as number, name, parentName: parent_name, state, error };
}

const json = jsonValue<unknown>();

export const deviceInfoCodec: Codec<DeviceInfo> = {
  encode: (info) => json.encode(toDeviceInfoJson(info)),
  decode: (bytes) => fromDeviceInfoJson(json.decode(bytes)),
};
