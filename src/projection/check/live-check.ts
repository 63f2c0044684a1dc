/** The numbers of the live view: every number has a name that leads to it, unless it is dead, and every name leads to a number. */
import type { Check, Issue } from '../../store/check/finding.ts';
import { TolerantTable } from '../../store/check/tolerant-table.ts';
import { jsonValue, numberAndStringKey } from '../../store/codecs.ts';
import type { CatalogScene } from './catalog-scene.ts';
import { catalogIssue } from './finding.ts';
import type { LiveRow } from './live-rows.ts';
import { isId } from './record-shapes.ts';

export function liveCheck(scene: CatalogScene): Check {
  const { live } = scene;
  const names = new TolerantTable(scene.options.store, {
    name: 'live-names',
    key: numberAndStringKey,
    value: jsonValue<number>(),
    accept: isId,
  });
  const nameOf = ([, parent, kind, path]: LiveRow): readonly [number, string] => {
    return [parent, kind + path.slice(path.lastIndexOf('/') + 1)];
  };
  return {
    name: 'live view',
    *find(): IterableIterator<Issue> {
      for (const { rawKey, key, value } of live.rows()) {
        if (key !== undefined && value !== undefined && (value[4] === true || names.get(nameOf(value)) === key))
          continue;
        const remove = (): boolean => live.removeRaw(rawKey);
        yield dangling(scene, `live view, number ${key ?? ''}`, 'no name leads to the number', remove);
      }
      for (const { rawKey, key, value } of names.rows()) {
        const row = value === undefined ? undefined : live.get(value);
        const own = row === undefined ? undefined : nameOf(row);
        if (key !== undefined && own?.[0] === key[0] && own[1] === key[1]) continue;
        const remove = (): boolean => names.removeRaw(rawKey);
        yield dangling(scene, `live view, name ${key?.[1].slice(1) ?? ''}`, 'the name leads to no number', remove);
      }
    },
  };
}

/** A path that has no number gets another one when it is looked at next. */
function dangling(scene: CatalogScene, object: string, what: string, remove: () => boolean): Issue {
  return catalogIssue('row-dangling', {
    object,
    what,
    action: 'remove the row',
    repair: () => scene.change(() => void remove()),
  });
}
