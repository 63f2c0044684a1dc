/**
 * `spec.sources` of a Projection: where its content comes from, merged in order. Each entry has exactly one of
 *
 *   literal: {data: {key: text}, binaryData: {key: base64}}
 *   file: {path: /etc/app.conf, as: conf/app.conf}
 *   directory: {path: /srv/conf}
 *   configMap: {name, namespace}        secret: {name, namespace}        projection: {name}
 *   metadata: {items: [{path: labels, fieldRef: metadata.labels}]}
 *
 * All take mode, uid and gid; all but `file` take prefix; all but `file` and `metadata` take items ([{key, path, mode}]); all
 * but `literal` and `metadata` take optional.
 */
import { normalize } from 'node:path/posix';
import { limits } from '../../base/limits.ts';
import { OWNER_ID_MAX, validateAndCleanPath } from '../path-rules.ts';
import type { KeyToPath } from '../project-keys.ts';
import type { ProjectionKind } from '../records.ts';
import { validateFieldRef } from '../sources/metadata-source.ts';
import type { FileSource, MetadataItem, ObjectSource, SourceCommon, SourceSpec } from '../sources/source-spec.ts';
import type { Field } from './fields.ts';
import { DEFAULT_NAMESPACE, projectionDirectory } from './names.ts';

const KINDS = ['literal', 'file', 'directory', 'configMap', 'secret', 'projection', 'metadata'] as const;
type SourceKind = (typeof KINDS)[number];

const OWNER_FIELDS = ['mode', 'uid', 'gid'];
const OBJECT_KINDS: Readonly<Record<ObjectSource['kind'], ProjectionKind>> = {
  configMap: 'ConfigMap',
  secret: 'Secret',
  projection: 'Projection',
};

/** @throws DunnageError INVALID_MANIFEST */
export function readSources(list: Field): readonly SourceSpec[] {
  const entries = list.items();
  if (entries.length > limits.sourcesMax) throw list.error(`has more than ${limits.sourcesMax} entries`);
  return entries.map((entry) => {
    entry.only(KINDS);
    const given = KINDS.filter((kind) => !entry.get(kind).isAbsent);
    const [kind] = given;
    if (kind === undefined || given.length > 1) throw entry.error(`must have exactly one of ${KINDS.join(', ')}`);
    return readSource(kind, entry.get(kind));
  });
}

function readSource(kind: SourceKind, source: Field): SourceSpec {
  switch (kind) {
    case 'literal':
      source.only(['data', 'binaryData', 'items', 'prefix', ...OWNER_FIELDS]);
      return { kind, content: readLiteral(source), ...readCommon(source) };
    case 'file':
      return readFile(source);
    case 'directory':
      source.only(['path', 'items', 'prefix', 'optional', ...OWNER_FIELDS]);
      return { kind, path: readHostPath(source.get('path')), ...readCommon(source) };
    case 'configMap':
    case 'secret':
    case 'projection':
      return readObject(kind, source);
    case 'metadata':
      source.only(['items', 'prefix', ...OWNER_FIELDS]);
      return { kind, fields: readMetadataItems(source.get('items')), ...readPlacement(source) };
  }
}

function readFile(source: Field): FileSource {
  source.only(['path', 'as', 'optional', ...OWNER_FIELDS]);
  const path = readHostPath(source.get('path'));
  const name = source.get('as').isAbsent ? path.slice(path.lastIndexOf('/') + 1) : source.get('as').string();
  const as = source.get('as').checked(() => validateAndCleanPath(name));
  return { kind: 'file', path, as, ...readPlacement(source), ...readOptional(source) };
}

function readObject(kind: ObjectSource['kind'], source: Field): ObjectSource {
  const isProjection = kind === 'projection';
  source.only(['name', ...(isProjection ? [] : ['namespace']), 'items', 'prefix', 'optional', ...OWNER_FIELDS]);
  const name = source.get('name').string();
  const namespace = source.get('namespace').isAbsent ? DEFAULT_NAMESPACE : source.get('namespace').string();
  const directory = source.get('name').checked(() => projectionDirectory(OBJECT_KINDS[kind], namespace, name));
  return { kind, namespace, name, directory, ...readCommon(source) };
}

/** Bytes by key; a key may be a path. */
function readLiteral(source: Field): Map<string, Uint8Array> {
  const content = new Map<string, Uint8Array>();
  const put = (key: string, field: Field, bytes: Uint8Array): void => {
    const path = field.checked(() => validateAndCleanPath(key));
    if (content.has(path)) throw field.error('the key is there twice', 'keep it in one of data and binaryData');
    content.set(path, bytes);
  };
  for (const [key, field] of source.get('data').entries()) put(key, field, Buffer.from(field.string()));
  for (const [key, field] of source.get('binaryData').entries()) put(key, field, field.base64());
  return content;
}

function readMetadataItems(list: Field): MetadataItem[] {
  if (list.isAbsent) throw list.error('is missing', 'give a list of {path, fieldRef}');
  const taken = new Set<string>();
  return list.items().map((item) => {
    item.only(['path', 'fieldRef', 'mode']);
    const path = item.get('path').checked(() => validateAndCleanPath(item.get('path').string()));
    if (taken.has(path)) throw item.get('path').error('another item has this path');
    taken.add(path);
    const fieldRef = readFieldRef(item.get('fieldRef'));
    const mode = item.get('mode');
    return { path, fieldRef, ...(mode.isAbsent ? {} : { mode: mode.mode() }) };
  });
}

/** `fieldRef: metadata.name`, or as Kubernetes writes it: `fieldRef: {fieldPath: metadata.name}`. */
function readFieldRef(field: Field): string {
  const isObject = typeof field.value === 'object' && field.value !== null;
  const text = isObject ? field.only(['apiVersion', 'fieldPath']).get('fieldPath').string() : field.string();
  field.checked(() => validateFieldRef(text));
  return text;
}

function readHostPath(field: Field): string {
  const path = field.string();
  if (!path.startsWith('/') || path.includes('\0')) {
    throw field.error('must be an absolute path of the host', 'write it from / on');
  }
  const clean = normalize(path).replace(/\/+$/, '');
  if (clean === '') throw field.error('is the whole file system', 'name a file or a directory in it');
  return clean;
}

function readCommon(source: Field): SourceCommon {
  const items = source.get('items');
  const common = { ...readPlacement(source), ...readOptional(source) };
  return items.isAbsent ? common : { ...common, items: items.items().map(readItem) };
}

function readItem(item: Field): KeyToPath {
  item.only(['key', 'path', 'mode']);
  const path = item.get('path').checked(() => validateAndCleanPath(item.get('path').string()));
  const mode = item.get('mode');
  return { key: item.get('key').string(), path, ...(mode.isAbsent ? {} : { mode: mode.mode() }) };
}

function readPlacement(source: Field): SourceCommon {
  const [prefix, mode] = [source.get('prefix'), source.get('mode')];
  return {
    ...(prefix.isAbsent ? {} : { prefix: prefix.checked(() => validateAndCleanPath(prefix.string())) }),
    ...(mode.isAbsent ? {} : { mode: mode.mode() }),
    ...readOwner(source),
  };
}

/** `uid` and `gid`, where they are given. */
export function readOwner(field: Field): { readonly uid?: number; readonly gid?: number } {
  const [uid, gid] = [field.get('uid'), field.get('gid')];
  return {
    ...(uid.isAbsent ? {} : { uid: uid.integer(OWNER_ID_MAX) }),
    ...(gid.isAbsent ? {} : { gid: gid.integer(OWNER_ID_MAX) }),
  };
}

function readOptional(source: Field): { readonly optional?: boolean } {
  const field = source.get('optional');
  return field.isAbsent ? {} : { optional: field.boolean() };
}
