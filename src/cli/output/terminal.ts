/** The two output streams of a command, and colour where a person looks at it. */
import type { Writable } from 'node:stream';

export type Colour = 'green' | 'yellow' | 'red' | 'bold' | 'dim';

const CODES: Readonly<Record<Colour, readonly [on: number, off: number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
};

export interface Terminal {
  /** Results: what a script may read. */
  out(text: string): void;
  /** Everything said to a person besides. */
  say(text: string): void;
  /** Whether results go to a terminal, which must not be driven by what they hold. */
  readonly isTerminal: boolean;
  /** The text in colour if results go to a terminal and nobody objects. */
  paint(colour: Colour, text: string): string;
}

type Stream = Writable & { readonly isTTY?: boolean };

export function openTerminal(
  stdout: Stream,
  stderr: Stream,
  environment: Readonly<Record<string, string | undefined>>,
): Terminal {
  const coloured = wantsColour(stdout.isTTY === true, environment);
  return {
    out: (text) => void stdout.write(text),
    say: (text) => void stderr.write(text),
    isTerminal: stdout.isTTY === true,
    paint: (colour, text) => (coloured ? `\u001b[${CODES[colour][0]}m${text}\u001b[${CODES[colour][1]}m` : text),
  };
}

/** https://no-color.org: any value but the empty one means no colour. */
export function wantsColour(isTerminal: boolean, environment: Readonly<Record<string, string | undefined>>): boolean {
  if ((environment['NO_COLOR'] ?? '') !== '') return false;
  return isTerminal && environment['TERM'] !== 'dumb';
}
