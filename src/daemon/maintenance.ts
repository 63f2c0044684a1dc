/**
 * Checking, mending and tidying a state directory: for the daemon that has it open, and for the command line when no
 * daemon runs. Content is mended at any time; the catalog only while nobody serves it.
 */
import type { Clock } from '../base/clock.ts';
import type { NodeId } from '../base/ids.ts';
import { DunnageError } from '../errors/dunnage-error.ts';
import { catalogChecks } from '../projection/check/catalog-checks.ts';
import { countReferences } from '../projection/check/catalog-references.ts';
import { CatalogScene } from '../projection/check/catalog-scene.ts';
import type { FsckReport, GcReport } from '../server/operations.ts';
import { blobChecks } from '../store/check/blob-checks.ts';
import { BlobScene } from '../store/check/blob-scene.ts';
import { runChecks } from '../store/check/run-checks.ts';
import { Scrub, type ScrubOptions } from '../store/check/scrub.ts';
import type { Digest } from '../store/digest.ts';
import type { SealingKey } from '../store/sealing-key.ts';
import type { Store } from '../store/store.ts';
import { collectGarbage, type GarbagePort } from './garbage.ts';

/** What only a daemon has. */
export interface Serving {
  /** Content that is being stored, and has no record yet. */
  readonly isInUse: (digest: Digest) => boolean;
  /** Content was marked as damaged: what the kernel has cached of these nodes must go. */
  readonly onDamaged: (digest: Digest, nodes: readonly NodeId[]) => void;
}

export interface MaintenanceOptions {
  readonly store: Store;
  readonly stateDir: string;
  /** Undefined: sealed content is checked by its length only. */
  readonly key: SealingKey | undefined;
  readonly clock: Clock;
  /** Undefined if no daemon runs. */
  readonly serving: Serving | undefined;
  readonly garbage: GarbagePort;
}

/** A temporary file that was not written to for so long belongs to nobody. */
const TEMPORARY_AGE_MS = 3_600_000;

export class Maintenance {
  readonly #options: MaintenanceOptions;
  readonly #blobs: BlobScene;
  readonly #catalog: CatalogScene;
  #isRunning = false;

  constructor(options: MaintenanceOptions) {
    const { store, stateDir, key, clock, serving } = options;
    this.#options = options;
    this.#blobs = new BlobScene({
      store,
      stateDir,
      key,
      references: () => countReferences(this.#catalog),
      isInUse: serving?.isInUse ?? (() => false),
      temporariesMinAgeMs: serving === undefined ? 0 : TEMPORARY_AGE_MS,
      nowMs: () => clock.nowMs(),
      pace: () => undefined,
    });
    this.#catalog = new CatalogScene({ store, blobs: this.#blobs, online: serving !== undefined });
  }

  /** Throws BUSY while another run is under way, and what the disk says. */
  fsck(repair: boolean): Promise<FsckReport> {
    return this.#alone(async () => {
      const { store, stateDir, serving } = this.#options;
      const tally = { verified: 0, verifiedBytes: 0, unverifiable: 0 };
      const onDamaged = (digest: Digest): void => serving?.onDamaged(digest, this.#catalog.nodesWith(digest));
      const checks = [...catalogChecks(this.#catalog), ...blobChecks({ scene: this.#blobs, tally, onDamaged })];
      const online = serving !== undefined;
      const { repaired, remaining } = await runChecks({ store, checks, repair, online });
      return {
        stateDir,
        online,
        repair,
        outcome: remaining.length > 0 ? (repair ? 'unrepaired' : 'found') : repaired.length > 0 ? 'repaired' : 'clean',
        verifiedBlobs: tally.verified,
        verifiedBytes: tally.verifiedBytes,
        unverifiableBlobs: tally.unverifiable,
        repaired,
        remaining,
      };
    });
  }

  /** Reads and compares everything in the background. Preconditions: a daemon serves the tree. */
  scrub(options: Pick<ScrubOptions, 'pace' | 'intervalMs' | 'delayMs' | 'log' | 'verifiedBytes' | 'damages'>): Scrub {
    const { clock, serving } = this.#options;
    const scene = new BlobScene({ ...this.#blobs.options, pace: options.pace.wait });
    const onDamaged = (digest: Digest): void => serving?.onDamaged(digest, this.#catalog.nodesWith(digest));
    return new Scrub({ ...options, scene, clock, onDamaged });
  }

  /** Removes what nothing refers to, or tells what that is. Throws BUSY while another run is under way. */
  gc(dryRun: boolean): Promise<GcReport> {
    return this.#alone(() => collectGarbage(this.#catalog, this.#blobs, this.#options.garbage, dryRun));
  }

  async #alone<T>(work: () => Promise<T>): Promise<T> {
    if (this.#isRunning) {
      throw new DunnageError('BUSY', 'the state directory is being checked already', {
        remedy: 'repeat it when the other fsck or gc is done',
      });
    }
    this.#isRunning = true;
    try {
      return await work();
    } finally {
      this.#isRunning = false;
    }
  }
}
