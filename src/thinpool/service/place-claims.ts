/** Which pool lies where. Two pools in one place would destroy each other, by whatever names the place is called. */
import { realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { KeyedMutex } from '../../base/mutex.ts';
import { DunnageError } from '../../errors/dunnage-error.ts';
import { type PoolPaths, type PoolSpec, poolPaths } from '../pool-spec.ts';

export class PlaceClaims {
  readonly #stateDir: string;
  readonly #others: () => readonly PoolSpec[];
  readonly #turns = new KeyedMutex<'looking'>();

  /** `others`: every pool that is recorded. */
  constructor(stateDir: string, others: () => readonly PoolSpec[]) {
    this.#stateDir = stateDir;
    this.#others = others;
  }

  /**
   * Runs what records a new pool, if no other pool lies in its place. One at a time: whoever comes next sees the record.
   * @throws DunnageError ALREADY_EXISTS
   */
  async claim<T>(spec: PoolSpec, record: () => Promise<T>): Promise<T> {
    return await this.#turns.run('looking', async () => {
      const wanted = await identitiesOf(poolPaths(spec, this.#stateDir));
      for (const other of this.#others()) {
        if (other.name === spec.name) continue;
        const taken = await identitiesOf(poolPaths(other, this.#stateDir));
        const path = [...wanted].find(([identity]) => taken.has(identity))?.[1];
        if (path === undefined) continue;
        throw new DunnageError('ALREADY_EXISTS', `${path} belongs to the pool ${other.name} already`, {
          remedy: 'choose another place, or delete that pool first',
        });
      }
      return await record();
    });
  }
}

/** Identity -> path. */
async function identitiesOf({ data, metadata }: PoolPaths): Promise<ReadonlyMap<string, string>> {
  const paths = metadata === undefined ? [data] : [data, metadata];
  const found = await Promise.all(paths.map(async (path) => [await identityOf(path), path] as const));
  return new Map(found);
}

/** Of what is there; of what is not there yet its name in the directory that it will be in. */
async function identityOf(path: string): Promise<string> {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  if (found?.isBlockDevice() === true) return `device ${found.rdev}`;
  if (found !== undefined) return `${found.dev} ${found.ino}`;
  const directory = await realpath(dirname(path)).catch(() => dirname(path));
  return join(directory, basename(path));
}
