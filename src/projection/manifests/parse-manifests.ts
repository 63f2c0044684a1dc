/**
 * Manifests: what `dunnage apply -f` reads. Kubernetes ConfigMaps and Secrets are taken as they are, also as
 * `kubectl get -o yaml` prints them (`kind: List`); `dunnage/v1 Projection` is described in `projection-object.ts`.
 */
import { DunnageError } from '../../errors/dunnage-error.ts';
import { shown } from '../path-rules.ts';
import type { ProjectionKind } from '../records.ts';
import { Field, type FieldContext } from './fields.ts';
import { readHistoryLimit } from './history-limit.ts';
import { type ObjectContent, readConfigMap, readSecret } from './kubernetes-objects.ts';
import type { Manifest } from './manifest.ts';
import { DEFAULT_NAMESPACE, projectionDirectory } from './names.ts';
import { readOnSwap } from './on-swap.ts';
import { readProjection } from './projection-object.ts';
import { type FieldPath, readYamlDocuments, type YamlDocument } from './yaml-documents.ts';

const LIST_KINDS: Readonly<Record<string, string | undefined>> = {
  'v1 List': undefined,
  'v1 ConfigMapList': 'ConfigMap',
  'v1 SecretList': 'Secret',
};
const READABLE: Readonly<Record<string, ProjectionKind>> = {
  'v1 ConfigMap': 'ConfigMap',
  'v1 Secret': 'Secret',
  'dunnage/v1 Projection': 'Projection',
};
const READABLE_TEXT =
  'v1 ConfigMap, v1 Secret, dunnage/v1 Projection, v1 List of them, and dunnage/v1 Alloc and Pool can be applied';

/** What the API server adds, and what people write, under `metadata` of a Kubernetes object. */
const KUBERNETES_METADATA = [
  ...['name', 'namespace', 'labels', 'annotations', 'generateName', 'uid', 'resourceVersion', 'generation', 'selfLink'],
  ...['creationTimestamp', 'deletionTimestamp', 'deletionGracePeriodSeconds', 'finalizers', 'ownerReferences'],
  ...['managedFields'],
];
const PROJECTION_METADATA = ['name', 'namespace', 'labels', 'annotations'];
/** kubectl keeps the whole manifest here, content included. */
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/**
 * Reads every object of a YAML stream, in order.
 * @throws DunnageError INVALID_MANIFEST for the first thing that is wrong, TOO_LARGE.
 */
export function parseManifests(yamlText: string): Manifest[] {
  const manifests = readManifests(readYamlDocuments(yamlText));
  if (manifests.length === 0) throw holdsNothing();
  return manifests;
}

/** The same for documents of which those of other kinds were taken out: there may be none left. */
export function readManifests(documents: readonly YamlDocument[]): Manifest[] {
  const manifests = documents.flatMap((document) => readDocument(document));
  refuseRepeated(manifests);
  return manifests;
}

export function holdsNothing(): DunnageError {
  return new DunnageError('INVALID_MANIFEST', 'the manifest holds no object', { remedy: READABLE_TEXT });
}

function readDocument(document: YamlDocument): Manifest[] {
  const top = new Field({ document, title: '', root: [] }, [], document.value);
  const type = typeOf(top);
  if (!Object.hasOwn(LIST_KINDS, type)) return [readObject(document, [], document.value, undefined)];
  top.only(['apiVersion', 'kind', 'metadata', 'items']);
  if (top.get('items').isAbsent) return [];
  return top
    .get('items')
    .items()
    .map((item, index) => readObject(document, ['items', index], item.value, LIST_KINDS[type]));
}

/** `v1 Secret`. */
function typeOf(object: Field): string {
  if (typeof object.value !== 'object' || Array.isArray(object.value)) {
    throw object.error('must be an object with apiVersion, kind and metadata');
  }
  return `${object.get('apiVersion').string()} ${object.get('kind').string()}`;
}

function readObject(document: YamlDocument, root: FieldPath, value: unknown, itemKind: string | undefined): Manifest {
  const object = new Field(contextOf(document, root, value, itemKind), [], value);
  // Items of a typed list need not repeat their kind.
  const untyped = itemKind !== undefined && object.get('kind').isAbsent;
  const type = untyped ? `v1 ${itemKind}` : typeOf(object);
  const kind = Object.hasOwn(READABLE, type) ? READABLE[type] : undefined;
  if (kind === undefined) throw object.get('kind').error(`"${shown(type)}" cannot be applied`, READABLE_TEXT);

  const metadata = readMetadata(object.get('metadata'), kind);
  const content = readContent(object, kind);
  const historyLimit = readHistoryLimit(object, kind);
  const audited = readAudit(object, kind);
  const own = { secret: kind === 'Secret', audited, document: document.index };
  return { kind, ...metadata, historyLimit, ...content, ...own };
}

function readContent(object: Field, kind: ProjectionKind): ObjectContent {
  switch (kind) {
    case 'ConfigMap':
      return readConfigMap(object);
    case 'Secret':
      return readSecret(object);
    case 'Projection':
      return { ...readProjection(object), immutable: false, onSwap: readOnSwap(object.get('spec').get('onSwap')) };
  }
}

const AUDIT_ANNOTATION = 'dunnage/audit';

/** `spec.audit` of a Projection; the annotation of an object of Kubernetes, whose values are strings. */
function readAudit(object: Field, kind: ProjectionKind): boolean {
  if (kind === 'Projection') {
    const field = object.get('spec').get('audit');
    return field.isAbsent ? false : field.boolean();
  }
  const field = object.get('metadata').get('annotations').get(AUDIT_ANNOTATION);
  if (field.isAbsent) return false;
  const text = field.string();
  if (text === 'true' || text === 'false') return text === 'true';
  throw field.error('must be "true" or "false"');
}

function readMetadata(
  metadata: Field,
  kind: ProjectionKind,
): Pick<Manifest, 'namespace' | 'name' | 'directory' | 'labels' | 'annotations'> {
  if (metadata.isAbsent) throw metadata.error('is missing', 'give metadata.name');
  metadata.only(kind === 'Projection' ? PROJECTION_METADATA : KUBERNETES_METADATA);
  if (metadata.get('name').isAbsent && !metadata.get('generateName').isAbsent) {
    throw metadata.get('generateName').error('is not supported', 'give metadata.name');
  }
  const name = metadata.get('name').string();
  const namespace = metadata.get('namespace').isAbsent ? DEFAULT_NAMESPACE : metadata.get('namespace').string();
  const directory = metadata.checked(() => projectionDirectory(kind, namespace, name));
  const { [LAST_APPLIED]: _, ...annotations } = strings(metadata.get('annotations'));
  return { namespace, name, directory, labels: strings(metadata.get('labels')), annotations };
}

function strings(map: Field): Record<string, string> {
  return Object.fromEntries(map.entries().map(([key, field]) => [key, field.string()]));
}

/** A title for messages, as far as it can be told before anything is checked. */
function contextOf(
  document: YamlDocument,
  root: FieldPath,
  value: unknown,
  itemKind: string | undefined,
): FieldContext {
  const bare = new Field({ document, title: '', root }, [], value);
  const kind = bare.get('kind').value ?? itemKind;
  const name = bare.get('metadata').get('name').value;
  const words = [
    ...(typeof kind === 'string' ? [shown(kind)] : []),
    ...(typeof name === 'string' ? [`"${shown(name)}"`] : []),
    ...(root.length > 0 ? [`item ${Number(root[1]) + 1}`] : []),
  ];
  return { document, title: words.join(' '), root };
}

function refuseRepeated(manifests: readonly Manifest[]): void {
  const documentOf = new Map<string, number>();
  for (const { kind, name, directory, document } of manifests) {
    const other = documentOf.get(directory);
    if (other !== undefined) {
      throw new DunnageError(
        'INVALID_MANIFEST',
        `documents ${other} and ${document} are both ${kind} "${shown(name)}"`,
        {
          remedy: 'keep one of them',
        },
      );
    }
    documentOf.set(directory, document);
  }
}
