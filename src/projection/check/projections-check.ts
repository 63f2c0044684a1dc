/**
 * Every projection: its record can be read, its name leads to it, and the generations of its history are there. A
 * generation that is gone leaves the history; if it was the published one the projection has no content until its source
 * is applied again. An older generation is never published in its place.
 */

import type { GenerationId } from '../../base/ids.ts';
import { limits } from '../../base/limits.ts';
import type { Check, Issue } from '../../store/check/finding.ts';
import { parseProjectionDirectory } from '../manifests/names.ts';
import type { GenerationRecord, ProjectionRecord } from '../records.ts';
import type { CatalogScene } from './catalog-scene.ts';
import { catalogIssue } from './finding.ts';

export function projectionsCheck(scene: CatalogScene): Check {
  return {
    name: 'projections',
    *find(): IterableIterator<Issue> {
      for (const { rawKey, key, value } of scene.projections.rows()) {
        if (key === undefined) {
          yield catalogIssue('row-dangling', {
            object: `projections, key of ${rawKey.length} bytes`,
            what: 'the key is no id',
            action: 'remove the row',
            repair: () => scene.change(() => scene.projections.removeRaw(rawKey)),
          });
        } else if (value === undefined) yield unreadable(scene, key);
        else yield* checkProjection(scene, key, value);
      }
      yield* checkNames(scene);
    },
  };
}

function* checkProjection(scene: CatalogScene, id: number, record: ProjectionRecord): IterableIterator<Issue> {
  const named = scene.names.get(record.directory);
  if (named !== id) yield wrongName(scene, id, record, named);
  const wanted = mendedHistory(scene, id, record);
  if (wanted !== undefined) yield wrongHistory(scene, id, record, wanted);
  else if (record.state === 'live' && record.generation === 0) {
    yield catalogIssue('projection-content-lost', {
      object: record.directory,
      what: 'it has no published content',
      action: 'apply its source again',
      repair: undefined,
    });
  }
  if (record.state !== 'live' && !scene.unsettled.has(id)) {
    yield catalogIssue('projection-unlisted', {
      object: record.directory,
      what: `it is ${record.state}, and not on the list of what a start completes`,
      action: 'put it on the list',
      repair: () => scene.change(() => scene.unsettled.put(id, true)),
    });
  }
}

type History = Pick<ProjectionRecord, 'history' | 'generation' | 'number'>;

/** What the record should say about its generations; undefined if it says so. */
function mendedHistory(scene: CatalogScene, id: number, record: ProjectionRecord): History | undefined {
  const present = (generation: number): GenerationRecord | undefined => {
    const found = scene.generations.get(generation);
    return found?.projection === id ? found : undefined;
  };
  const published = record.generation !== 0 && present(record.generation) !== undefined ? record.generation : 0;
  const listed = [...new Set(record.history)].filter((one) => one !== published && present(one) !== undefined);
  // What a history has before the published generation was published earlier, whatever the order says.
  const history = published === 0 ? listed : [published as GenerationId, ...listed];
  const number = Math.max(record.number, ...history.map((one) => present(one)?.number ?? 0));
  const isSame =
    published === record.generation &&
    number === record.number &&
    history.length === record.history.length &&
    history.every((one, index) => one === record.history[index]);
  return isSame ? undefined : { history, generation: published, number };
}

function wrongHistory(scene: CatalogScene, id: number, record: ProjectionRecord, wanted: History): Issue {
  const lost = record.generation !== 0 && wanted.generation === 0;
  return catalogIssue('projection-history-wrong', {
    object: record.directory,
    what: lost
      ? `its published generation ${record.number} does not exist`
      : `it names ${record.history.length} generations, ${wanted.history.length} of them are there`,
    action: lost ? 'record that it has no content; its source must be applied again' : 'record those that are there',
    repair: () =>
      scene.change(() => {
        const present = scene.projections.get(id);
        const mended = present === undefined ? undefined : mendedHistory(scene, id, present);
        if (present === undefined || mended === undefined) return;
        scene.projections.put(id, { ...present, ...mended });
        // The links go with the content: the next start takes them away.
        if (mended.generation === 0) scene.unsettled.put(id, true);
      }),
  });
}

function wrongName(scene: CatalogScene, id: number, record: ProjectionRecord, named: number | undefined): Issue {
  const other = named === undefined ? undefined : scene.projections.get(named);
  const isTaken = other !== undefined && other.directory === record.directory;
  return catalogIssue('projection-name-wrong', {
    object: record.directory,
    what: isTaken ? `two projections have this name (ids ${named} and ${id})` : 'its name does not lead to it',
    action: isTaken ? `remove the one to which the name does not lead (id ${id})` : 'enter the name',
    repair: () =>
      scene.change(() => {
        if (isTaken) removeProjection(scene, id);
        else scene.names.put(record.directory, id);
      }),
  });
}

function* checkNames(scene: CatalogScene): IterableIterator<Issue> {
  for (const { rawKey, key, value } of scene.names.rows()) {
    if (key !== undefined && value !== undefined && isNameOf(scene, key, value)) continue;
    yield catalogIssue('projection-name-wrong', {
      object: key ?? `names, key of ${rawKey.length} bytes`,
      what: 'the name leads to no projection, or to one with another name',
      action: 'remove the name',
      repair: () =>
        scene.change(() => {
          const id = key === undefined ? undefined : scene.names.get(key);
          if (key === undefined || id === undefined || !isNameOf(scene, key, id)) scene.names.removeRaw(rawKey);
        }),
    });
  }
}

/** A projection whose record cannot be read may have that name: the record is mended first. */
function isNameOf(scene: CatalogScene, directory: string, id: number): boolean {
  const found = scene.projections.look(id);
  return found.state === 'unreadable' || (found.state === 'present' && found.value.directory === directory);
}

function unreadable(scene: CatalogScene, id: number): Issue {
  const known = rebuilt(scene, id);
  return catalogIssue('projection-unreadable', {
    object: known?.directory ?? `projection ${id}`,
    what: 'its record cannot be read',
    action:
      known === undefined
        ? 'remove the projection; its source must be applied again'
        : 'make it anew from its name and generations; what else it said (such as immutable) is lost until its source is applied again',
    repair: () =>
      scene.change(() => {
        const record = rebuilt(scene, id);
        if (record === undefined) removeProjection(scene, id);
        else scene.projections.put(id, record);
      }),
  });
}

/** The name says of which object it is, the generations say what was published last. */
function rebuilt(scene: CatalogScene, id: number): ProjectionRecord | undefined {
  const directory = directoryOf(scene, id);
  const object = directory === undefined ? undefined : parseProjectionDirectory(directory);
  const published = publishedGenerations(scene, id);
  const newest = published[0];
  if (directory === undefined || object === undefined || newest === undefined) return undefined;
  return {
    directory,
    ...object,
    immutable: false,
    state: 'live',
    generation: newest.id,
    number: newest.record.number,
    history: published.map((one) => one.id),
    keep: limits.historyGenerations,
    createdAtMs: Math.min(...published.map((one) => one.record.createdAtMs)),
    updatedAtMs: newest.record.createdAtMs,
    sourceSeenAtMs: newest.record.rollbackOf === undefined ? newest.record.createdAtMs : 0,
  };
}

function directoryOf(scene: CatalogScene, id: number): string | undefined {
  for (const { key, value } of scene.names.rows()) if (key !== undefined && value === id) return key;
  return undefined;
}

interface Published {
  readonly id: GenerationId;
  readonly record: GenerationRecord;
}

/** Newest first. */
function publishedGenerations(scene: CatalogScene, projection: number): readonly Published[] {
  const found: Published[] = [];
  for (const { key, value: record } of scene.generations.rows()) {
    if (key === undefined || record?.projection !== projection || record.number === 0) continue;
    if (scene.dropped.has(key) || scene.staged.has(key) || !scene.nodes.has(key)) continue;
    found.push({ id: key as GenerationId, record });
  }
  return found.sort((a, b) => b.record.number - a.record.number);
}

/** Its generations and links are then about nothing, which their own checks find. Preconditions: in a transaction. */
function removeProjection(scene: CatalogScene, id: number): void {
  for (const { key, rawKey, value } of [...scene.names.rows()]) {
    if (key !== undefined && value === id) scene.names.removeRaw(rawKey);
  }
  scene.projections.remove(id);
  scene.unsettled.remove(id);
}
