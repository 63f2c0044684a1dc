/** The counter of node ids stands above every id in use: the kernel would take two things for one otherwise. */
import { type NodeId, ROOT_NODE_ID } from '../../base/ids.ts';
import type { Check, Issue } from '../../store/check/finding.ts';
import { RESERVED_NODES } from '../catalog.ts';
import type { CatalogScene } from './catalog-scene.ts';
import { catalogIssue } from './finding.ts';

export const NEXT_NODE_ID = 'next-node-id';
/** A daemon that runs may have reserved that many ids and used none of them yet. */
const UNSEEN_NODES: number = RESERVED_NODES + 1;

export function nodeCounterCheck(scene: CatalogScene): Check {
  return {
    name: 'node ids',
    *find(): IterableIterator<Issue> {
      const highest = highestNode(scene);
      const found = scene.counters.look(NEXT_NODE_ID);
      if (found.state === 'absent' && highest === ROOT_NODE_ID) return;
      if (found.state === 'present' && found.value > highest) return;
      yield catalogIssue('node-counter-wrong', {
        object: 'node ids',
        what: `the counter ${found.state === 'present' ? `is ${found.value}` : 'cannot be read'}, id ${highest} is in use`,
        action: `go on with ${highest + UNSEEN_NODES}`,
        repair: () => scene.change(() => scene.counters.put(NEXT_NODE_ID, highestNode(scene) + UNSEEN_NODES)),
      });
    },
  };
}

/** A node id that nothing has. Preconditions: in a transaction. */
export function reserveNode(scene: CatalogScene): NodeId {
  const next = Math.max(scene.counters.get(NEXT_NODE_ID) ?? 0, highestNode(scene) + 1);
  scene.counters.put(NEXT_NODE_ID, next + 1);
  return next as NodeId;
}

function highestNode(scene: CatalogScene): number {
  let highest: number = ROOT_NODE_ID;
  const use = (id: number): void => {
    if (Number.isSafeInteger(id) && id > highest) highest = id;
  };
  for (const { key } of scene.projections.rows()) if (key !== undefined) use(key);
  for (const { key, value } of scene.generations.rows()) {
    if (key !== undefined) use(key + Math.max(value?.nodes ?? 1, 1) - 1);
  }
  for (const { key } of scene.linkNodes.rows()) if (key !== undefined) use(key);
  for (const { value } of scene.links.rows()) if (value !== undefined) use(value.node);
  for (const { key } of scene.live.rows()) if (key !== undefined) use(key);
  return highest;
}
