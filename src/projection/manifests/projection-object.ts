/**
 * `dunnage/v1 Projection` with literal content:
 *
 *   apiVersion: dunnage/v1
 *   kind: Projection
 *   metadata: {name: web}
 *   spec:
 *     defaultMode: 0644         # permission bits of files that give none; 0644 if absent
 *     files:
 *       - path: conf/app.ini    # relative; may contain directories
 *         data: |               # text, or `base64:` for bytes: exactly one of the two
 *           key = value
 *         mode: 0400            # uid and gid are possible too; 0 if absent
 *     onSwap: []                # see on-swap.ts
 */
import { OWNER_ID_MAX, shown, validateAndCleanPath, validatePayload } from '../path-rules.ts';
import type { FileProjection, Payload } from '../payload.ts';
import { DEFAULT_FILE_MODE } from '../project-keys.ts';
import type { Field } from './fields.ts';

export function readProjection(object: Field): Payload {
  object.only(['apiVersion', 'kind', 'metadata', 'spec']);
  const spec = object.get('spec');
  if (spec.isAbsent) throw spec.error('is missing', 'give spec.files, a list of files');
  spec.only(['defaultMode', 'files', 'onSwap']);
  const defaultMode = spec.get('defaultMode').isAbsent ? DEFAULT_FILE_MODE : spec.get('defaultMode').mode();
  const list = spec.get('files');
  if (list.isAbsent) throw list.error('is missing', 'give a list of files; `files: []` projects an empty directory');

  const files = new Map<string, FileProjection>();
  const takenBy = new Map<string, string>();
  for (const [index, entry] of list.items().entries()) {
    const [path, file] = readFile(entry, defaultMode);
    const cleaned = entry.get('path').checked(() => validateAndCleanPath(path));
    const other = takenBy.get(cleaned);
    if (other !== undefined) throw entry.get('path').error(`"${shown(path)}" is the same file as that of ${other}`);
    takenBy.set(cleaned, `files[${index}]`);
    files.set(path, file);
  }
  return list.checked(() => validatePayload(files));
}

function readFile(entry: Field, defaultMode: number): [string, FileProjection] {
  entry.only(['path', 'data', 'base64', 'mode', 'uid', 'gid']);
  const [text, base64, mode, uid, gid] = ['data', 'base64', 'mode', 'uid', 'gid'].map((key) => entry.get(key));
  if (text?.isAbsent === base64?.isAbsent) {
    throw entry.error('must have exactly one of data and base64', 'write `data: ""` for an empty file');
  }
  const data = base64?.isAbsent ? Buffer.from(text?.string() ?? '') : base64?.base64();
  return [
    entry.get('path').string(),
    {
      data: data ?? Buffer.alloc(0),
      mode: mode?.isAbsent ? defaultMode : (mode?.mode() ?? defaultMode),
      ...(uid?.isAbsent ? {} : { uid: uid?.integer(OWNER_ID_MAX) ?? 0 }),
      ...(gid?.isAbsent ? {} : { gid: gid?.integer(OWNER_ID_MAX) ?? 0 }),
    },
  ];
}
