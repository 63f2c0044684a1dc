/** The version of what the tables hold. A state directory of a newer version is refused, never guessed at. */
import { DunnageError } from '../errors/dunnage-error.ts';
import { type Codec, jsonValue, stringKey } from './codecs.ts';
import { corrupt } from './data-file.ts';
import type { Table } from './table.ts';

/** What this needs of a store. */
export interface FormatStore {
  table<K, V>(name: string, key: Codec<K>, value: Codec<V>): Table<K, V>;
  transactDurableSync<T>(action: () => T): T;
}

export const FORMAT_VERSION = 1;
const KEY = 'version';

/** Records the version in a new environment, compares it in an old one. Throws NOT_SUPPORTED or CORRUPT. */
export function checkFormat(store: FormatStore, stateDir: string, readOnly: boolean): void {
  const table = store.table('format', stringKey, jsonValue<unknown>());
  let version = table.get(KEY);
  if (version === undefined && !readOnly) {
    version = store.transactDurableSync(() => {
      // Another thread may have been first.
      const present = table.get(KEY);
      if (present === undefined) table.put(KEY, FORMAT_VERSION);
      return present ?? FORMAT_VERSION;
    });
  }
  if (version === FORMAT_VERSION) return;
  if (typeof version === 'number' && version > FORMAT_VERSION) {
    throw new DunnageError(
      'NOT_SUPPORTED',
      `the state in ${stateDir} has format ${version}, this version of dunnage reads up to ${FORMAT_VERSION}`,
      {
        remedy: 'Start the newer version of dunnage, or name another directory with --state-dir.',
      },
    );
  }
  throw corrupt(stateDir, 'its format version cannot be read');
}
