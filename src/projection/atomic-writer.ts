/**
 * The atomic writer: one algorithm over a `SwapTarget`, in the order of the reference's newest release.
 *
 *   validate -> sweep -> inspect -> [stage -> permissions -> publish] -> links -> [drop the replaced directory]
 *
 * The part in brackets is skipped if the payload is what is published already; links are repaired in any case.
 * Before publish nothing a reader can see has changed, and a failure discards what was staged. From publish on the new
 * content is the truth: a failure in what follows is reported, and the next write finishes the work.
 *
 * Beyond the reference: a change of mode or owner alone is a swap, a leftover `..data_tmp` does not block, directories
 * that a crash left behind are swept, and a visible name that something else took is linked anew.
 */
import { type Clock, systemClock } from '../base/clock.ts';
import { type Log, silentLog } from '../base/log.ts';
import { KeyedMutex } from '../base/mutex.ts';
import { DunnageError } from '../errors/dunnage-error.ts';
import { DirectoryTarget } from './directory-target.ts';
import { generationName } from './generation-name.ts';
import { topLevelNames, validatePayload } from './path-rules.ts';
import type { FileProjection, MountFile } from './payload.ts';
import type { Published, SetPermissions, SwapTarget } from './swap-target.ts';

/** Called at each step of a write, before the next one begins. Tests inject faults here: what it throws fails the write. */
export type StepHook = (step: string) => void | Promise<void>;

export interface AtomicWriterOptions {
  readonly clock?: Clock;
  readonly log?: Log;
  /** Internal, for tests. */
  readonly onStep?: StepHook;
}

export interface WriteResult {
  /** True if a new timestamped directory was published. */
  readonly changed: boolean;
  /** Name of the timestamped directory that `..data` names now. */
  readonly directoryName: string;
}

/**
 * Writes payloads to one target. Calls on one writer (and on one directory, within one process) run one after another;
 * two processes must not write to the same plain directory at the same time.
 */
export class AtomicWriter<File extends MountFile = FileProjection> {
  readonly #target: SwapTarget<File>;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #onStep: StepHook;
  readonly #queue = new KeyedMutex<'write'>();

  /**
   * @param target path of an existing directory, or another place to write to.
   * @throws DunnageError NOT_FOUND, NOT_A_DIRECTORY, PERMISSION_DENIED if the path is no directory this process can reach.
   */
  constructor(target: string | SwapTarget<File>, options: AtomicWriterOptions = {}) {
    this.#clock = options.clock ?? systemClock;
    this.#log = options.log ?? silentLog;
    this.#onStep = options.onStep ?? (() => undefined);
    // A path means a plain directory, which takes bytes: the default of `File`.
    this.#target =
      typeof target === 'string' ? (new DirectoryTarget(target, this.#onStep) as SwapTarget<File>) : target;
  }

  /**
   * Makes the target hold exactly the payload. When it resolves, the content is durable and every reader sees it.
   *
   * `setPermissions` (plain directories only) is called with the name of the staged directory before it is published;
   * modes and owners are then the callback's business and a difference in them alone causes no swap.
   *
   * @throws DunnageError INVALID_PATH, NAME_TOO_LONG, INVALID_ARGUMENT, TOO_LARGE for a wrong payload, NOT_SUPPORTED for a
   *   callback the target cannot take, NO_SPACE, IO and the like from the system.
   */
  async write(
    payload: ReadonlyMap<string, File> | Readonly<Record<string, File>>,
    setPermissions?: SetPermissions,
  ): Promise<WriteResult> {
    const checked = validatePayload(payload);
    if (setPermissions !== undefined && this.#target.applyPermissions === undefined) {
      throw new DunnageError('NOT_SUPPORTED', 'this target takes modes and owners from the payload only', {
        remedy: 'give mode, uid and gid with each file instead of a setPermissions callback',
      });
    }
    const swap = (): Promise<WriteResult> => this.#swap(checked, setPermissions);
    return this.#queue.run('write', () => (this.#target.exclusively ? this.#target.exclusively(swap) : swap()));
  }

  async #swap(payload: ReadonlyMap<string, File>, setPermissions: SetPermissions | undefined): Promise<WriteResult> {
    await this.#onStep('validated');
    const sweepFailure = await this.#sweep();
    await this.#onStep('swept');
    const published = await this.#target.inspect(payload, setPermissions !== undefined);
    await this.#onStep('inspected');

    const replaced = published.directoryName;
    const changed = !published.unchanged || replaced === undefined;
    const directoryName = changed ? generationName(this.#clock) : replaced;
    if (changed) await this.#stageAndPublish(directoryName, payload, setPermissions);

    await this.#updateLinks(payload, published);
    if (changed && replaced !== undefined) await this.#target.drop(replaced);
    await this.#onStep('done');
    // What is published is right, but something old, perhaps a secret, could not be removed: the caller must hear of it.
    if (sweepFailure !== undefined) throw sweepFailure.error;
    return { changed, directoryName };
  }

  /** A leftover that cannot be removed must not keep new content from being published, so its error waits for the end. */
  async #sweep(): Promise<{ readonly error: unknown } | undefined> {
    try {
      await this.#target.sweep();
      return undefined;
    } catch (error) {
      this.#log.warn({ error }, 'cannot sweep what an interrupted write left behind');
      return { error };
    }
  }

  async #stageAndPublish(
    directoryName: string,
    payload: ReadonlyMap<string, File>,
    setPermissions?: SetPermissions,
  ): Promise<void> {
    try {
      await this.#target.stage(directoryName, payload);
      await this.#onStep('staged');
      if (setPermissions !== undefined) {
        await this.#target.applyPermissions?.(directoryName, setPermissions);
        await this.#onStep('permissions');
      }
      await this.#target.publish(directoryName);
    } catch (error) {
      try {
        await this.#target.discard(directoryName);
      } catch (discardError) {
        // The first error is the one that matters; the next write sweeps the rest.
        this.#log.warn({ error: discardError, directoryName }, 'cannot discard a staged directory');
      }
      throw error;
    }
    await this.#onStep('published');
  }

  async #updateLinks(payload: ReadonlyMap<string, File>, published: Published): Promise<void> {
    const { visibleNames, brokenNames } = published;
    const wanted = topLevelNames(payload.keys());
    const missing = [...wanted].filter((name) => !visibleNames.has(name) || brokenNames.has(name));
    const stale = [...visibleNames].filter((name) => !wanted.has(name) || brokenNames.has(name));
    await this.#target.updateLinks(missing, stale);
    await this.#onStep('linked');
  }
}
