/**
 * `dunnage/v1 Alloc`:
 *
 *   apiVersion: dunnage/v1
 *   kind: Alloc
 *   metadata: {name: 5f8c}          # the alloc id
 *   spec:
 *     tasks:
 *       - name: web
 *         user: "1000:1000"         # uid[:gid], or names of the host
 *         isolation: none           # none, image, chroot or unveil
 *         secretsSize: 1MiB         # of the tmpfs at secrets/
 *         secretsOnDisk: false      # true: an ordinary directory where a tmpfs cannot be had
 *         chroot: {/etc/ssl: /etc/ssl}   # host path: path in the task directory; with isolation chroot
 *         projections: [{name: secret.db, path: local/db}]
 */
import { checkChrootMap } from '../../alloc/chroot-map.ts';
import { DEFAULT_SECRETS_BYTES } from '../../alloc/layout.ts';
import {
  cleanHostPath,
  cleanTaskPath,
  overlapping,
  quoted,
  validateAllocId,
  validateTaskName,
} from '../../alloc/service/alloc-names.ts';
import { type AllocSpec, ISOLATIONS, type PresentedProjection, type TaskSpec } from '../../alloc/service/alloc-spec.ts';
import type { Isolation } from '../../alloc/task-dir.ts';
import { parseBytes } from '../../base/units.ts';
import { DunnageError } from '../../errors/dunnage-error.ts';
import { Field } from '../../projection/manifests/fields.ts';
import { parseProjectionDirectory } from '../../projection/manifests/names.ts';
import type { YamlDocument } from '../../projection/manifests/yaml-documents.ts';

const TASKS_MAX = 256;
const PROJECTIONS_MAX = 256;
const CHROOT_MAX = 1024;
const SECRETS_SIZE_BYTES_MIN = 4096;
const SECRETS_SIZE_BYTES_MAX = 64 * 1024 ** 3;
/** A number, or a name as useradd(8) takes it; the same for the group. */
const USER = /^(?:[0-9]{1,10}|[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?)(?::(?:[0-9]{1,10}|[A-Za-z_][A-Za-z0-9_.-]{0,31}))?$/;
const ID_MAX = 0xffff_fffe;
const TASK_FIELDS = ['name', 'user', 'isolation', 'secretsSize', 'secretsOnDisk', 'chroot', 'projections'];

export interface AllocManifest extends AllocSpec {
  /** Which document of the stream, from 1. */
  readonly document: number;
}

export function isAllocDocument({ value }: YamlDocument): boolean {
  const object = value as { apiVersion?: unknown; kind?: unknown } | null;
  return typeof object === 'object' && object?.kind === 'Alloc' && object.apiVersion === 'dunnage/v1';
}

/** @throws DunnageError INVALID_MANIFEST for the first thing that is wrong */
export function readAlloc(document: YamlDocument): AllocManifest {
  const bare = new Field({ document, title: 'Alloc', root: [] }, [], document.value);
  const id = bare.get('metadata').get('name').value;
  const title = typeof id === 'string' ? `Alloc ${quoted(id)}` : 'Alloc';
  const object = new Field({ document, title, root: [] }, [], document.value);
  object.only(['apiVersion', 'kind', 'metadata', 'spec']);
  const metadata = object.get('metadata');
  if (metadata.isAbsent) throw metadata.error('is missing', 'give metadata.name, the alloc id');
  const name = metadata.only(['name', 'labels', 'annotations']).get('name');
  name.checked(() => validateAllocId(name.string()));
  const spec = object.get('spec');
  if (spec.isAbsent) throw spec.error('is missing', 'give spec.tasks, a list of tasks');
  const tasks = spec.only(['tasks']).get('tasks').items();
  if (tasks.length === 0 || tasks.length > TASKS_MAX) {
    throw spec.get('tasks').error(`must list 1 to ${TASKS_MAX} tasks`);
  }
  return { id: name.string(), tasks: readTasks(tasks), document: document.index };
}

/** @throws DunnageError INVALID_MANIFEST if two documents are the same alloc */
export function refuseRepeatedAllocs(manifests: readonly AllocManifest[]): void {
  const documentOf = new Map<string, number>();
  for (const { id, document } of manifests) {
    const other = documentOf.get(id);
    if (other !== undefined) {
      const message = `documents ${other} and ${document} are both Alloc ${quoted(id)}`;
      throw new DunnageError('INVALID_MANIFEST', message, { remedy: 'keep one of them' });
    }
    documentOf.set(id, document);
  }
}

function readTasks(entries: readonly Field[]): TaskSpec[] {
  const names = new Set<string>();
  return entries.map((entry) => {
    const task = readTask(entry);
    if (names.has(task.name)) throw entry.get('name').error(`there are two tasks ${quoted(task.name)}`);
    names.add(task.name);
    return task;
  });
}

function readTask(entry: Field): TaskSpec {
  entry.only(TASK_FIELDS);
  const name = entry.get('name');
  name.checked(() => validateTaskName(name.string()));
  const isolation = readIsolation(entry.get('isolation'));
  const chroot = readChroot(entry.get('chroot'), isolation);
  const projections = readProjections(entry.get('projections'));
  const clash = overlapping([...Object.values(chroot), ...projections.map(({ path }) => path)]);
  if (clash !== undefined) throw entry.error(`${quoted(clash[0])} and ${quoted(clash[1])} would hide each other`);
  const [user, onDisk] = [entry.get('user'), entry.get('secretsOnDisk')];
  return {
    name: name.string(),
    ...(user.isAbsent ? {} : { user: readUser(user) }),
    isolation,
    secretsSizeBytes: readSize(entry.get('secretsSize')),
    secretsOnDisk: onDisk.isAbsent ? false : onDisk.boolean(),
    chroot,
    projections,
  };
}

function readUser(field: Field): string {
  const text = field.string();
  const isId = text.split(':').every((id) => !/^[0-9]/.test(id) || Number(id) <= ID_MAX);
  if (USER.test(text) && isId) return text;
  throw field.error('must be "uid", "uid:gid" or the name of a user', 'write numbers in quotes, e.g. "1000:1000"');
}

function readIsolation(field: Field): Isolation {
  if (field.isAbsent) return 'none';
  const text = field.string();
  const isolation = ISOLATIONS.find((known) => known === text);
  if (isolation === undefined) throw field.error(`must be one of ${ISOLATIONS.join(', ')}`);
  return isolation;
}

function readSize(field: Field): number {
  if (field.isAbsent) return DEFAULT_SECRETS_BYTES;
  const sizeBytes = typeof field.value === 'number' ? field.value : parseBytes(field.string());
  const isSize = Number.isSafeInteger(sizeBytes);
  if (isSize && Number(sizeBytes) >= SECRETS_SIZE_BYTES_MIN && Number(sizeBytes) <= SECRETS_SIZE_BYTES_MAX)
    return Number(sizeBytes);
  throw field.error('must be a size from 4KiB to 64GiB', 'write it as 1MiB, or as a number of bytes');
}

function readChroot(field: Field, isolation: Isolation): Record<string, string> {
  if (field.isAbsent) return {};
  const entries = field.entries();
  if (isolation !== 'chroot') throw field.error('is for tasks with isolation chroot only', 'add isolation: chroot');
  if (entries.length > CHROOT_MAX) throw field.error(`has more than ${CHROOT_MAX} paths`);
  return Object.fromEntries(
    entries.map(([source, target]) => [
      target.checked(() => cleanHostPath(source)),
      target.checked(() => cleanChrootTarget(source, target.string())),
    ]),
  );
}

function cleanChrootTarget(source: string, path: string): string {
  const target = cleanTaskPath(path);
  checkChrootMap({ [source]: target });
  return target;
}

function readProjections(field: Field): PresentedProjection[] {
  if (field.isAbsent) return [];
  const entries = field.items();
  if (entries.length > PROJECTIONS_MAX) throw field.error(`has more than ${PROJECTIONS_MAX} entries`);
  return entries.map((entry) => {
    const [name, path] = [entry.only(['name', 'path']).get('name'), entry.get('path')];
    if (parseProjectionDirectory(name.string()) === undefined) {
      throw name.error(
        `${quoted(name.string())} is no directory under projections/`,
        'write NAME for a Projection, configmap.NAME, secret.NAME, or NAMESPACE.secret.NAME',
      );
    }
    return { name: name.string(), path: path.checked(() => cleanTaskPath(path.string())) };
  });
}
