/** An alloc as others are told of it, and what there is to say of it in sentences. */
import type { AllocRecord } from './alloc-records.ts';
import type { PresentedState } from './presented-projections.ts';

export interface AllocView extends AllocRecord {
  readonly presented: readonly PresentedState[];
  /** For whom its deletion waits, in words. */
  readonly awaiting: readonly string[];
}

/** For who looks at the alloc. */
export function notesOf(view: AllocView): string[] {
  const { state, reason, awaiting, secretsLost } = view;
  return [
    ...(state === 'broken' ? [`broken: ${reason ?? 'unknown'}`] : []),
    ...awaiting.map((what) => `deletion waits: ${what}`),
    ...(secretsLost === undefined
      ? []
      : [
          `secrets of ${secretsLost.tasks.join(', ')} are empty since a restart: fill them, then apply the manifest again`,
        ]),
    ...missingOf(view).map((one) => `${one.task}/${one.path} waits: ${one.reason}`),
  ];
}

/** For who looks at the daemon. */
export function warningsOf(view: AllocView): string[] {
  const { state, reason, awaiting, secretsLost } = view;
  const { id } = view.spec;
  return [
    ...(state === 'broken' ? [`alloc ${id} is broken: ${reason}`] : []),
    ...(awaiting.length > 0 ? [`alloc ${id} is being deleted, and waits: ${awaiting.join('; ')}`] : []),
    ...(secretsLost === undefined ? [] : [secretsLostSentence(id, secretsLost.tasks)]),
    ...missingOf(view).map((one) => `alloc ${id}, task ${one.task}: ${one.path} waits: ${one.reason}`),
  ];
}

/** Projections that are wanted, and not there. */
function missingOf({ state, presented }: AllocView): readonly PresentedState[] {
  return state === 'deleting' ? [] : presented.filter((one) => !one.presented);
}

function secretsLostSentence(id: string, tasks: readonly string[]): string {
  return `alloc ${id}: secrets of ${tasks.join(', ')} are empty since a restart of the host or of the tree; fill them, then apply the manifest again`;
}
