/** The reserved names of a projected directory, as the reference has them. Every top-level name beginning with `..` belongs to the writer. */
export const DATA_LINK = '..data';
export const TEMPORARY_LINK = '..data_tmp';
export const RESERVED_PREFIX = '..';

/** Target of the visible link of a top-level name. */
export function linkTarget(name: string): string {
  return `${DATA_LINK}/${name}`;
}

/** First component of a cleaned path: the name that gets a visible link. */
export function topLevelName(path: string): string {
  const slash = path.indexOf('/');
  return slash < 0 ? path : path.slice(0, slash);
}
