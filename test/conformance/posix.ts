/**
 * What a POSIX file system does, as ext4 does it: the same scripts with the same expectations run on a plain directory and on
 * directories of tasks. A subject brings a factory and says what it lacks, with the reason.
 */
import { chmod, chown, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { AREAS } from './posix/areas.ts';
import { Cast, ScriptRun } from './posix/script.ts';
import type { PosixPlace, PosixSubject } from './posix/subject.ts';

export function posixConformance(subject: PosixSubject): void {
  const options = subject.skip === undefined ? {} : { skip: subject.skip };
  describe(`POSIX on ${subject.name}`, { timeout: 240_000, ...options }, () => {
    let place: PosixPlace;
    let count = 0;
    const cast = new Cast(subject.launch);
    before(async () => {
      place = await subject.start();
    });
    after(async () => {
      await cast.end();
      await place.stop();
    });

    for (const { area, scripts } of AREAS) {
      if (subject.areas !== undefined && !subject.areas.includes(area)) continue;
      describe(area, () => {
        for (const { title, text, needs } of scripts) {
          const reason = needs?.map((ability) => subject.lacks[ability]).find((lack) => lack !== undefined);
          it(title, reason === undefined ? {} : { skip: reason }, async () => {
            const directory = join(place.directory, `s${count++}`);
            await mkdir(directory);
            await chmod(directory, 0o777);
            if (place.owner !== undefined) await chown(directory, place.owner, place.owner);
            const run = new ScriptRun(directory, cast);
            try {
              await run.run(text);
            } catch (error) {
              await run.abandon();
              throw error;
            }
            await run.end();
            await rm(directory, { recursive: true, force: true });
          });
        }
      });
    }
  });
}
