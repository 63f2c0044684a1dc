/**
 * Counts who refers to content: every run of files (content-runs.ts) in the generations that the store has, whatever a
 * generation is to its projection. A list that cannot be read is passed over: then the count is the least that there are.
 */
import { References } from '../../store/check/references.ts';
import { type Content, runsBegun } from '../content-runs.ts';
import type { ContentNode, FileNode } from '../generation-nodes.ts';
import { isSecret } from '../records.ts';
import type { CatalogScene } from './catalog-scene.ts';
import { pathsOf } from './node-list.ts';

/** Preconditions: reads all lists of files in one go. */
export function countReferences(scene: CatalogScene): References {
  const references = new References();
  const projections = projectionsOfGenerations(scene);
  /** Of each projection the content of the generation before. */
  const newest = new Map<number, Content>();
  for (const { key, value: content } of scene.nodes.rows()) {
    if (key === undefined) continue;
    const projection = projections.get(key);
    if (content === undefined) {
      references.isComplete = false;
      continue;
    }
    const before = projection === undefined ? undefined : newest.get(projection);
    countGeneration(scene, references, { id: key, projection, content, begun: runsBegun(content, before) });
    if (projection !== undefined) newest.set(projection, content);
  }
  return references;
}

/** By its directory, as the catalog finds the generations of a projection; a record that can be read will do as well. */
function projectionsOfGenerations(scene: CatalogScene): Map<number, number> {
  const projections = new Map<number, number>();
  for (const { key, value } of scene.generations.rows()) {
    if (key !== undefined && value !== undefined) projections.set(key, value.projection);
  }
  for (const { key, value } of scene.directories.rows()) {
    if (key !== undefined && value !== undefined && !projections.has(value)) projections.set(value, key[0]);
  }
  return projections;
}

interface Counted {
  readonly id: number;
  readonly projection: number | undefined;
  readonly content: Content;
  readonly begun: Iterable<FileNode>;
}

function countGeneration(scene: CatalogScene, references: References, { id, content, begun, ...of }: Counted): void {
  const generation = scene.generations.get(id);
  const projection = of.projection === undefined ? undefined : scene.projections.get(of.projection);
  const protection = projection !== undefined && isSecret(projection) ? 'secret' : 'plain';
  const label = projection?.directory ?? `generation ${id}`;
  const older = generation !== undefined && projection?.generation !== id ? ` (generation ${generation.number})` : '';
  let paths: Map<ContentNode, string> | undefined;
  const nameOf = (node: FileNode): string => {
    paths ??= new Map(pathsOf(content).map((path, position) => [content[position] as ContentNode, path]));
    return `${label}${older}: ${paths.get(node)}`;
  };
  for (const node of begun) references.add(node.digest, node.sizeBytes, protection, () => nameOf(node));
  if (projection?.generation !== id) return;
  // A run may have begun long ago; people look for the file that they see.
  for (const node of content) if (node.kind === 'file') references.nameFirst(node.digest, nameOf(node));
}
