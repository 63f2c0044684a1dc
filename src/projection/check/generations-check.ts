/** Every generation: its record, its list of files and its directory name agree, and every length is that of the content. */

import type { GenerationId } from '../../base/ids.ts';
import type { Check, Issue } from '../../store/check/finding.ts';
import { verifyAt } from '../../store/check/recover-record.ts';
import { parseGenerationName } from '../generation-name.ts';
import type { ContentNode, FileNode } from '../generation-nodes.ts';
import type { GenerationRecord } from '../records.ts';
import type { CatalogScene } from './catalog-scene.ts';
import { catalogIssue } from './finding.ts';
import { countsOf, faultOf, pathsOf } from './node-list.ts';

export function generationsCheck(scene: CatalogScene): Check {
  return {
    name: 'generations',
    *find(): IterableIterator<Issue> {
      for (const { rawKey, key, value } of scene.generations.rows()) {
        if (key === undefined) yield unnamedRow(scene, rawKey);
        else if (value === undefined) yield lostRecord(scene, key);
        else yield* checkGeneration(scene, key, value);
      }
      for (const { rawKey, key } of scene.nodes.rows()) {
        if (key === undefined) {
          yield dangling(scene, 'list of files', () => scene.nodes.removeRaw(rawKey));
        } else if (!scene.generations.has(key)) yield lostRecord(scene, key);
      }
      yield* checkDirectories(scene);
    },
  };
}

function unnamedRow(scene: CatalogScene, rawKey: Uint8Array): Issue {
  return dangling(scene, `generations, key of ${rawKey.length} bytes`, () => scene.generations.removeRaw(rawKey));
}

function dangling(scene: CatalogScene, object: string, remove: () => void): Issue {
  return catalogIssue('row-dangling', {
    object,
    what: 'the row is about nothing that exists',
    action: 'remove the row',
    repair: () => scene.change(remove),
  });
}

function* checkGeneration(scene: CatalogScene, id: number, record: GenerationRecord): IterableIterator<Issue> {
  const object = nameOf(scene, record);
  const list = scene.nodes.look(id);
  if (list.state !== 'present') {
    yield lostList(scene, id, object, list.state === 'absent' ? 'is missing' : 'cannot be read');
    return;
  }
  const fault = faultOf(list.value);
  if (fault !== undefined) {
    yield lostList(scene, id, object, `is not one: ${fault}`);
    return;
  }
  const counts = countsOf(list.value);
  if (textOf(counts) !== textOf(record)) {
    yield wrongCounts(scene, id, object, record, counts);
  }
  if (scene.directories.get([record.projection, record.directory]) !== id) {
    yield catalogIssue('generation-directory-wrong', {
      object,
      what: `the directory ${record.directory} does not lead to it`,
      action: 'enter it',
      repair: () => scene.change(() => scene.directories.put([record.projection, record.directory], id)),
    });
  }
  for (const [position, node] of list.value.entries()) {
    if (node.kind !== 'file') continue;
    const blob = scene.options.blobs.records.get(node.digest);
    if (blob === undefined || blob.sizeBytes === node.sizeBytes) continue;
    yield wrongSize(scene, id, `${object}: ${pathsOf(list.value)[position]}`, node, blob.sizeBytes);
  }
}

function nameOf(scene: CatalogScene, { projection, directory, number }: GenerationRecord): string {
  return `${scene.nameOf(projection)}, generation ${number === 0 ? directory : number}`;
}

function lostList(scene: CatalogScene, id: number, object: string, how: string): Issue {
  return catalogIssue('generation-list-lost', {
    object,
    what: `its list of files ${how}`,
    action: 'remove the generation; if it is the published one, its source must be applied again',
    repair: () => scene.change(() => scene.removeGeneration(id)),
  });
}

type Counts = ReturnType<typeof countsOf>;

function textOf({ nodes, directories, files, sizeBytes }: Counts): string {
  return `${nodes} nodes, ${files} files, ${directories} directories at its top, ${sizeBytes} bytes`;
}

function wrongCounts(scene: CatalogScene, id: number, object: string, record: GenerationRecord, counts: Counts): Issue {
  return catalogIssue('generation-list-wrong', {
    object,
    what: `its record says ${textOf(record)}, its list has ${textOf(counts)}`,
    action: 'record what the list has',
    repair: () =>
      scene.change(() => {
        const present = scene.generations.get(id);
        const list = scene.nodes.get(id);
        if (present !== undefined && list !== undefined) scene.generations.put(id, { ...present, ...countsOf(list) });
      }),
  });
}

function wrongSize(scene: CatalogScene, id: number, object: string, node: FileNode, sizeBytes: number): Issue {
  return catalogIssue('file-size-wrong', {
    object,
    what: `${node.sizeBytes} bytes in the list of files, ${sizeBytes} in the content index`,
    action: 'use the length with which the content matches its digest',
    repair: async () => {
      const { blobs } = scene.options;
      const record = blobs.records.get(node.digest);
      if (record === undefined) return;
      const { state } = await verifyAt(blobs, node.digest, record, record.place);
      // Otherwise it is the index that is wrong, which the checks of the content mend.
      if (state !== 'intact') return;
      scene.change(() => setSizes(scene, id, node.digest, record.sizeBytes));
    },
  });
}

/** Preconditions: in a transaction. */
function setSizes(scene: CatalogScene, id: number, digest: FileNode['digest'], sizeBytes: number): void {
  const list = scene.nodes.get(id);
  const record = scene.generations.get(id);
  if (list === undefined || record === undefined) return;
  const mended = list.map((node): ContentNode => {
    return node.kind === 'file' && node.digest.equals(digest) ? { ...node, sizeBytes } : node;
  });
  scene.nodes.put(id, mended);
  scene.generations.put(id, { ...record, ...countsOf(mended) });
}

/** A record that is missing or cannot be read, with or without a list of files. */
function lostRecord(scene: CatalogScene, id: number): Issue {
  const known = rebuilt(scene, id);
  return catalogIssue('generation-unreadable', {
    object: known === undefined ? `generation ${id}` : nameOf(scene, known),
    what: 'its record is missing or cannot be read',
    action: known === undefined ? 'remove the generation' : 'make it anew from what refers to it',
    repair: () =>
      scene.change(() => {
        const record = rebuilt(scene, id);
        if (record === undefined) scene.removeGeneration(id);
        else scene.generations.put(id, record);
      }),
  });
}

/** Everything a record says follows from the directory name, the list of files and the place in the history. */
function rebuilt(scene: CatalogScene, id: number): GenerationRecord | undefined {
  const content = scene.nodes.get(id);
  if (content === undefined || faultOf(content) !== undefined) return undefined;
  for (const { key, value } of scene.directories.rows()) {
    if (key === undefined || value !== id) continue;
    const [projection, directory] = key;
    const owner = scene.projections.get(projection);
    const createdAtMs = parseGenerationName(directory)?.createdAtMs;
    const age = owner?.history.indexOf(id as GenerationId) ?? -1;
    // One that is not in the history is not worth keeping: it was given up, or was on its way out.
    if (owner === undefined || createdAtMs === undefined || age < 0) return undefined;
    const number = Math.max(1, owner.number - age);
    return {
      projection: projection as GenerationRecord['projection'],
      directory,
      number,
      createdAtMs,
      ...countsOf(content),
    };
  }
  return undefined;
}

function* checkDirectories(scene: CatalogScene): IterableIterator<Issue> {
  for (const { rawKey, key, value } of scene.directories.rows()) {
    if (key !== undefined && value !== undefined && leadsSomewhere(scene, key, value)) continue;
    yield catalogIssue('generation-directory-wrong', {
      object: key === undefined ? 'generation directories' : `${scene.nameOf(key[0])}, ${key[1]}`,
      what: 'the directory name leads to no generation, or to one with another name',
      action: 'remove the entry',
      repair: () =>
        scene.change(() => {
          const id = key === undefined ? undefined : scene.directories.get(key);
          if (key === undefined || id === undefined || !leadsSomewhere(scene, key, id)) {
            scene.directories.removeRaw(rawKey);
          }
        }),
    });
  }
}

/** A generation whose record is broken may be what the row says: that is mended first. */
function leadsSomewhere(scene: CatalogScene, [projection, directory]: readonly [number, string], id: number): boolean {
  const record = scene.generations.look(id);
  if (record.state === 'present') return record.value.projection === projection && record.value.directory === directory;
  return record.state === 'unreadable' || scene.nodes.has(id);
}
