/** What the suites of thin pools need of a driver under test, and how they look at its devices. */
import assert from 'node:assert/strict';
import { closeSync, constants, fsyncSync, openSync, readSync, statSync, writeSync } from 'node:fs';
import type { PoolDriver } from '../../../src/thinpool/driver.ts';

export interface DriverSubject {
  /** Over a new pool of at least 96 MiB, open. */
  readonly driver: PoolDriver;
  /** A new driver over the same pool, open, as the next process would have it. The old one is closed. */
  reopen(): Promise<PoolDriver>;
  /** The same after a restart of the host: no device is active. What was flushed is there. */
  reboot(): Promise<PoolDriver>;
  cleanup(): Promise<void>;
}

/** What a driver cannot do because of what it is made of. */
export interface DriverSuiteOptions {
  /** False for a stand-in without a kernel behind it: it neither holds writes up nor knows who has a device open. */
  readonly hasKernel: boolean;
  /** False if a device that carries no mounted file system is only flushed by `suspend`: writes to it do not wait. */
  readonly holdsRawWrites: boolean;
  /** True if a suspended device is resumed when the process dies, or closes the driver. */
  readonly suspensionEndsWithProcess?: boolean;
}

export type DriverSubjectFactory = () => Promise<DriverSubject>;

/** Declares a test that gets a new subject. */
export type Scene = (name: string, body: (subject: DriverSubject) => Promise<void>) => void;

export const MIB: number = 1024 * 1024;

/** A driver, or a pool over it. */
export type Paths = Pick<PoolDriver, 'path'>;

/** Writes through to the device, as a user of it that calls fsync. */
export function write(driver: Paths, name: string, offsetBytes: number, content: Uint8Array): void {
  const descriptor = openSync(driver.path(name), constants.O_RDWR);
  try {
    assert.equal(writeSync(descriptor, content, 0, content.length, offsetBytes), content.length);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

export function read(driver: Paths, name: string, offsetBytes: number, lengthBytes: number): Buffer {
  const descriptor = openSync(driver.path(name), constants.O_RDONLY);
  try {
    const content = Buffer.alloc(lengthBytes);
    assert.equal(readSync(descriptor, content, 0, lengthBytes, offsetBytes), lengthBytes);
    return content;
  } finally {
    closeSync(descriptor);
  }
}

export function pattern(seed: number, lengthBytes: number): Buffer {
  const content = Buffer.alloc(lengthBytes);
  for (let index = 0; index < lengthBytes; index += 1) content[index] = (seed * 131 + index * 7 + (index >> 8)) & 0xff;
  return content;
}

/** Size of what stands at the path of an active device. */
export function deviceSizeBytes(driver: Paths, name: string): number {
  const path = driver.path(name);
  const found = statSync(path);
  if (found.isFile()) return found.size;
  assert.ok(found.isBlockDevice(), `${path} is no block device`);
  const descriptor = openSync(path, constants.O_RDONLY);
  try {
    // The end of a block device is where reading ends: looked for by halves.
    let [least, most] = [0, 2 ** 40];
    const sector = Buffer.alloc(512);
    while (least < most) {
      const middle = Math.floor((least + most) / 2 / 512) * 512;
      if (readSync(descriptor, sector, 0, 512, middle) === 512) least = middle + 512;
      else most = middle;
    }
    return least;
  } finally {
    closeSync(descriptor);
  }
}

/** Runs `body` and then `cleanup`, whatever happens. What `body` throws is told before what `cleanup` throws because of it. */
export async function thenCleanUp(body: () => Promise<void>, cleanup: () => Promise<void>): Promise<void> {
  const outcomes = [];
  for (const part of [body, cleanup]) outcomes.push(...(await Promise.allSettled([part()])));
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

/** Runs `body` with a new subject. */
export async function withSubject(
  factory: DriverSubjectFactory,
  body: (subject: DriverSubject) => Promise<void>,
): Promise<void> {
  const subject = await factory();
  await thenCleanUp(
    () => body(subject),
    () => subject.cleanup(),
  );
}
