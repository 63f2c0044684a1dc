/** Counts who refers to content: every file of every generation that the store has, whatever the generation is to its projection. */
import { References } from '../../store/check/references.ts';
import type { CatalogScene } from './catalog-scene.ts';
import { pathsOf } from './node-list.ts';

/** Preconditions: reads all lists of files in one go. */
export function countReferences(scene: CatalogScene): References {
  const references = new References();
  for (const { key, value: content } of scene.nodes.rows()) {
    if (key === undefined) continue;
    if (content === undefined) {
      references.isComplete = false;
      continue;
    }
    const generation = scene.generations.get(key);
    const projection = generation === undefined ? undefined : scene.projections.get(generation.projection);
    const protection = projection?.kind === 'Secret' ? 'secret' : 'plain';
    const label = projection?.directory ?? `generation ${key}`;
    const older =
      generation !== undefined && projection?.generation !== key ? ` (generation ${generation.number})` : '';
    let paths: readonly string[] | undefined;
    for (const [position, node] of content.entries()) {
      if (node.kind !== 'file') continue;
      references.add(node.digest, node.sizeBytes, protection, () => {
        paths ??= pathsOf(content);
        return `${label}${older}: ${paths[position]}`;
      });
    }
  }
  return references;
}
