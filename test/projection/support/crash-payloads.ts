/** What the crash tests write: a file that stays, one that goes, one that comes, one that changes, with directories. */
import { type Files, file } from '../../conformance/atomic-writer-subject.ts';

export const CRASH_OLD: Files = {
  same: file('same'),
  goes: file('old'),
  changes: file('old', 0o600),
  'zip/a': file('old'),
};
export const CRASH_NEW: Files = {
  same: file('same'),
  comes: file('new'),
  changes: file('new', 0o644),
  'zip/a': file('new'),
  'zip/deep/b': file('new'),
};
