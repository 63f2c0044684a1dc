/** The object's own name, labels and annotations as files: what the reference calls the downward API. */
import { DunnageError } from '../../errors/dunnage-error.ts';
import { shown } from '../path-rules.ts';
import { formatMap } from './go-quote.ts';
import { type SourceFile, selectFiles } from './source-content.ts';
import type { MetadataSource } from './source-spec.ts';

export interface ObjectMetadata {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

const NAME = /^[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const PREFIX = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;
const PREFIX_LENGTH_MAX = 253;
const ONE_KEY = /^metadata\.(labels|annotations)\['(.*)'\]$/s;
const WHOLE: readonly string[] = ['metadata.name', 'metadata.namespace', 'metadata.labels', 'metadata.annotations'];

/** @throws DunnageError INVALID_ARGUMENT for what is no field of an object's metadata. */
export function validateFieldRef(fieldRef: string): void {
  if (WHOLE.includes(fieldRef)) return;
  const [, map, key = ''] = ONE_KEY.exec(fieldRef) ?? [];
  // Upper case is fine in names of annotations, also in the part before the slash.
  if (map !== undefined && isQualifiedName(map === 'annotations' ? key.toLowerCase() : key)) return;
  throw new DunnageError('INVALID_ARGUMENT', `"${shown(fieldRef)}" is no field that can be projected`, {
    remedy: `use ${WHOLE.join(', ')}, metadata.labels['KEY'] or metadata.annotations['KEY']`,
  });
}

export function readMetadataSource(source: MetadataSource, metadata: ObjectMetadata): Map<string, SourceFile> {
  const files = new Map<string, SourceFile>();
  const { fields, mode: sourceMode, ...common } = source;
  for (const { path, fieldRef, mode = sourceMode } of fields) {
    const content = Buffer.from(fieldValue(fieldRef, metadata));
    files.set(path, { content, ...(mode === undefined ? {} : { mode }) });
  }
  return selectFiles(files, common);
}

/** A key that is not there is empty, as in the reference. */
function fieldValue(fieldRef: string, metadata: ObjectMetadata): string {
  switch (fieldRef) {
    case 'metadata.name':
      return metadata.name;
    case 'metadata.namespace':
      return metadata.namespace;
    case 'metadata.labels':
      return formatMap(metadata.labels);
    case 'metadata.annotations':
      return formatMap(metadata.annotations);
  }
  const [, map, key = ''] = ONE_KEY.exec(fieldRef) ?? [];
  const values = map === 'labels' ? metadata.labels : metadata.annotations;
  return Object.hasOwn(values, key) ? (values[key] ?? '') : '';
}

function isQualifiedName(key: string): boolean {
  const slash = key.indexOf('/');
  if (slash === -1) return NAME.test(key);
  const prefix = key.slice(0, slash);
  return prefix.length <= PREFIX_LENGTH_MAX && PREFIX.test(prefix) && NAME.test(key.slice(slash + 1));
}
