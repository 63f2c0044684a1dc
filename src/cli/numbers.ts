/** Numbers given on the command line. */
import { InvalidArgumentError } from 'commander';

/**
 * A parser for an option that takes a whole number from 1 to `max`.
 * @throws InvalidArgumentError which commander turns into wrong usage that names the option.
 */
export function countUpTo(max: number): (word: string) => number {
  return (word) => {
    const count = Number(word);
    if (/^[0-9]+$/.test(word) && count >= 1 && count <= max) return count;
    throw new InvalidArgumentError(`It must be a whole number from 1 to ${max}.`);
  };
}
