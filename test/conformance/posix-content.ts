/** Random changes of one file by every way there is (calls, mappings, past the cache, holes), each read compared with a model. */
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { run } from '../kernel/helpers/run.ts';
import { compileProgram } from '../tools/compile-program.ts';
import type { PosixPlace, PosixSubject } from './posix/subject.ts';

const SEEDS = [1, 2, 3, 4, 5, 6] as const;
/** For a longer search by hand: DUNNAGE_EXERCISE_STEPS=100000. */
const STEPS = process.env['DUNNAGE_EXERCISE_STEPS'] ?? '800';

export function contentConformance(subject: PosixSubject): void {
  const options = subject.skip === undefined ? {} : { skip: subject.skip };
  describe(`content of a file on ${subject.name}`, { timeout: 180_000, ...options }, () => {
    let place: PosixPlace;
    let program = '';
    before(async () => {
      program = compileProgram('test/conformance/posix/exerciser', 'posix-exerciser');
      place = await subject.start();
    });
    after(() => place.stop());

    for (const seed of SEEDS) {
      const shifts = seed % 2 === 0 && subject.lacks['range-shifts'] === undefined ? ['shifts'] : [];
      it(`is what was made of it, by whichever way [S181]: seed ${seed}`, async () => {
        await run(program, [join(place.directory, `file-${seed}`), String(seed), STEPS, ...shifts]);
      });
    }
  });
}
