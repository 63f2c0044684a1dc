/** A driver whose calls are noted, and fail when a test says so. */
import { DunnageError } from '../../../src/errors/dunnage-error.ts';
import type { ErrorCode } from '../../../src/errors/table.ts';
import type { PoolDriver } from '../../../src/thinpool/driver.ts';

export interface Script {
  /** Names of the calls with their first argument: `suspend a`. */
  readonly calls: string[];
  /** Codes with which the next calls of that name fail; undefined for one that does not. */
  readonly failures: Partial<Record<keyof PoolDriver, (ErrorCode | undefined)[]>>;
}

const QUESTIONS: readonly string[] = [
  'isActive',
  'list',
  'path',
  'transaction',
  'status',
  'usage',
  'kind',
  'open',
  'close',
];

export function scripted(driver: PoolDriver): { driver: PoolDriver; script: Script } {
  const script: Script = { calls: [], failures: {} };
  const proxy = new Proxy(driver, {
    get: (target, property: keyof PoolDriver) => {
      const value = target[property] as unknown;
      if (typeof value !== 'function') return value;
      return async (...given: unknown[]) => {
        if (!QUESTIONS.includes(property)) script.calls.push(`${property} ${String(given[0])}`);
        const code = script.failures[property]?.shift();
        if (code !== undefined) throw new DunnageError(code, `${property} fails with ${code}`);
        return (await Reflect.apply(value, target, given)) as unknown;
      };
    },
  });
  return { driver: proxy, script };
}
