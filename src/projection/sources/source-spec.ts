/**
 * What a Projection says about where its content comes from, as it is parsed and kept. Plain data: it is stored as JSON,
 * literal content apart from the rest.
 *
 * Sources are merged in order; `files` of the manifest come after all of them. A file's mode is that of its item, else that
 * of its source, else `defaultMode`, else its own (files of the host and of projections have one), else 0644. Its owner is
 * that of its source, else that of the Projection, else the daemon's.
 */
import type { KeyToPath } from '../project-keys.ts';

/** What every source may say. */
export interface SourceCommon {
  /** Only these, at these paths; undefined or empty: everything under its own path. */
  readonly items?: readonly KeyToPath[];
  /** Directory that everything of the source goes to. */
  readonly prefix?: string;
  /** What does not exist is left out instead of being an error. */
  readonly optional?: boolean;
  /** Permission bits of files whose item gives none. */
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
}

/** The content by key; bytes are kept apart from the spec (`spec-table.ts`). */
export interface LiteralSource extends SourceCommon {
  readonly kind: 'literal';
  readonly content: ReadonlyMap<string, Uint8Array>;
}
export interface FileSource extends SourceCommon {
  readonly kind: 'file';
  /** Absolute, on the host. */
  readonly path: string;
  /** Where it goes. */
  readonly as: string;
}
export interface DirectorySource extends SourceCommon {
  readonly kind: 'directory';
  readonly path: string;
}
export interface ObjectSource extends SourceCommon {
  readonly kind: 'configMap' | 'secret' | 'projection';
  readonly namespace: string;
  readonly name: string;
  /** Its directory under projections/. */
  readonly directory: string;
}
export interface MetadataItem {
  readonly path: string;
  readonly fieldRef: string;
  readonly mode?: number;
}
export interface MetadataSource extends Pick<SourceCommon, 'prefix' | 'mode' | 'uid' | 'gid'> {
  readonly kind: 'metadata';
  readonly fields: readonly MetadataItem[];
}
export type SourceSpec = LiteralSource | FileSource | DirectorySource | ObjectSource | MetadataSource;

/** A file given in the manifest itself. */
export interface InlineFile {
  readonly path: string;
  readonly data: Uint8Array;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
}

export interface FsGroup {
  readonly gid: number;
  /** `Widen`: group-readable, as the reference makes files of a read-only volume. `Exact`: the mode stays as it is. */
  readonly policy: 'Widen' | 'Exact';
}

/** Mode and owner of files that give none. */
export interface FileDefaults {
  readonly defaultMode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly fsGroup?: FsGroup;
}

export interface SourcedSpec extends FileDefaults {
  readonly onCollision: 'Error' | 'Warn';
  readonly sources: readonly SourceSpec[];
  readonly files: readonly InlineFile[];
}

/** How a source is called in messages: `configMap web`, `file /etc/app.conf`. */
export function sourceName(source: SourceSpec): string {
  switch (source.kind) {
    case 'literal':
    case 'metadata':
      return source.kind;
    case 'file':
    case 'directory':
      return `${source.kind} ${source.path}`;
    case 'configMap':
    case 'secret':
    case 'projection':
      return `${source.kind} ${source.namespace === 'default' ? '' : `${source.namespace}/`}${source.name}`;
  }
}

/** The same with its place in the list: `sources[1] (configMap web)`. */
export function sourceTitle(source: SourceSpec, index: number): string {
  return `sources[${index}] (${sourceName(source)})`;
}

/** Directories under projections/ whose content the spec uses. */
export function objectsOf(spec: SourcedSpec): ReadonlySet<string> {
  return new Set(spec.sources.flatMap((source) => ('directory' in source ? [source.directory] : [])));
}
