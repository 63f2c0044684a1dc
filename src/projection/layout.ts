/** The reserved names of a projected directory, as the reference has them. Every top-level name beginning with `..` belongs to the writer. */
/** The published link. */
export const DATA_LINK = '..data';
/** The link that is renamed over the published one. */
export const STAGING_LINK = '..data_tmp';

/** Target of the visible link of a top-level name. */
export function linkTarget(name: string): string {
  return `${DATA_LINK}/${name}`;
}
