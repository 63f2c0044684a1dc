/**
 * What can be wrong with the catalog. Nothing of it is mended while a daemon serves the tree: the kernel and the FUSE thread
 * hold on to what they were told of projections, generations and links.
 */
import type { Issue } from '../../store/check/finding.ts';

const TABLE = {
  'projection-unreadable': 'the record of a projection cannot be read',
  'projection-name-wrong': 'the table of names and a projection contradict each other',
  'projection-history-wrong': 'a projection names generations that it does not have',
  'projection-content-lost': 'a projection has no published content; only its source can bring it back',
  'projection-unlisted': 'an unfinished projection that no start would look at',
  'generation-unreadable': 'the record of a generation cannot be read or is missing',
  'generation-list-lost': 'the list of the files of a generation is missing or cannot be read',
  'generation-list-wrong': 'the list of the files of a generation and its record contradict each other',
  'generation-directory-wrong': 'the table of generation directories and a generation contradict each other',
  'generation-role-wrong': 'a generation is nowhere listed, or listed as two things at once',
  'generation-half-written': 'a generation that an interrupted write left',
  'file-size-wrong': 'the length of a file is not that of its content',
  'row-dangling': 'a row about something that does not exist',
  'setting-unreadable': 'what is kept beside the content of a projection cannot be read',
  'link-wrong': 'the links of a projection contradict each other or its content',
  'node-counter-wrong': 'the counter of node ids would hand out one that is in use',
} as const;

export type CatalogFindingCode = keyof typeof TABLE;

export const CATALOG_FINDINGS: Readonly<Record<CatalogFindingCode, string>> = TABLE;

export function catalogIssue(
  code: CatalogFindingCode,
  fields: Pick<Issue, 'object' | 'what' | 'action' | 'repair'>,
): Issue {
  return { code, ...fields, repairable: fields.repair !== undefined, online: false };
}
