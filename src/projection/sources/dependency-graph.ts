/** Which projections take content from which others: in what order they are made, and that none takes from itself. */
import { DunnageError } from '../../errors/dunnage-error.ts';

/** Directories under projections/ that a directory takes content from. */
export type Uses = (directory: string) => Iterable<string>;

/**
 * The given directories, each after those among them that it uses; otherwise in the order given.
 * @throws DunnageError INVALID_MANIFEST, naming the chain, if one uses itself, directly or through others.
 */
export function inOrderOfUse(directories: readonly string[], uses: Uses): string[] {
  const wanted = new Set(directories);
  const ordered: string[] = [];
  const done = new Set<string>();
  const visit = (directory: string, chain: readonly string[]): void => {
    const start = chain.indexOf(directory);
    if (start !== -1) throw cycle([...chain.slice(start), directory]);
    if (done.has(directory)) return;
    for (const used of uses(directory)) visit(used, [...chain, directory]);
    done.add(directory);
    if (wanted.has(directory)) ordered.push(directory);
  };
  for (const directory of directories) visit(directory, []);
  return ordered;
}

function cycle(chain: readonly string[]): DunnageError {
  return new DunnageError('INVALID_MANIFEST', `projections take their content from each other: ${chain.join(' -> ')}`, {
    remedy: 'take one of these sources out',
  });
}
