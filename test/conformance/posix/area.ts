/** A topic of the suite and its scripts. */
import type { PosixAbility } from './subject.ts';

export interface Script {
  readonly title: string;
  /** See script.ts. */
  readonly text: string;
  readonly needs?: readonly PosixAbility[];
}

export interface Area {
  readonly area: string;
  readonly scripts: readonly Script[];
}

/** One script of an area. */
export function script(title: string, text: string, ...needs: readonly PosixAbility[]): Script {
  return { title, text, needs };
}

/** A name of 255 bytes, the longest there is. */
export const LONGEST_NAME: string = 'n'.repeat(255);
export const TOO_LONG_NAME: string = 'n'.repeat(256);
