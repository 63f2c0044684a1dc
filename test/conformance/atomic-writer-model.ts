/** Random sequences of writes against a model of what a projection is: a map of clean paths. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  type AtomicWriterSubject,
  assertProjected,
  type Files,
  file,
  type SubjectFactory,
} from './atomic-writer-subject.ts';

/** Few names on purpose: collisions, files that become directories and reserved names must come often. */
const component = fc.constantFrom('a', 'b', 'a-', '.a', '.', '', '..a', '...');
const path = fc.array(component, { minLength: 1, maxLength: 3 }).map((components) => components.join('/'));
const content = fc.constantFrom('', 'x', 'y', 'longer\0content');
const mode = fc.constantFrom(0o644, 0o600, 0o444, 0o777);
const payload = fc.dictionary(path, fc.tuple(content, mode), { maxKeys: 4, noNullPrototype: true });
const sequence = fc.array(payload, { minLength: 2, maxLength: 6 });

/** Clean paths to what is there, or undefined if the payload must be refused. */
function modelOf(files: Files): Files | undefined {
  const model = new Map<string, Files[string]>();
  for (const [key, wanted] of Object.entries(files)) {
    if (key === '' || key.startsWith('/')) return undefined;
    const kept = key.split('/').filter((part) => part !== '' && part !== '.');
    const [first] = kept;
    if (first === undefined || first.startsWith('..') || model.has(kept.join('/'))) return undefined;
    model.set(kept.join('/'), wanted);
  }
  const paths = [...model.keys()];
  const nested = paths.some((one) => paths.some((other) => other.startsWith(`${one}/`)));
  return nested ? undefined : Object.fromEntries(model);
}

function describeFiles(files: Files): string {
  const rows = Object.entries(files).map(([key, { data, mode }]) => [key, mode, Buffer.from(data).toString('latin1')]);
  return JSON.stringify(rows.sort());
}

async function runSequence(subject: AtomicWriterSubject, payloads: readonly Files[]): Promise<void> {
  let current: { files: Files; directoryName: string } | undefined;
  for (const files of payloads) {
    const model = modelOf(files);
    if (model === undefined) {
      await assert.rejects(subject.write(files), { name: 'DunnageError', code: 'INVALID_PATH' });
    } else {
      const { changed, directoryName } = await subject.write(files);
      const same = current !== undefined && describeFiles(current.files) === describeFiles(model);
      assert.equal(changed, !same);
      if (same) assert.equal(directoryName, current?.directoryName);
      current = { files: model, directoryName };
    }
    if (current !== undefined) await assertProjected(subject, current.files, current.directoryName);
  }
}

export async function runRandomSequences(factory: SubjectFactory, runs: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(sequence, async (payloads) => {
      const subject = await factory();
      try {
        await runSequence(
          subject,
          payloads.map((entries) =>
            Object.fromEntries(Object.entries(entries).map(([key, [text, bits]]) => [key, file(text, bits)])),
          ),
        );
      } finally {
        await subject.cleanup();
      }
    }),
    { numRuns: runs },
  );
}
