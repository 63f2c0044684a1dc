import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import { ROOT_NODE_ID } from '../../src/base/ids.ts';
import { DunnageError } from '../../src/errors/dunnage-error.ts';
import type { MountOperation } from '../../src/vfs/ports.ts';
import { payload, TreeHarness, wanted } from './helpers/tree-harness.ts';

let harness: TreeHarness;
beforeEach(async () => {
  harness = await TreeHarness.create();
});
afterEach(() => harness.close());

describe('ProjectionService.write', () => {
  it('creates, configures, and leaves alone what is unchanged', async () => {
    const { service } = harness;
    assert.deepEqual(await service.write(wanted('web', { a: '1' })), { action: 'created', generation: 1 });
    assert.deepEqual(await service.write(wanted('web', { a: '1' })), { action: 'unchanged', generation: 1 });
    assert.deepEqual(await service.write(wanted('web', { a: '2' })), { action: 'configured', generation: 2 });
  });

  it('takes a change of mode or owner alone as a change', async () => {
    const { service } = harness;
    await service.write(wanted('web', { a: '1' }));
    const mode = await service.write(wanted('web', {}, { payload: payload({ a: '1' }, 0o400) }));
    assert.deepEqual(mode, { action: 'configured', generation: 2 });
    const owned = new Map([['a', { data: Buffer.from('1'), mode: 0o400, uid: 999 }]]);
    assert.equal((await service.write(wanted('web', {}, { payload: owned }))).generation, 3);
  });

  it('publishes an empty payload as ..data and an empty directory', async () => {
    await harness.service.write(wanted('web', {}));
    const web = harness.lookup(ROOT_NODE_ID, 'web');
    assert.equal(harness.list(web as never).length, 2);
    assert.deepEqual(harness.list(harness.resolve('web/..data') as never), []);
  });

  it('refuses a wrong payload before anything exists', async () => {
    await assert.rejects(harness.service.write(wanted('web', { '../x': '1' })), { code: 'INVALID_PATH' });
    assert.deepEqual(harness.operations, []);
    assert.equal(harness.catalog.findProjection('web'), undefined);
  });

  it('refuses to change what is immutable, and takes the same content again', async () => {
    const { service } = harness;
    await service.write(wanted('web', { a: '1' }, { immutable: true }));
    await assert.rejects(service.write(wanted('web', { a: '2' }, { immutable: true })), { code: 'IMMUTABLE' });
    await assert.rejects(service.write(wanted('web', { a: '1' })), { code: 'IMMUTABLE' });
    assert.equal((await service.write(wanted('web', { a: '1' }, { immutable: true }))).action, 'unchanged');
  });

  it('stores identical content once', async () => {
    await harness.service.write(wanted('one', { a: 'same', b: 'same' }));
    await harness.service.write(wanted('two', { c: 'same' }));
    assert.equal(harness.blobs.statistics().blobs, 1);
  });

  it('makes writes of one projection one after another', async () => {
    const writes = Array.from({ length: 10 }, (_, i) => harness.service.write(wanted('web', { a: String(i) })));
    const results = await Promise.all(writes);
    assert.deepEqual(
      results.map((result) => result.generation),
      [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    );
    assert.equal(await harness.readFile('web/a'), '9');
  });
});

describe('ProjectionService.delete', () => {
  it('leaves nothing once the kernel has forgotten', async () => {
    await harness.service.write(wanted('web', { a: '1', 'b/c': '2' }));
    await harness.service.delete('web');
    await harness.graceOver();
    harness.forgetAll();
    for (const id of harness.forgotten) harness.service.forgotten(id);
    await harness.service.removeForgotten();
    assert.deepEqual(harness.list(ROOT_NODE_ID), []);
    assert.equal(harness.blobs.statistics().blobs, 0);
    assert.equal(harness.catalog.projectionCount(), 0);
  });

  it('says NOT_FOUND for what is not there', async () => {
    await assert.rejects(harness.service.delete('web'), { code: 'NOT_FOUND' });
  });

  it('lets the name be used again', async () => {
    await harness.service.write(wanted('web', { a: '1' }));
    await harness.service.delete('web');
    assert.equal((await harness.service.write(wanted('web', { a: '2' }))).action, 'created');
    assert.equal(await harness.readFile('web/a'), '2');
  });
});

describe('content that could not be removed at once', () => {
  const fullOnce = (): void => {
    const { catalog } = harness;
    const remove = catalog.remove.bind(catalog);
    catalog.remove = () => {
      catalog.remove = remove;
      throw new DunnageError('NO_SPACE', 'the disk is full');
    };
  };

  it('goes with that of the next generation that is forgotten', async () => {
    await harness.service.write(wanted('web', { a: '1' }));
    await harness.service.write(wanted('web', { a: '2' }));
    await harness.service.write(wanted('web', { a: '3' }));
    const [first, second] = [...harness.catalog.allDropped()];
    assert.ok(first !== undefined && second !== undefined);
    fullOnce();
    harness.service.forgotten(first);
    await harness.service.removeForgotten();
    assert.deepEqual([...harness.catalog.allDropped()], [first, second]);
    harness.service.forgotten(second);
    await harness.service.removeForgotten();
    assert.deepEqual([...harness.catalog.allDropped()], []);
    assert.equal(harness.blobs.statistics().blobs, 1);
  });

  it('does not keep a daemon from starting', async () => {
    await harness.service.write(wanted('web', { a: '1' }));
    await harness.service.write(wanted('web', { a: '2' }));
    fullOnce();
    await harness.service.removeDropped();
    assert.equal([...harness.catalog.allDropped()].length, 1);
    await harness.service.removeDropped();
    assert.deepEqual([...harness.catalog.allDropped()], []);
  });
});

/** Stops the work at the n-th operation through the mount, as if the daemon had died there. */
function dieAtOperation(count: number): void {
  let left = count;
  harness.beforeOperation = (_operation: MountOperation) => {
    left -= 1;
    if (left < 0) throw new Error('died');
  };
}

describe('a daemon that dies between two system calls', () => {
  const OLD = { a: 'old', b: 'old', 'c/d': 'old' };
  const NEW = { b: 'new', 'c/e': 'new', f: 'new' };

  for (let step = 0; step <= 6; step += 1) {
    it(`leaves the old or the new content, mended by the next start (operation ${step})`, async () => {
      await harness.service.write(wanted('web', OLD));
      dieAtOperation(step);
      await harness.service.write(wanted('web', NEW)).catch(() => undefined);
      harness.beforeOperation = () => undefined;
      harness.tree.close();
      harness.restart();
      harness.resume();
      await harness.service.recover();
      const files: Record<string, string | undefined> = {};
      for (const path of new Set([...Object.keys(OLD), ...Object.keys(NEW)])) {
        files[path] = await harness.readFile(`web/${path}`);
      }
      const shown = Object.fromEntries(Object.entries(files).filter(([, text]) => text !== undefined));
      assert.deepEqual(shown, shown['f'] === undefined ? OLD : NEW);
      const names = harness.list(harness.lookup(ROOT_NODE_ID, 'web') as never);
      assert.ok(!names.includes('..data_tmp'));
      assert.equal(names.filter((name) => /^\.\.\d/.test(name)).length, 1);
      const top = new Set(Object.keys(shown).map((path) => path.split('/')[0]));
      assert.deepEqual(new Set(names.filter((name) => !name.startsWith('..'))), top);
      assert.equal((await harness.service.write(wanted('web', NEW))).generation, 2);
    });
  }

  it('undoes a projection that was never published', async () => {
    dieAtOperation(1);
    await harness.service.write(wanted('web', OLD)).catch(() => undefined);
    harness.beforeOperation = () => undefined;
    harness.restart();
    harness.resume();
    await harness.service.recover();
    assert.equal(harness.catalog.findProjection('web'), undefined);
    assert.deepEqual(harness.list(ROOT_NODE_ID), []);
  });

  it('finishes a deletion', async () => {
    await harness.service.write(wanted('web', OLD));
    dieAtOperation(2);
    await harness.service.delete('web').catch(() => undefined);
    harness.beforeOperation = () => undefined;
    harness.restart();
    harness.resume();
    await harness.service.recover();
    assert.equal(harness.catalog.findProjection('web'), undefined);
  });
});

/** Names at the top of `web` as the kernel has them: by the system calls alone, because it caches each name for ever. */
function namesTheKernelKnows(): Set<string> {
  const names = new Set<string>();
  for (const { directory, operation, errno } of harness.operations) {
    if (directory !== 'web' || errno !== 0 || operation.name.startsWith('..')) continue;
    if (operation.kind === 'symlink') names.add(operation.name);
    if (operation.kind === 'unlink') names.delete(operation.name);
  }
  return names;
}

describe('an agent that dies between two system calls', () => {
  const OLD = { a: 'old', b: 'old' };
  const NEW = { b: 'new', c: 'new', d: 'new' };
  const others: readonly Readonly<Record<string, string>>[] = [OLD, NEW, { a: '3', c: '3' }, { e: '3' }, {}];

  for (let step = 0; step <= 5; step += 1) {
    it(`leaves no name behind and misses none in the next write (operation ${step})`, async () => {
      for (const next of others) {
        await harness.service.write(wanted('web', OLD));
        dieAtOperation(step);
        await assert.rejects(harness.service.write(wanted('web', NEW)), /died/);
        harness.beforeOperation = () => undefined;
        await harness.service.write(wanted('web', next));
        assert.deepEqual(namesTheKernelKnows(), new Set(Object.keys(next)));
        const names = harness.list(harness.lookup(ROOT_NODE_ID, 'web') as never);
        assert.deepEqual(new Set(names.filter((name) => !name.startsWith('..'))), new Set(Object.keys(next)));
        await harness.service.delete('web');
        assert.deepEqual(namesTheKernelKnows(), new Set());
      }
    });
  }

  it('may die again in the sweep of the next write, and again, without blocking the projection', async () => {
    await harness.service.write(wanted('web', OLD));
    for (let step = 0; step <= 5; step += 1) {
      for (const times of [1, 2, 3]) {
        dieAtOperation(step);
        await assert.rejects(harness.service.write(wanted('web', NEW)), /died/);
        for (let again = 0; again < times; again += 1) {
          dieAtOperation(again);
          await harness.service.write(wanted('web', { f: String(again) })).catch(() => undefined);
        }
        harness.beforeOperation = () => undefined;
        await harness.service.write(wanted('web', OLD));
        assert.deepEqual([...harness.catalog.allStaged()], []);
        assert.deepEqual(namesTheKernelKnows(), new Set(Object.keys(OLD)));
        assert.equal(harness.list(harness.lookup(ROOT_NODE_ID, 'web') as never).length, 4);
      }
    }
  });

  it('lets a deletion take away links that only the kernel knows of', async () => {
    await harness.service.write(wanted('web', OLD));
    dieAtOperation(4);
    await assert.rejects(harness.service.write(wanted('web', NEW)), /died/);
    harness.beforeOperation = () => undefined;
    assert.ok(namesTheKernelKnows().has('c'));
    await harness.service.delete('web');
    assert.deepEqual(namesTheKernelKnows(), new Set());
  });

  for (let step = 0; step <= 3; step += 1) {
    it(`does not let a write into a half-deleted projection get lost (operation ${step})`, async () => {
      await harness.service.write(wanted('web', OLD));
      dieAtOperation(step);
      await assert.rejects(harness.service.delete('web'), /died/);
      harness.beforeOperation = () => undefined;
      assert.deepEqual(await harness.service.write(wanted('web', NEW)), { action: 'created', generation: 1 });
      assert.deepEqual(
        harness.service.list().map(({ record }) => [record.directory, record.state]),
        [['web', 'live']],
      );
      assert.equal(await harness.readFile('web/c'), 'new');
      assert.deepEqual([...harness.catalog.allUnsettled()], []);
    });
  }

  it('does not let a projection that could be neither made nor removed block its name', async () => {
    dieAtOperation(0);
    await assert.rejects(harness.service.write(wanted('web', OLD)), /died/);
    harness.beforeOperation = () => undefined;
    assert.equal((await harness.service.write(wanted('web', NEW))).action, 'created');
    assert.equal(await harness.readFile('web/b'), 'new');
  });
});

describe('any sequence of writes', () => {
  const path = fc.stringMatching(/^[ab](\/[ab]){0,2}$/);
  const files = fc
    .dictionary(path, fc.constantFrom('1', '2', '3'), { maxKeys: 6 })
    .filter((map) => !Object.keys(map).some((one) => Object.keys(map).some((two) => two.startsWith(`${one}/`))));

  it('shows exactly the last payload', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(files, { minLength: 1, maxLength: 6 }), async (sequence) => {
        for (const model of sequence) {
          await harness.service.write(wanted('web', model));
          for (const [name, text] of Object.entries(model)) assert.equal(await harness.readFile(`web/${name}`), text);
          const top = new Set(Object.keys(model).map((name) => name.split('/')[0]));
          const names = harness.list(harness.lookup(ROOT_NODE_ID, 'web') as never);
          assert.deepEqual(new Set(names.filter((name) => !name.startsWith('..'))), top);
        }
        await harness.service.delete('web');
      }),
      { numRuns: 40 },
    );
  });
});

describe('what follows a change', () => {
  it('is told after each, with whether it succeeded, and a new list of reactions before', async () => {
    const told: string[] = [];
    harness.reactions = {
      prepare: (directory, reactions) => {
        told.push(`prepare ${directory} ${reactions.length}`);
        return true;
      },
      settle: (directory, succeeded) => told.push(`settle ${directory} ${succeeded}`),
      forget: (directory) => told.push(`forget ${directory}`),
      view: () => undefined,
    };
    harness.restart();
    const { service } = harness;
    await service.write(wanted('web', { a: '1' }, { onSwap: [] }));
    assert.deepEqual(await service.write(wanted('web', { a: '1' }, { onSwap: [] })), {
      action: 'configured',
      generation: 1,
    });
    await assert.rejects(service.write(wanted('web', { '../x': '1' })), { code: 'INVALID_PATH' });
    await service.delete('web');
    assert.deepEqual(told, [
      'prepare web 0',
      'settle web true',
      'prepare web 0',
      'settle web true',
      'settle web false',
      'forget web',
    ]);
  });
});

describe('ProjectionService and audited projections', () => {
  it('refuses them where nothing can be audited, and leaves nothing', async () => {
    await assert.rejects(harness.service.write(wanted('web', { a: '1' }, { audited: true })), {
      code: 'NOT_SUPPORTED',
      remedy: /run the daemon as root/,
    });
    assert.deepEqual([harness.service.list(), harness.operations], [[], []]);
    await harness.service.write(wanted('web', { a: '1' }, { audited: false }));
    assert.equal(await harness.readFile('web/a'), '1');
  });

  it('does not make an audited projection of one that is not', async () => {
    await harness.service.write(wanted('web', { a: '1' }));
    await assert.rejects(harness.service.write(wanted('web', { a: '2' }, { audited: true })), { code: 'IMMUTABLE' });
    assert.equal(await harness.readFile('web/a'), '1');
  });
});
