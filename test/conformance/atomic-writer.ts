/**
 * Conformance suite of the atomic writer: the tables the reference's tests pin, its odd states, and random sequences
 * against a model. It runs on a plain directory and through a real mount, with the same factory.
 */
import assert from 'node:assert/strict';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { runRandomSequences } from './atomic-writer-model.ts';
import {
  type AtomicWriterSubject,
  assertProjected,
  file,
  type Plant,
  type SubjectFactory,
} from './atomic-writer-subject.ts';
import { REFUSED_CASES, SEQUENCE_CASES, UPDATE_CASES, WRITE_CASES } from './atomic-writer-tables.ts';

export type { AtomicWriterSubject, Plant, SubjectFactory } from './atomic-writer-subject.ts';

export interface ConformanceOptions {
  /** Random sequences of writes; each has a subject of its own. */
  readonly sequences?: number;
  /** The factory's subjects have `plant`: tests may damage the target behind the writer's back. */
  readonly canBeDamaged?: boolean;
}

type Check = (subject: AtomicWriterSubject) => Promise<void>;

export function atomicWriterConformance(name: string, factory: SubjectFactory, options: ConformanceOptions = {}): void {
  const withSubject = (check: Check) => async (): Promise<void> => {
    const subject = await factory();
    try {
      await check(subject);
    } finally {
      await subject.cleanup();
    }
  };
  describe(`atomic writer on ${name}`, () => {
    describe('writes once', () => writeOnce(withSubject));
    describe('refuses, and leaves what is there', () => refusals(withSubject));
    describe('updates', () => updates(withSubject));
    describe('makes the visible links', () => visibleLinks(withSubject));
    if (options.canBeDamaged) describe('repairs', () => repairs(withSubject));
    it('behaves as the model under random sequences of writes', async () => {
      await runRandomSequences(factory, options.sequences ?? 40);
    });
  });
}

function writeOnce(withSubject: (check: Check) => () => Promise<void>): void {
  for (const { name, payload, visible } of WRITE_CASES) {
    it(
      name,
      withSubject(async (subject) => {
        const result = await subject.write(payload);
        assert.equal(result.changed, true);
        await assertProjected(subject, visible ?? payload, result.directoryName);
      }),
    );
  }
}

function refusals(withSubject: (check: Check) => () => Promise<void>): void {
  for (const { name, payload, code, message } of REFUSED_CASES) {
    it(
      name,
      withSubject(async (subject) => {
        const before = { foo: file('old') };
        const { directoryName } = await subject.write(before);
        await assert.rejects(subject.write({ ok: file('new'), ...payload }), (error: unknown) => {
          assert.ok(error instanceof Error);
          assert.equal((error as Error & { code?: unknown }).code, code);
          assert.match(error.message, message);
          return true;
        });
        await assertProjected(subject, before, directoryName);
      }),
    );
  }
}

function updates(withSubject: (check: Check) => () => Promise<void>): void {
  for (const { name, first, second, changed } of UPDATE_CASES) {
    it(
      name,
      withSubject(async (subject) => {
        const before = await subject.write(first);
        const after = await subject.write(second);
        assert.equal(after.changed, changed);
        assert.equal(after.directoryName !== before.directoryName, changed);
        await assertProjected(subject, second, after.directoryName);
      }),
    );
  }
  for (const { name, steps } of SEQUENCE_CASES) {
    it(
      name,
      withSubject(async (subject) => {
        for (const step of steps) {
          const { directoryName } = await subject.write(step.payload);
          await assertProjected(subject, step.visible ?? step.payload, directoryName);
        }
      }),
    );
  }
  it(
    'writes that are asked for at once happen one after another, the last one stays',
    withSubject(async (subject) => {
      const contents = Array.from({ length: 8 }, (_, index) => `content ${index}`);
      const results = await Promise.all(contents.map((content) => subject.write({ foo: file(content) })));
      assert.equal(new Set(results.map(({ directoryName }) => directoryName)).size, contents.length);
      await assertProjected(subject, { foo: file('content 7') }, results.at(-1)?.directoryName ?? '');
    }),
  );
}

function visibleLinks(withSubject: (check: Check) => () => Promise<void>): void {
  const cases: readonly { readonly keys: readonly string[]; readonly links: readonly string[] }[] = [
    { keys: ['foo', 'bar'], links: ['bar', 'foo'] },
    { keys: ['foo/bar', 'foo/baz/txt', 'bar/txt'], links: ['bar', 'foo'] },
    { keys: ['./bar', 'foo///bar'], links: ['bar', 'foo'] },
  ];
  for (const { keys, links } of cases) {
    it(
      `${keys.join(', ')} -> ${links.join(', ')}`,
      withSubject(async ({ root, write }) => {
        await write(Object.fromEntries(keys.map((key) => [key, file(key)])));
        const names = (await readdir(root)).filter((name) => !name.startsWith('..')).sort();
        assert.deepEqual(names, links);
        for (const name of names) assert.equal(await readlink(join(root, name)), `..data/${name}`);
      }),
    );
  }
  it(
    'a link follows ..data to new content without being touched',
    withSubject(async ({ root, write }) => {
      await write({ 'foo/bar': file('1') });
      await write({ 'foo/bar': file('2') });
      assert.equal(await readFile(join(root, 'foo/bar'), 'utf8'), '2');
    }),
  );
}

interface RepairCase {
  readonly name: string;
  damage(plant: Plant, directoryName: string): Promise<void>;
  /** Whether writing the same payload again must publish anew. */
  readonly changed: boolean;
}

const ORPHAN = '..2020_01_01_00_00_00.1234567';

const REPAIR_CASES: readonly RepairCase[] = [
  { name: 'a visible link that was lost', damage: (plant) => plant.remove('foo'), changed: false },
  {
    name: 'a visible name that became a file',
    damage: async (plant) => {
      await plant.remove('foo');
      await plant.file('foo', 'not mine');
    },
    changed: false,
  },
  {
    name: 'a visible name that became another link',
    damage: async (plant) => {
      await plant.remove('foo');
      await plant.symlink('foo', '/etc/passwd');
    },
    changed: false,
  },
  {
    name: 'a visible name that became an empty directory',
    damage: async (plant) => {
      await plant.remove('foo');
      await plant.directory('foo');
    },
    changed: false,
  },
  { name: 'a stale visible link', damage: (plant) => plant.symlink('gone', '..data/gone'), changed: false },
  { name: 'a leftover ..data_tmp', damage: (plant) => plant.symlink('..data_tmp', ORPHAN), changed: false },
  {
    name: 'a timestamped directory that nothing names',
    damage: async (plant) => {
      await plant.directory(ORPHAN);
      await plant.file(`${ORPHAN}/foo`, 'half');
      await plant.directory(`${ORPHAN}/zip`);
      await plant.symlink(`${ORPHAN}/zip/out`, '/etc');
    },
    changed: false,
  },
  { name: 'a dangling ..data', damage: (plant, directoryName) => plant.remove(directoryName), changed: true },
  { name: 'a missing ..data', damage: (plant) => plant.remove('..data'), changed: true },
  {
    name: '..data that became a file',
    damage: async (plant) => {
      await plant.remove('..data');
      await plant.file('..data', 'x');
    },
    changed: true,
  },
  {
    name: 'content that was changed in place',
    damage: (plant, directoryName) => plant.file(`${directoryName}/foo`, 'bad'),
    changed: true,
  },
  {
    name: 'a file that was added in place',
    damage: (plant, directoryName) => plant.file(`${directoryName}/extra`, 'x'),
    changed: true,
  },
  {
    name: 'an empty directory that was added in place',
    damage: (plant, directoryName) => plant.directory(`${directoryName}/extra`),
    changed: true,
  },
];

function repairs(withSubject: (check: Check) => () => Promise<void>): void {
  for (const { name, damage, changed } of REPAIR_CASES) {
    it(
      name,
      withSubject(async (subject) => {
        assert.ok(subject.plant, 'a subject that can be damaged has plant');
        const payload = { foo: file('foo'), 'zip/bar': file('bar') };
        const before = await subject.write(payload);
        await damage(subject.plant, before.directoryName);
        const after = await subject.write(payload);
        assert.equal(after.changed, changed);
        await assertProjected(subject, payload, after.directoryName);
      }),
    );
  }
}
