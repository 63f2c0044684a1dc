/**
 * A process that dies between any two steps of any operation, and random sequences of operations, deaths and restarts of the host, against
 * the model: `crashSuite('reflink', factory, options)`.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { silentLog } from '../../../src/base/log.ts';
import type { PoolDriver } from '../../../src/thinpool/driver.ts';
import type { PoolDevice } from '../../../src/thinpool/pool-device.ts';
import { PoolMetadata } from '../../../src/thinpool/pool-metadata.ts';
import { assertInOrder, canWrite, expected, type Model, observe, type PoolOperation, perform } from './crash-model.ts';
import { CrashPoint } from './crash-point.ts';
import { openPool } from './pool-subject.ts';
import { type DriverSubject, type DriverSubjectFactory, type DriverSuiteOptions, thenCleanUp } from './subject.ts';

const DRIVER_STEPS = [
  ...(['createThin', 'createSnapshot', 'delete', 'activate', 'deactivate', 'suspend', 'resume'] as const),
  ...(['discard', 'resize', 'setTransaction'] as const),
] as const;
const METADATA_STEPS = [
  ...(['addDeviceNumbered', 'updateDevice', 'updateDeviceBuffered', 'changeDeviceState'] as const),
  ...(['changeDeviceStateNumbered', 'markFaulty', 'markRepaired', 'removeDeviceBuffered', 'replaceId'] as const),
  ...(['setIdsAside', 'freeId', 'setTransaction'] as const),
] as const;

const NAMES = ['a', 'b', 'c'] as const;
/** Each step has two points; no operation has so many. */
const POINTS_MAX = 60;

/** A pool whose process can die, with what it left. */
class CrashScene {
  readonly #subject: DriverSubject;
  readonly #options: DriverSuiteOptions;
  readonly #stateDir: string;
  readonly #metadata: PoolMetadata;
  #driver: PoolDriver;
  #pool: PoolDevice | undefined;
  #point: CrashPoint;
  model: Model = {};

  private constructor(subject: DriverSubject, options: DriverSuiteOptions) {
    this.#subject = subject;
    this.#options = options;
    this.#driver = subject.driver;
    this.#stateDir = mkdtempSync(join(tmpdir(), 'dunnage-crash-'));
    this.#metadata = PoolMetadata.open({ stateDir: this.#stateDir, pool: 'test', log: silentLog });
    this.#point = new CrashPoint(Number.POSITIVE_INFINITY);
  }

  static async run(
    factory: DriverSubjectFactory,
    options: DriverSuiteOptions,
    body: (scene: CrashScene) => Promise<void>,
  ): Promise<void> {
    const scene = new CrashScene(await factory(), options);
    const begin = async (): Promise<void> => {
      await scene.#start(Number.POSITIVE_INFINITY);
      await body(scene);
    };
    await thenCleanUp(begin, async () => {
      await scene.#driver.close();
      await scene.#metadata.close();
      rmSync(scene.#stateDir, { recursive: true, force: true });
      await scene.#subject.cleanup();
    });
  }

  get pool(): PoolDevice {
    assert.ok(this.#pool !== undefined);
    return this.#pool;
  }

  /** Runs the operation as the model wants it. Returns whether the process died of it. */
  async perform(operation: PoolOperation): Promise<boolean> {
    if (operation.kind === 'write' && !canWrite(this.model, operation.name)) return false;
    const wanted = expected(this.model, operation);
    const error = await perform(this.pool, operation).then(
      () => undefined,
      (reason: unknown) => reason as { readonly code?: unknown },
    );
    if (this.#point.hasCrashed) return true;
    if ('code' in wanted) {
      assert.equal(error?.code, wanted.code, `${JSON.stringify(operation)}: ${String(error)}`);
    } else {
      if (error !== undefined) throw error;
      this.model = wanted.model;
    }
    return false;
  }

  /** The next process, which may die at a point of its start, until one does not. What is seen then must be the old or the new. */
  async recover(after: PoolOperation | undefined, pointsBefore: number, isReboot: boolean): Promise<void> {
    const wanted = after === undefined ? undefined : expected(this.model, after);
    const known = wanted !== undefined && 'model' in wanted ? wanted.model : this.model;
    this.#driver = isReboot ? await this.#subject.reboot() : await this.#subject.reopen();
    if (!(await this.#start(pointsBefore))) {
      this.#driver = await this.#subject.reopen();
      await this.#start(Number.POSITIVE_INFINITY);
    }
    const endsSuspension = isReboot || this.#options.suspensionEndsWithProcess === true;
    const candidates = [this.model, known].map((model) => (endsSuspension ? withoutSuspensions(model) : model));
    const seen = await observe(this.pool, { ...this.model, ...known });
    const found = candidates.find((model) => isSame(model, seen));
    assert.ok(
      found !== undefined,
      `after ${JSON.stringify(after)}: neither old nor new: ${JSON.stringify([candidates, seen])}`,
    );
    this.model = found;
    await assertInOrder(this.pool, this.#driver, NAMES.length);
  }

  /** From now on the process dies after so many points. */
  arm(pointsBefore: number): Promise<boolean> {
    return this.#start(pointsBefore);
  }

  /** What is not active is looked into as well. */
  async assertContents(): Promise<void> {
    for (const name of Object.keys(this.model)) await this.perform({ kind: 'activate', name });
    assert.ok(
      isSame(await observe(this.pool, {}), this.model),
      JSON.stringify([await observe(this.pool, {}), this.model]),
    );
  }

  async #start(pointsBefore: number): Promise<boolean> {
    this.#point = new CrashPoint(pointsBefore);
    const driver = this.#point.wrap(this.#driver, DRIVER_STEPS);
    const metadata = this.#point.wrap(this.#metadata, METADATA_STEPS);
    try {
      this.#pool = await openPool(driver, metadata, { discardBlocks: true });
      return true;
    } catch (error) {
      if (!this.#point.hasCrashed) throw error;
      return false;
    }
  }
}

const withoutSuspensions = (model: Model): Model =>
  Object.fromEntries(Object.entries(model).map(([name, device]) => [name, { ...device, isSuspended: false }]));

const isSame = (one: Model, other: Model): boolean => describeModel(one) === describeModel(other);

function describeModel(model: Model): string {
  const rows = Object.entries(model).map(([name, device]) => {
    const { content, isActive, isSuspended, isGrown } = device;
    return [name, content, isActive, isSuspended, isGrown];
  });
  return JSON.stringify(rows.sort((one, other) => (String(one[0]) < String(other[0]) ? -1 : 1)));
}

/** Before each operation of the first suite. */
const PREPARATION: readonly PoolOperation[] = [
  { kind: 'create', name: 'a' },
  { kind: 'write', name: 'a', content: 1 },
];
const OPERATIONS: readonly (readonly PoolOperation[])[] = [
  [{ kind: 'create', name: 'b' }],
  [{ kind: 'snapshot', origin: 'a', name: 'b' }],
  [{ kind: 'remove', name: 'a' }],
  [{ kind: 'deactivate', name: 'a' }],
  [
    { kind: 'deactivate', name: 'a' },
    { kind: 'activate', name: 'a' },
  ],
  [{ kind: 'suspend', name: 'a' }],
  [{ kind: 'grow', name: 'a' }],
  [
    { kind: 'suspend', name: 'a' },
    { kind: 'grow', name: 'a' },
  ],
  [
    { kind: 'suspend', name: 'a' },
    { kind: 'resume', name: 'a' },
  ],
  [
    { kind: 'suspend', name: 'a' },
    { kind: 'remove', name: 'a' },
  ],
  [
    { kind: 'suspend', name: 'a' },
    { kind: 'deactivate', name: 'a' },
  ],
];

export interface CrashSuiteOptions extends DriverSuiteOptions {
  /** Random sequences. */
  readonly runs: number;
  /** For slow machines: not each death again together with a restart of the host; random sequences have those. */
  readonly withoutReboots?: boolean;
  /** For slow machines: only every so many points; random sequences reach the others. */
  readonly stride?: number;
}

export function crashSuite(title: string, factory: DriverSubjectFactory, options: CrashSuiteOptions): void {
  describe(`a pool whose process dies: ${title}`, () => {
    for (const operations of OPERATIONS) {
      const title = operations
        .map((one) => `${one.kind}${one.kind === 'snapshot' ? ` of ${one.origin}` : ''}`)
        .join(', ');
      it(`at every step of: ${title}`, () => dieAtEveryStep(factory, options, operations));
    }
    it('in random sequences of operations, deaths, and restarts of the host', () =>
      runRandomSequences(factory, options));
  });
}

async function dieAtEveryStep(
  factory: DriverSubjectFactory,
  options: CrashSuiteOptions,
  operations: readonly PoolOperation[],
): Promise<void> {
  const before = [...PREPARATION, ...operations.slice(0, -1)];
  const last = operations.at(-1);
  assert.ok(last !== undefined);
  let deaths = 0;
  await CrashScene.run(factory, options, async (scene) => {
    for (const isReboot of options.withoutReboots === true ? [false] : [false, true]) {
      let hasDied = true;
      for (let point = 0; hasDied; point += options.stride ?? 1) {
        assert.ok(point < POINTS_MAX);
        for (const operation of before) await scene.perform(operation);
        await scene.arm(point);
        hasDied = await scene.perform(last);
        if (hasDied) deaths += 1;
        await scene.recover(hasDied ? last : undefined, Number.POSITIVE_INFINITY, isReboot);
        await scene.assertContents();
        for (const name of Object.keys(scene.model)) await scene.perform({ kind: 'remove', name });
      }
    }
  });
  assert.ok(deaths * (options.stride ?? 1) >= 4, `only ${deaths} deaths`);
}

const name = fc.constantFrom(...NAMES);
const operation: fc.Arbitrary<PoolOperation> = fc.oneof(
  fc.record({
    kind: fc.constantFrom(
      'create' as const,
      'remove' as const,
      'activate' as const,
      'deactivate' as const,
      'suspend' as const,
      'resume' as const,
      'grow' as const,
    ),
    name,
  }),
  fc.record({ kind: fc.constant('snapshot' as const), origin: name, name }),
  fc.record({ kind: fc.constant('write' as const), name, content: fc.integer({ min: 1, max: 250 }) }),
);
const never = fc.constant(Number.POSITIVE_INFINITY);
const step = fc.record({
  operation,
  /** Where the process dies, if so many points are reached. */
  dies: fc.oneof({ arbitrary: never, weight: 2 }, { arbitrary: fc.nat(16), weight: 1 }),
  /** The same for the process that comes after it. */
  diesAgain: fc.oneof({ arbitrary: never, weight: 2 }, { arbitrary: fc.nat(8), weight: 1 }),
  isReboot: fc.boolean(),
});

async function runRandomSequences(factory: DriverSubjectFactory, options: CrashSuiteOptions): Promise<void> {
  const sequences = fc.array(step, { minLength: 3, maxLength: 14 });
  const property = fc.asyncProperty(sequences, (steps) =>
    CrashScene.run(factory, options, async (scene) => {
      for (const { operation, dies, diesAgain, isReboot } of steps) {
        const hasStarted = dies === Number.POSITIVE_INFINITY || (await scene.arm(dies));
        const hasDied = !hasStarted || (await scene.perform(operation));
        if (hasDied) await scene.recover(hasStarted ? operation : undefined, diesAgain, isReboot);
      }
      await scene.recover(undefined, Number.POSITIVE_INFINITY, true);
      await scene.assertContents();
    }),
  );
  await fc.assert(property, { numRuns: options.runs });
}
