/** What a source gave: files by path, and which of them go where. */
import { DunnageError } from '../../errors/dunnage-error.ts';
import type { PreparedBlob } from '../../store/blob-store.ts';
import { shown, validateAndCleanPath } from '../path-rules.ts';
import type { SourceCommon } from './source-spec.ts';

export interface SourceFile {
  /** Bytes, or content that is in the store already. */
  readonly content: Uint8Array | PreparedBlob;
  /** As the manifest says. */
  readonly mode?: number;
  /** As the file has it where it comes from. */
  readonly ownMode?: number;
  readonly uid?: number;
  readonly gid?: number;
}

export interface SourceContent {
  readonly files: ReadonlyMap<string, SourceFile>;
  /** What was left out, and why. */
  readonly warnings: readonly string[];
}

/**
 * Picks the items of a source, puts them below its prefix, and gives them its mode and owner.
 * @throws DunnageError NOT_FOUND (an item that is not there), INVALID_PATH, NAME_TOO_LONG.
 */
export function selectFiles(available: ReadonlyMap<string, SourceFile>, source: SourceCommon): Map<string, SourceFile> {
  const { items = [], prefix = '', optional = false } = source;
  const { mode, uid, gid } = source;
  const given = { ...(mode === undefined ? {} : { mode }), ...(uid === undefined ? {} : { uid }) };
  const settings = { ...given, ...(gid === undefined ? {} : { gid }) };
  const selected = new Map<string, SourceFile>();
  const put = (path: string, file: SourceFile, itemMode?: number): void => {
    const cleaned = validateAndCleanPath(prefix === '' ? path : `${prefix}/${path}`);
    if (selected.has(cleaned)) {
      throw new DunnageError('INVALID_PATH', `conflicting duplicate paths: two items go to "${shown(cleaned)}"`);
    }
    selected.set(cleaned, { ...file, ...settings, ...(itemMode === undefined ? {} : { mode: itemMode }) });
  };
  if (items.length === 0) {
    for (const [path, file] of available) put(path, file);
    return selected;
  }
  for (const item of items) {
    const file = available.get(item.key);
    if (file !== undefined) put(item.path, file, item.mode);
    else if (!optional) {
      throw new DunnageError('NOT_FOUND', `it has no "${shown(item.key)}"`, {
        remedy: 'correct the item, add what it names, or mark the source optional',
      });
    }
  }
  return selected;
}
