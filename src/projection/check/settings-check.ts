/**
 * What is kept beside the content of projections, by directory or id: specs with sources, reactions, when sources were seen,
 * events that wait to be announced. A row that cannot be read is removed: what it said comes back with the next apply.
 */
import type { Check, Issue } from '../../store/check/finding.ts';
import { TolerantTable } from '../../store/check/tolerant-table.ts';
import { type Codec, jsonValue, numberKey, stringKey } from '../../store/codecs.ts';
import type { CatalogScene } from './catalog-scene.ts';
import { catalogIssue } from './finding.ts';

interface Settings {
  readonly table: string;
  readonly what: string;
  /** What the loss means for people. */
  readonly consequence: string;
}

const BY_DIRECTORY: readonly Settings[] = [
  {
    table: 'projection-specs',
    what: 'its sources',
    consequence: 'its content stays as it is, and is not refreshed until its manifest is applied again',
  },
  {
    table: 'projection-spec-literals',
    what: 'the literal content of its manifest',
    consequence: 'its content stays as it is, and is not refreshed until its manifest is applied again',
  },
  {
    table: 'reactions',
    what: 'its reactions',
    consequence: 'nothing is run after a swap until its manifest is applied again',
  },
  { table: 'source-seen', what: 'when its sources were seen', consequence: 'they are read again by the next start' },
];
const BY_PROJECTION: readonly Settings[] = [
  {
    table: 'live-announcements',
    what: 'an event of its live view',
    consequence: 'nobody waits for it once the tree was unmounted',
  },
];

/** Literal content may be sealed: then nothing can be said without the key. */
const anyBytes: Codec<unknown> = { encode: () => Buffer.alloc(0), decode: (bytes) => bytes.length > 0 && bytes };

export function settingsCheck(scene: CatalogScene): Check {
  const { store } = scene.options;
  const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null;
  const open = <K>(settings: Settings, key: Codec<K>) => {
    const isPlain = settings.table !== 'projection-spec-literals';
    const value = isPlain ? jsonValue<unknown>() : anyBytes;
    return { settings, table: new TolerantTable(store, { name: settings.table, key, value, accept: isObject }) };
  };
  const named = BY_DIRECTORY.map((settings) => open(settings, stringKey));
  const numbered = BY_PROJECTION.map((settings) => open(settings, numberKey));
  return {
    name: 'settings',
    *find(): IterableIterator<Issue> {
      for (const { settings, table } of named) yield* unreadable(scene, settings, table, (key) => key);
      for (const { settings, table } of numbered) yield* unreadable(scene, settings, table, (key) => scene.nameOf(key));
    },
  };
}

function* unreadable<K>(
  scene: CatalogScene,
  { what, consequence, table: name }: Settings,
  table: TolerantTable<K, unknown>,
  nameOf: (key: K) => string,
): IterableIterator<Issue> {
  for (const { rawKey, key, value } of table.rows()) {
    if (key !== undefined && value !== undefined) continue;
    yield catalogIssue('setting-unreadable', {
      object: key === undefined ? `${name}, key of ${rawKey.length} bytes` : nameOf(key),
      what: `${what} cannot be read`,
      action: `remove the row: ${consequence}`,
      repair: () => scene.change(() => table.removeRaw(rawKey)),
    });
  }
}
