/**
 * Thin pools without device-mapper. A thin device is a sparse file on XFS or btrfs behind a loop device with direct I/O; a snapshot is
 * a clone of that file, which shares its blocks; discarding punches holes. The file system does all of the allocation.
 *
 * Nothing is remembered between calls that the kernel or the pool's file system knows: images are files (`image-folder`), what is active are
 * loop devices (`attachments`), their names are links (`device-names`). So every step can be repeated after a crash, and a step that
 * was interrupted is finished by the call that is repeated.
 *
 * An activation is made in the order attach, record, publish, and undone as hide, detach, remove the record.
 */
import { type FileHandle, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '../../base/log.ts';
import { SharedRun } from '../../base/shared-run.ts';
import { DunnageError, fromSystemError } from '../../errors/dunnage-error.ts';
import { findMount } from '../../mounts/mount-table.ts';
import { loadNative } from '../../native/load.ts';
import { freezerProgramPath } from '../../native/programs.ts';
import type { ExpectedDevice, Inspection } from '../care/pool-finding.ts';
import type { DeactivateOptions, DeviceUsage, DriverDevice, PoolDriver, PoolSizes, PoolStatus } from '../driver.ts';
import { type Attachment, Attachments, THIN_SECTOR_BYTES } from './attachments.ts';
import { DeviceNames } from './device-names.ts';
import { Freezer } from './freezer.ts';
import { growPlace } from './grow-place.ts';
import { ImageFolder } from './image-folder.ts';
import { inspectImages } from './inspect-images.ts';
import { PoolFileSystemSpace } from './pool-file-system-space.ts';
import { marksOf, startPoolGuard } from './pool-guard.ts';
import { lockPool } from './pool-lock.ts';
import { type PoolMarker, readMarker, readTransaction, writeTransaction } from './pool-marker.ts';
import { IMAGES, markPool, poolRuntimeFolder, readPoolName } from './pool-marking.ts';
import { formatPool, type MountedPlace, mountPlace, type PoolPlace, unmountPlace } from './pool-place.ts';
import { StuckWrites } from './stuck-writes.ts';
import { Suspensions } from './suspensions.ts';
import { WriteGuard } from './write-guard.ts';

export interface ReflinkOptions {
  readonly poolName: string;
  readonly place: PoolPlace;
  /** Absolute, on a tmpfs: what lies there is gone after a restart of the host. */
  readonly runtimeDir: string;
  /** In front of the names at `<runtimeDir>/dev`, which several pools share. */
  readonly namePrefix?: string;
  readonly log: Log;
  /** A suspension ends by itself after this time. */
  readonly suspendMsMax?: number;
  /** Stops writers before the pool is full. For pools that promise more than they have. */
  readonly guard?: ReflinkGuard;
}

export interface ReflinkGuard {
  /** Used data in percent of all at which writers wait. */
  readonly highWaterPercent: number;
  /** Writers wait, or go on again. */
  readonly onChange?: (isFrozen: boolean, availableBytes: number) => void;
}

/** What is in service while the driver is open. */
interface Service {
  readonly mounted: MountedPlace;
  readonly directory: number;
  readonly images: ImageFolder;
  readonly attachments: Attachments;
  readonly suspensions: Suspensions;
  readonly freezer: Freezer;
  readonly guard: WriteGuard | undefined;
  readonly stuckWrites: StuckWrites;
  readonly space: PoolFileSystemSpace;
}

const SUSPEND_MS_MAX = 30_000;

export class ReflinkDriver implements PoolDriver {
  readonly kind = 'reflink';
  readonly #options: ReflinkOptions;
  readonly #names: DeviceNames;
  readonly #looking: SharedRun<PoolStatus> = new SharedRun(() => this.#status());
  readonly #listeners = new Set<() => void>();
  #service: Service | undefined;

  constructor(options: ReflinkOptions) {
    this.#options = options;
    this.#names = new DeviceNames(
      join(options.runtimeDir, 'dev'),
      join(this.#runtimeFolder, 'names'),
      options.namePrefix,
    );
  }

  /**
   * Makes a new pool: formats its place (a file gets `sizeBytes`) and marks it. The pool is not in service then.
   * @throws DunnageError ALREADY_EXISTS if there is one
   */
  static async create(options: ReflinkOptions, sizeBytes?: number): Promise<void> {
    await formatPool(options.place, sizeBytes);
    if ((await readPoolName(options)) !== undefined) {
      throw new DunnageError('ALREADY_EXISTS', `${options.place.path} is a pool already`);
    }
    await markPool(options);
  }

  get #runtimeFolder(): string {
    return poolRuntimeFolder(this.#options);
  }

  get #guardSocket(): string {
    return join(this.#runtimeFolder, 'guard.sock');
  }

  get #mountPoint(): string {
    return join(this.#runtimeFolder, 'fs');
  }

  get #open(): Service {
    if (this.#service === undefined)
      throw new DunnageError('INTERNAL', `the pool ${this.#options.poolName} is not open`);
    return this.#service;
  }

  async open(): Promise<void> {
    if (this.#service !== undefined) return;
    const { place, log } = this.#options;
    await mkdir(this.#runtimeFolder, { recursive: true, mode: 0o700 });
    await this.#names.open();
    const mounted = await mountPlace(place, this.#mountPoint, log);
    try {
      const marker = await this.#marker(mounted);
      const directory = lockPool(mounted.path, marker.name);
      try {
        this.#service = await this.#serve(mounted, directory, marker);
      } catch (error) {
        loadNative().closeDescriptor(directory);
        throw error;
      }
    } catch (error) {
      if (mounted.isMountedNow) unmountPlace(place, this.#mountPoint);
      throw error;
    }
    await this.#mendNames();
  }

  async #marker(mounted: MountedPlace): Promise<PoolMarker> {
    const { poolName, place } = this.#options;
    const marker = await readMarker(mounted.path);
    if (marker?.name === poolName) return marker;
    const what = marker === undefined ? 'no pool' : `the pool "${marker.name}"`;
    throw new DunnageError('NOT_FOUND', `${place.path} holds ${what}, not "${poolName}"`, {
      remedy: 'see which pools there are: dunnage pool list',
    });
  }

  async #serve(mounted: MountedPlace, directory: number, marker: PoolMarker): Promise<Service> {
    const { log, suspendMsMax = SUSPEND_MS_MAX, guard: guardOptions } = this.#options;
    const notesFolder = join(this.#runtimeFolder, 'frozen');
    const freezer = new Freezer({ programPath: freezerProgramPath(), notesFolder, log });
    for (const path of await freezer.thawLeftOvers()) log.warn({ path }, 'thawed what a killed process had frozen');
    // Before anything is written: a guard that was killed may have left the pool frozen.
    if (guardOptions === undefined) await WriteGuard.end(this.#guardSocket);
    const guard = guardOptions === undefined ? undefined : await this.#startGuard(guardOptions, mounted);
    const openImages = (): Promise<ImageFolder> => ImageFolder.open(join(mounted.path, IMAGES));
    const images = guard === undefined ? await openImages() : await guard.whileOpen(openImages);
    const attachments = new Attachments(images);
    return {
      mounted,
      directory,
      images,
      attachments,
      suspensions: new Suspensions(attachments, freezer, suspendMsMax, log),
      freezer,
      guard,
      stuckWrites: new StuckWrites(guard),
      space: new PoolFileSystemSpace(mounted, images, marker),
    };
  }

  async #startGuard({ highWaterPercent, onChange }: ReflinkGuard, mounted: MountedPlace): Promise<WriteGuard> {
    return await startPoolGuard({
      mounted,
      highWaterPercent,
      socketPath: this.#guardSocket,
      poolName: this.#options.poolName,
      onChange: (isFrozen, availableBytes) => {
        this.#service?.stuckWrites.forget();
        onChange?.(isFrozen, availableBytes);
        for (const listener of this.#listeners) listener();
      },
      log: this.#options.log,
    });
  }

  /** Names of devices that are gone are removed, those of devices that are active are there. */
  async #mendNames(): Promise<void> {
    for (const { name, number } of await this.#names.all()) {
      const attachment = await this.#open.attachments.ofNumber(number);
      if (attachment === undefined) await this.#names.remove(name);
      else if (!attachment.isLeaving && !attachment.isOdd) await this.#names.publish(name, number);
    }
  }

  async close(): Promise<void> {
    const service = this.#service;
    this.#service = undefined;
    if (service === undefined) return;
    await service.freezer.close();
    await service.guard?.close();
    await service.images.close();
    loadNative().closeDescriptor(service.directory);
  }

  async destroy(): Promise<void> {
    const active = await this.#open.attachments.all();
    if (active.length > 0) {
      throw new DunnageError('BUSY', `the pool ${this.#options.poolName} has ${active.length} active devices`, {
        remedy: 'deactivate them first',
      });
    }
    await this.#open.guard?.stop();
    await this.close();
    try {
      unmountPlace(this.#options.place, this.#mountPoint);
    } catch (error) {
      // Somebody is in there: the pool stays in service, and this call can be repeated.
      await this.open();
      throw error;
    }
  }

  /** For what changes the pool's file system. */
  async #change<T>(change: () => Promise<T>): Promise<T> {
    const { guard } = this.#open;
    return guard === undefined ? await change() : await guard.whileOpen(change);
  }

  /** For what only takes space. @throws DunnageError NO_SPACE while writers wait */
  async #take<T>(change: () => Promise<T>): Promise<T> {
    if (this.#open.guard?.isFrozen === true) {
      throw new DunnageError('NO_SPACE', `the pool ${this.#options.poolName} is almost full: its writers wait`, {
        remedy: 'delete devices or snapshots, or make the pool larger',
      });
    }
    return await this.#change(change);
  }

  async createThin(id: number): Promise<void> {
    await this.#take(() => this.#open.images.create(id));
  }

  async createSnapshot(id: number, originId: number): Promise<void> {
    const { images, suspensions } = this.#open;
    await this.#take(() => images.clone(id, originId, () => suspensions.assertHeld(originId)));
  }

  async delete(id: number): Promise<void> {
    const attachment = await this.#open.attachments.ofId(id);
    if (attachment !== undefined) throw busy(`device ${id}`, attachment);
    await this.#change(() => this.#open.images.remove(id));
  }

  async activate(name: string, id: number, sizeBytes: number): Promise<void> {
    this.#names.path(name);
    assertSize(sizeBytes);
    const { images, attachments } = this.#open;
    const before = await this.#former(name, id);
    const image = await images.openImage(id);
    try {
      const grows = await this.#fit(id, image, sizeBytes);
      const number = before?.number ?? (await attachments.attach(id, image));
      if (before !== undefined && grows) await attachments.grow(number);
      try {
        if ((await this.#names.numberOf(name)) !== number) await this.#names.record(name, number);
        await this.#names.publish(name, number);
      } catch (error) {
        if (before === undefined) await attachments.detach(number, true);
        await this.#names.remove(name);
        throw error;
      }
    } finally {
      await image.close();
    }
  }

  /**
   * A loop device that has the image already and may get the name: it waits for its last user and is kept now, or a crash came
   * between two steps. @throws DunnageError BUSY
   */
  async #former(name: string, id: number): Promise<Attachment | undefined> {
    const { attachments } = this.#open;
    const named = await this.#find(name);
    if (named !== undefined && named.id !== id) throw busy(`the name ${name}`, named);
    const attachment = named ?? (await attachments.ofId(id));
    if (attachment === undefined) return undefined;
    const others = (await this.#names.all()).filter((row) => row.number === attachment.number && row.name !== name);
    const isTaken = others.length > 0 || (named !== undefined && (await this.#names.isPublic(name)));
    if (attachment.isOdd || (isTaken && !attachment.isLeaving)) throw busy(`device ${id}`, attachment);
    if (!attachment.isLeaving) return attachment;
    const keep = (): Promise<boolean> => attachments.keep(attachment.number);
    const isKept = await this.#open.stuckWrites.whileDone(attachment.number, keep);
    for (const other of others) await this.#names.remove(other.name);
    if (!isKept) await this.#names.remove(name);
    return isKept ? attachment : undefined;
  }

  /** Whether the image had to be made longer. */
  async #fit(id: number, image: FileHandle, sizeBytes: number): Promise<boolean> {
    const { images } = this.#open;
    if (await images.fits(id, image, sizeBytes)) return false;
    await this.#take(() => images.lengthen(id, image, sizeBytes));
    return true;
  }

  async resize(name: string, sizeBytes: number): Promise<void> {
    const { id, number } = await this.#active(name);
    assertSize(sizeBytes);
    const image = await this.#open.images.openImage(id);
    try {
      await this.#fit(id, image, sizeBytes);
      await this.#open.stuckWrites.whileDone(number, () => this.#open.attachments.grow(number));
    } finally {
      await image.close();
    }
  }

  async deactivate(name: string, options: DeactivateOptions): Promise<void> {
    const found = await this.#find(name);
    if (found === undefined) return;
    const deactivate = (): Promise<void> => this.#deactivate(name, found, options);
    // Cut off, they end also while the pool is open.
    if (options.force) return await this.#change(deactivate);
    await this.#open.stuckWrites.whileDone(found.number, deactivate);
  }

  async #deactivate(name: string, found: Attachment, options: DeactivateOptions): Promise<void> {
    const { attachments, suspensions } = this.#open;
    await this.#names.hide(name);
    if (options.force && !(await attachments.cutOff(found.number))) {
      this.#options.log.warn({ device: name }, 'a file system on the device is mounted: its users are not cut off');
    }
    const how = await attachments.detach(found.number, options.deferred || options.force);
    if (how === 'busy') {
      await this.#names.publish(name, found.number);
      throw busy(`device ${name}`, found);
    }
    await suspensions.resume(found.id);
    if (how === 'detached') await this.#names.remove(name);
  }

  async suspend(name: string): Promise<void> {
    const { id, number } = await this.#active(name);
    await this.#open.stuckWrites.whileDone(number, () => this.#open.suspensions.suspend(id, number));
  }

  async resume(name: string): Promise<void> {
    const { id } = await this.#active(name);
    await this.#open.suspensions.resume(id);
  }

  async isActive(name: string): Promise<boolean> {
    return (await this.#find(name)) !== undefined;
  }

  async discard(name: string): Promise<void> {
    const { id, number } = await this.#active(name);
    const { images } = this.#open;
    const image = await images.openImage(id);
    try {
      // Only who can detach it knows that nobody else has it open.
      await this.deactivate(name, { deferred: false, force: false });
      const { size } = await image.stat();
      await this.#change(() => images.empty(image));
      await this.activate(name, id, size);
    } catch (error) {
      throw fromSystemError(error, `cannot discard device ${name} (/dev/loop${number})`);
    } finally {
      await image.close();
    }
  }

  path(name: string): string {
    return this.#names.path(name);
  }

  async usage(id: number): Promise<DeviceUsage> {
    return await this.#open.images.usage(id);
  }

  async status(): Promise<PoolStatus> {
    return await this.#looking.ask();
  }

  async #status(): Promise<PoolStatus> {
    const { mounted, space, guard } = this.#open;
    const areWritersStopped = guard?.isFrozen ?? false;
    const [figures, row] = await Promise.all([space.figures(areWritersStopped), findMount(mounted.path)]);
    const isReadOnly = row !== undefined && (row.options.includes('ro') || row.superOptions.includes('ro'));
    return {
      ...figures,
      // The file system takes its metadata from the same space.
      metadataUsedBytes: 0,
      metadataTotalBytes: 0,
      areWritersStopped,
      isReadOnly,
      needsCheck: row?.superOptions.includes('shutdown') ?? false,
    };
  }

  async grow({ dataBytes }: PoolSizes): Promise<void> {
    const { mounted, guard } = this.#open;
    await growPlace(this.#options.place, mounted, dataBytes, (work) => this.#change(work));
    const { highWaterPercent } = this.#options.guard ?? {};
    if (highWaterPercent !== undefined) guard?.setLimits(await marksOf(mounted.path, highWaterPercent));
  }

  async inspect(expected: readonly ExpectedDevice[]): Promise<Inspection> {
    const { mounted, images, attachments, guard } = this.#open;
    const pool = { place: this.#options.place, mounted, folder: images.path, attachments: await attachments.all() };
    return await inspectImages(pool, expected, guard?.isFrozen ?? false);
  }

  async watch(onEvent: () => void): Promise<(() => void) | undefined> {
    if (this.#options.guard === undefined) return undefined;
    const listener = (): void => onEvent();
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async list(): Promise<readonly DriverDevice[]> {
    const { images, attachments, suspensions } = this.#open;
    const [ids, active, names] = await Promise.all([images.ids(), attachments.all(), this.#names.all()]);
    const byId = new Map(active.map((attachment) => [attachment.id, attachment.number]));
    const nameOf = new Map(names.map(({ name, number }) => [number, name]));
    const described = ids.map(async (id): Promise<DriverDevice> => {
      const number = byId.get(id);
      if (number === undefined) return { id, isActive: false, isSuspended: false };
      const name = nameOf.get(number);
      const sizeBytes = await attachments.sizeBytes(number);
      const state = { id, isActive: true, isSuspended: suspensions.has(id), sizeBytes };
      return name === undefined ? state : { ...state, name };
    });
    return await Promise.all(described);
  }

  async transaction(): Promise<number> {
    return await readTransaction(this.#open.mounted.path);
  }

  async setTransaction(transaction: number): Promise<void> {
    await this.#change(() => writeTransaction(this.#open.mounted.path, transaction));
  }

  /** What the name stands for, if that is still so. A name of a device that is gone is removed. */
  async #find(name: string): Promise<Attachment | undefined> {
    const number = await this.#names.numberOf(name);
    if (number === undefined) return undefined;
    const attachment = await this.#open.attachments.ofNumber(number);
    if (attachment === undefined) await this.#names.remove(name);
    return attachment;
  }

  async #active(name: string): Promise<Attachment> {
    const found = await this.#find(name);
    if (found === undefined) throw new DunnageError('NOT_FOUND', `no device named ${name} is active`);
    return found;
  }
}

function assertSize(sizeBytes: number): void {
  if (Number.isSafeInteger(sizeBytes) && sizeBytes > 0 && sizeBytes % THIN_SECTOR_BYTES === 0) return;
  throw new DunnageError('INVALID_ARGUMENT', `${sizeBytes} bytes cannot be the size of a device`, {
    remedy: `take whole sectors of ${THIN_SECTOR_BYTES} bytes`,
  });
}

function busy(what: string, attachment: Attachment): DunnageError {
  return new DunnageError('BUSY', `${what} is in use: /dev/loop${attachment.number}`, {
    remedy: `see who has it open: fuser -v -m /dev/loop${attachment.number}`,
  });
}
