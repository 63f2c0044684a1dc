/**
 * What every generation is to its projection: waiting to be published, kept in the history, or dropped; exactly one of
 * the three. And the lists of unfinished work name only what exists.
 */
import type { GenerationId, ProjectionId } from '../../base/ids.ts';
import type { Check, Issue } from '../../store/check/finding.ts';
import type { GenerationRecord } from '../records.ts';
import type { CatalogScene, Roles } from './catalog-scene.ts';
import { catalogIssue } from './finding.ts';

export function rolesCheck(scene: CatalogScene): Check {
  return {
    name: 'generations in use',
    *find(): IterableIterator<Issue> {
      for (const { key, value } of scene.generations.rows()) {
        if (key !== undefined && value !== undefined) yield* checkRoles(scene, key, value);
      }
      yield* checkStaged(scene);
      for (const table of [scene.dropped, scene.unsettled]) {
        for (const { rawKey, key, value } of table.rows()) {
          const target = table === scene.dropped ? scene.generations : scene.projections;
          if (key !== undefined && target.has(key) && value !== undefined) continue;
          const isAbsent = key === undefined || !target.has(key);
          yield catalogIssue('row-dangling', {
            object: `${table.name}, ${key === undefined ? `key of ${rawKey.length} bytes` : key}`,
            what: isAbsent ? 'the row is about nothing that exists' : 'the row cannot be read',
            action: isAbsent ? 'remove the row' : 'write it anew',
            repair: () => scene.change(() => (isAbsent ? void table.removeRaw(rawKey) : table.put(key, true))),
          });
        }
      }
    },
  };
}

function* checkRoles(scene: CatalogScene, id: number, record: GenerationRecord): IterableIterator<Issue> {
  const roles = scene.rolesOf(id, record.projection);
  const projection = scene.projections.look(record.projection);
  // Its record is mended first, and may name this generation then.
  if (projection.state === 'unreadable') return;
  const object = `${scene.nameOf(record.projection)}, ${record.directory}`;
  const count = Number(roles.staged) + Number(roles.dropped) + Number(roles.kept);
  if (count !== 1) {
    yield catalogIssue('generation-role-wrong', {
      object,
      what: count === 0 ? 'it is neither waiting, nor kept, nor dropped' : `it is ${describe(roles)} at once`,
      action: roles.kept ? 'keep it' : 'drop it; its content goes with the next start',
      repair: () => scene.change(() => giveOneRole(scene, id, record)),
    });
  } else if (roles.staged && !scene.options.online) {
    yield catalogIssue('generation-half-written', {
      object,
      what: 'a write was cut short before it was published',
      action: 'drop it; its content goes with the next start',
      repair: () => scene.change(() => giveUp(scene, id, record.projection)),
    });
  }
}

function describe({ staged, dropped, kept }: Roles): string {
  const words = [staged ? 'waiting' : '', kept ? 'kept' : '', dropped ? 'dropped' : ''];
  return words.filter((word) => word !== '').join(' and ');
}

/** What is kept is served; otherwise nobody misses it. Preconditions: in a transaction. */
function giveOneRole(scene: CatalogScene, id: number, record: GenerationRecord): void {
  const { kept } = scene.rolesOf(id, record.projection);
  scene.staged.remove(id);
  if (kept) scene.dropped.remove(id);
  else scene.dropped.put(id, true);
}

/** As a start does it; the links that were made for it go with their own check. Preconditions: in a transaction. */
function giveUp(scene: CatalogScene, id: number, projection: ProjectionId): void {
  scene.staged.remove(id);
  scene.dropped.put(id, true);
  if (scene.projections.has(projection)) scene.unsettled.put(projection, true);
}

function* checkStaged(scene: CatalogScene): IterableIterator<Issue> {
  for (const { rawKey, key, value } of scene.staged.rows()) {
    const generation = key === undefined ? undefined : scene.generations.get(key);
    if (generation !== undefined && value?.projection === generation.projection) continue;
    const isAbsent = key === undefined || !scene.generations.has(key);
    yield catalogIssue('row-dangling', {
      object: `staged, ${key === undefined ? `key of ${rawKey.length} bytes` : key}`,
      what: isAbsent ? 'the row is about nothing that exists' : 'the row cannot be read, or names another projection',
      action: isAbsent ? 'remove the row' : 'give the generation up',
      repair: () => scene.change(() => mendStaged(scene, rawKey, key as GenerationId | undefined)),
    });
  }
}

/** Preconditions: in a transaction. */
function mendStaged(scene: CatalogScene, rawKey: Uint8Array, id: GenerationId | undefined): void {
  scene.staged.removeRaw(rawKey);
  const generation = id === undefined ? undefined : scene.generations.get(id);
  if (id === undefined || generation === undefined) return;
  if (!scene.rolesOf(id, generation.projection).kept) giveUp(scene, id, generation.projection);
}
