/**
 * An option with an empty value is a script's unset variable (`--mount "$DIRECTORY"`). As a path it would mean the working
 * directory, so it is refused before anything is done.
 */
import type { Command } from 'commander';
import { DunnageError } from '../errors/dunnage-error.ts';

/** @throws DunnageError INVALID_ARGUMENT naming the option. */
export function refuseEmptyValues(command: Command): void {
  for (let holder: Command | null = command; holder !== null; holder = holder.parent) {
    for (const option of holder.options) {
      const value: unknown = holder.getOptionValue(option.attributeName());
      if (value !== '' && !(Array.isArray(value) && value.includes(''))) continue;
      throw new DunnageError('INVALID_ARGUMENT', `the value of ${option.long ?? option.flags} is empty`, {
        remedy: 'give one, or leave the option out',
      });
    }
  }
}
