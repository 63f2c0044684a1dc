/** What every command gets from the options that all of them take. */
import type { Command } from 'commander';
import { ControlClient } from '../server/control-client.ts';
import { currentSurroundings, findRuntimeDir, findSocket, type Surroundings } from './locations.ts';
import { openTerminal, type Terminal } from './output/terminal.ts';

export interface GlobalOptions {
  readonly socket?: string;
  readonly json?: boolean;
  readonly debug?: boolean;
}

export interface CommandContext {
  readonly json: boolean;
  readonly terminal: Terminal;
  readonly surroundings: Surroundings;
  /** Of the daemon this command talks to. Throws like `findSocket`. */
  socketPath(): string;
  runtimeDir(): string;
  client(): ControlClient;
  /** The value as JSON with --json, otherwise the text. */
  print(value: unknown, text: () => string): void;
}

export function contextOf(command: Command): CommandContext {
  const options = command.optsWithGlobals<GlobalOptions & { readonly runtimeDir?: string }>();
  const surroundings = currentSurroundings();
  const terminal = openTerminal(process.stdout, process.stderr, process.env);
  const json = options.json === true;
  return {
    json,
    terminal,
    surroundings,
    socketPath: () => findSocket(options, surroundings),
    runtimeDir: () => findRuntimeDir(options, surroundings),
    client: () => new ControlClient(findSocket(options, surroundings)),
    print: (value, text) => terminal.out(json ? `${JSON.stringify(value, undefined, 2)}\n` : text()),
  };
}

/** Whether errors show where they came from. Looked up without a parsed command line, because parsing is what may have failed. */
export function wantsDebug(
  words: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): boolean {
  return words.includes('--debug') || environment['DUNNAGE_DEBUG'] === '1';
}
