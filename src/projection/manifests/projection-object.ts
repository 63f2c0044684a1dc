/**
 * `dunnage/v1 Projection`:
 *
 *   apiVersion: dunnage/v1
 *   kind: Projection
 *   metadata: {name: web}
 *   spec:
 *     defaultMode: 0644         # permission bits of files that give none
 *     uid: 0                    # owner of files that give none; gid likewise
 *     fsGroup: {gid: 2000, policy: Exact}   # group of files that give none; Widen (default) makes them group-readable
 *     onCollision: Error        # or Warn: of two sources with the same path the later one wins
 *     audit: false              # true: every open of a file is logged
 *     sources: []               # see source-fields.ts
 *     historyLimit: 10          # generations kept for rollback, with the live one; 10 if absent
 *     files:                    # come after all sources
 *       - path: conf/app.ini    # relative; may contain directories
 *         data: |               # text, or `base64:` for bytes: exactly one of the two
 *           key = value
 *         mode: 0400            # uid and gid are possible too
 *     onSwap: []                # see on-swap.ts
 */
import { OWNER_ID_MAX, shown, validateAndCleanPath, validatePayload } from '../path-rules.ts';
import type { FileProjection, Payload } from '../payload.ts';
import { fileAttributes } from '../sources/ownership.ts';
import type { FileDefaults, FsGroup, InlineFile, SourcedSpec } from '../sources/source-spec.ts';
import type { Field } from './fields.ts';
import { readOwner, readSources } from './source-fields.ts';

const SPEC_FIELDS = [
  'defaultMode',
  'uid',
  'gid',
  'fsGroup',
  'onCollision',
  'sources',
  'files',
  'historyLimit',
  'onSwap',
  'audit',
];

export interface ProjectionContent {
  /** The files of the manifest itself. */
  readonly payload: Payload;
  /** What else the content comes from; undefined if the manifest names no source. */
  readonly sourced?: SourcedSpec;
}

export function readProjection(object: Field): ProjectionContent {
  object.only(['apiVersion', 'kind', 'metadata', 'spec']);
  const spec = object.get('spec');
  if (spec.isAbsent) throw spec.error('is missing', 'give spec.files, a list of files, or spec.sources');
  spec.only(SPEC_FIELDS);
  const defaults = readDefaults(spec);
  const onCollision = readWord(spec.get('onCollision'), ['Error', 'Warn']);
  const [list, sources] = [spec.get('files'), spec.get('sources')];
  if (list.isAbsent && sources.isAbsent) {
    throw list.error('is missing', 'give a list of files; `files: []` projects an empty directory');
  }
  const files = list.isAbsent ? [] : readFiles(list);
  const payload = new Map<string, FileProjection>();
  for (const file of files) payload.set(file.path, { data: file.data, ...fileAttributes(file, defaults) });
  const checked = list.checked(() => validatePayload(payload));
  if (sources.isAbsent) return { payload: checked };
  return { payload: checked, sourced: { ...defaults, onCollision, sources: readSources(sources), files } };
}

function readDefaults(spec: Field): FileDefaults {
  const [mode, fsGroup] = [spec.get('defaultMode'), spec.get('fsGroup')];
  if (!fsGroup.isAbsent && !spec.get('gid').isAbsent) {
    throw spec.get('gid').error('is the group of files, and so is fsGroup', 'give one of them');
  }
  return {
    ...(mode.isAbsent ? {} : { defaultMode: mode.mode() }),
    ...readOwner(spec),
    ...(fsGroup.isAbsent ? {} : { fsGroup: readFsGroup(fsGroup) }),
  };
}

/** The reference's short form is the group alone. */
function readFsGroup(field: Field): FsGroup {
  if (typeof field.value === 'number') return { gid: field.integer(OWNER_ID_MAX), policy: 'Widen' };
  field.only(['gid', 'policy']);
  if (field.get('gid').isAbsent) throw field.get('gid').error('is missing');
  return { gid: field.get('gid').integer(OWNER_ID_MAX), policy: readWord(field.get('policy'), ['Widen', 'Exact']) };
}

/** One of the words; the first if there is none. */
function readWord<Word extends string>(field: Field, words: readonly [Word, ...Word[]]): Word {
  if (field.isAbsent) return words[0];
  const text = field.string();
  const word = words.find((known) => known === text);
  if (word === undefined) throw field.error(`must be ${words.join(' or ')}`);
  return word;
}

function readFiles(list: Field): InlineFile[] {
  const takenBy = new Map<string, string>();
  return list.items().map((entry, index) => {
    const file = readFile(entry);
    const cleaned = entry.get('path').checked(() => validateAndCleanPath(file.path));
    const other = takenBy.get(cleaned);
    if (other !== undefined) {
      throw entry.get('path').error(`"${shown(file.path)}" is the same file as that of ${other}`);
    }
    takenBy.set(cleaned, `files[${index}]`);
    return { ...file, path: cleaned };
  });
}

function readFile(entry: Field): InlineFile {
  entry.only(['path', 'data', 'base64', 'mode', 'uid', 'gid']);
  const [text, base64, mode] = [entry.get('data'), entry.get('base64'), entry.get('mode')];
  if (text.isAbsent === base64.isAbsent) {
    throw entry.error('must have exactly one of data and base64', 'write `data: ""` for an empty file');
  }
  return {
    path: entry.get('path').string(),
    data: base64.isAbsent ? Buffer.from(text.string()) : base64.base64(),
    ...(mode.isAbsent ? {} : { mode: mode.mode() }),
    ...readOwner(entry),
  };
}
