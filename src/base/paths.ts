/** Paths as texts. */

/** By whole components: `/a/bc` is not beneath `/a/b`. Both absolute, or relative to the same place, in their shortest form. */
export function isAtOrBeneath(path: string, parent: string): boolean {
  return path === parent || path.startsWith(parent.endsWith('/') ? parent : `${parent}/`);
}
