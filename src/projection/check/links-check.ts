/**
 * The links of every projection: each belongs to a projection, its node id leads back to it, and the published content
 * has a link for each of its top-level names. Links that are to be made or taken away are left to the next start,
 * which tells watchers; here it is only made sure that it will look.
 */
import type { ProjectionId } from '../../base/ids.ts';
import type { Check, Issue } from '../../store/check/finding.ts';
import { DIRECTORY_INDEX } from '../generation-nodes.ts';
import type { LinkRecord, ProjectionRecord } from '../records.ts';
import type { CatalogScene } from './catalog-scene.ts';
import { catalogIssue } from './finding.ts';
import { reserveNode } from './node-counter-check.ts';

export function linksCheck(scene: CatalogScene): Check {
  return {
    name: 'links',
    *find(): IterableIterator<Issue> {
      const present = new Map<number, Set<string>>();
      for (const { rawKey, key, value } of scene.links.rows()) {
        if (key === undefined || !scene.projections.has(key[0])) {
          yield dangling(scene, key === undefined ? `links, key of ${rawKey.length} bytes` : key[1], () => {
            if (key !== undefined) scene.removeLink(...key);
            scene.links.removeRaw(rawKey);
          });
          continue;
        }
        const [projection, name] = key;
        present.set(projection, (present.get(projection) ?? new Set()).add(name));
        const issue = checkLink(scene, key, value);
        if (issue !== undefined) yield issue;
      }
      yield* checkLinkNodes(scene);
      for (const { key, value } of scene.projections.rows()) {
        if (key !== undefined && value !== undefined)
          yield* checkNames(scene, key, value, present.get(key) ?? new Set());
      }
    },
  };
}

function dangling(scene: CatalogScene, object: string, remove: () => void): Issue {
  return catalogIssue('row-dangling', {
    object,
    what: 'the link belongs to nothing that exists',
    action: 'remove it',
    repair: () => scene.change(remove),
  });
}

function checkLink(
  scene: CatalogScene,
  key: readonly [number, string],
  link: LinkRecord | undefined,
): Issue | undefined {
  const owner = link === undefined ? undefined : scene.linkNodes.get(link.node);
  if (owner?.[0] === key[0] && owner[1] === key[1]) return undefined;
  return catalogIssue('link-wrong', {
    object: `${scene.nameOf(key[0])}: ${key[1]}`,
    what: link === undefined ? 'the link cannot be read' : 'its node id does not lead back to it',
    action: 'write the link anew',
    repair: () => scene.change(() => writeLink(scene, key)),
  });
}

/** Preconditions: in a transaction. */
function writeLink(scene: CatalogScene, [projection, name]: readonly [number, string]): void {
  const link = scene.links.get([projection, name]);
  const node = link?.node;
  const owner = node === undefined ? undefined : scene.linkNodes.get(node);
  // Another link has that id, and keeps it.
  const isTaken = owner !== undefined && scene.links.get(owner)?.node === node;
  if (link !== undefined && node !== undefined && !isTaken) {
    scene.linkNodes.put(node, [projection, name]);
    return;
  }
  const fresh = reserveNode(scene);
  scene.links.put([projection, name], { node: fresh, visible: link?.visible ?? false });
  scene.linkNodes.put(fresh, [projection, name]);
  scene.unsettled.put(projection, true);
}

function* checkLinkNodes(scene: CatalogScene): IterableIterator<Issue> {
  for (const { rawKey, key, value } of scene.linkNodes.rows()) {
    const link = value === undefined ? undefined : scene.links.look(value);
    if (key !== undefined && link?.state === 'present' && link.value.node === key) continue;
    yield dangling(scene, `link node ${key ?? ''}`, () => {
      const owner = key === undefined ? undefined : scene.linkNodes.get(key);
      if (owner === undefined || scene.links.get(owner)?.node !== key) scene.linkNodes.removeRaw(rawKey);
    });
  }
}

/** Links against the content that is published. */
function* checkNames(
  scene: CatalogScene,
  id: number,
  record: ProjectionRecord,
  present: ReadonlySet<string>,
): IterableIterator<Issue> {
  const content = record.state === 'live' && record.generation !== 0 ? scene.nodes.get(record.generation) : undefined;
  if (content === undefined) return;
  const wanted = new Set(content.filter((node) => node.parent === DIRECTORY_INDEX).map((node) => node.name));
  for (const name of wanted) {
    if (present.has(name)) continue;
    yield catalogIssue('link-wrong', {
      object: `${record.directory}: ${name}`,
      what: 'it has no link, so that nobody sees it',
      action: 'make the link with the next start',
      repair: () => scene.change(() => writeLink(scene, [id, name])),
    });
  }
  const isSettled = !scene.unsettled.has(id);
  for (const name of present) {
    const link = scene.links.get([id, name]);
    if (link === undefined) continue;
    if (!link.visible && !wanted.has(name)) {
      if (!hasStaged(scene, id)) yield unused(scene, record.directory, id, name);
      continue;
    }
    if (!isSettled || link.visible === wanted.has(name)) continue;
    yield catalogIssue('link-wrong', {
      object: `${record.directory}: ${name}`,
      what: link.visible ? 'a link to a name that the content does not have' : 'its link was never announced',
      action: 'complete it with the next start',
      repair: () => scene.change(() => scene.unsettled.put(id as ProjectionId, true)),
    });
  }
}

function hasStaged(scene: CatalogScene, projection: number): boolean {
  for (const { value } of scene.staged.rows()) if (value === undefined || value.projection === projection) return true;
  return false;
}

function unused(scene: CatalogScene, directory: string, projection: number, name: string): Issue {
  return catalogIssue('link-wrong', {
    object: `${directory}: ${name}`,
    what: 'a link that was made for content which was never published',
    action: 'remove it',
    repair: () => scene.change(() => scene.removeLink(projection, name)),
  });
}
