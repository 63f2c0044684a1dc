/** What completion scripts are made of: the commands with their options and fixed words, read off the program itself. */
import type { Command } from 'commander';
import { KIND_WORDS } from '../kinds.ts';

export interface OptionRow {
  readonly flags: readonly string[];
  readonly description: string;
  /** Takes a value that follows it. */
  readonly takesValue: boolean;
  /** The values it can take; empty if they are free (then files are offered). */
  readonly values: readonly string[];
}

export interface CommandRow {
  /** `['projection', 'write']`; empty for the program itself. */
  readonly path: readonly string[];
  readonly description: string;
  readonly options: readonly OptionRow[];
  /** Words that may follow: subcommands, kinds, choices. */
  readonly words: readonly string[];
}

export function tabulate(program: Command): readonly CommandRow[] {
  const global = optionsOf(program);
  return walk(program, []).map((row) =>
    row.path.length === 0 ? row : { ...row, options: [...row.options, ...global] },
  );
}

function walk(command: Command, path: readonly string[]): readonly CommandRow[] {
  const below = command.commands.flatMap((child) => walk(child, [...path, child.name()]));
  const words = [...command.commands.map((child) => child.name()), ...wordsOf(command)];
  return [{ path, description: command.description(), options: optionsOf(command), words }, ...below];
}

function wordsOf(command: Command): readonly string[] {
  return command.registeredArguments.flatMap((argument) => {
    if (argument.argChoices !== undefined) return argument.argChoices;
    return argument.name().startsWith('kind') ? KIND_WORDS : [];
  });
}

function optionsOf(command: Command): readonly OptionRow[] {
  return command.options
    .filter(({ hidden }) => !hidden)
    .map(({ short, long, description, required, optional, argChoices }) => ({
      flags: [short, long].filter((flag) => flag !== undefined),
      description,
      takesValue: required || optional,
      values: argChoices ?? [],
    }));
}
