/**
 * System calls that would change the live view. One that is a step of a plan is let through and leaves the plan, whoever
 * makes it; everything else is EROFS. One that the kernel sends again (`caller.resent`) may have been carried out before.
 */
import type { ProjectionId } from '../../base/ids.ts';
import { DunnageError } from '../../errors/dunnage-error.ts';
import type { Caller, SetAttributesRequest } from '../../vfs/file-system.ts';
import type { LiveKind, LiveNode } from './live-nodes.ts';
import type { LivePlan } from './live-plan.ts';
import type { LivePublications } from './live-publications.ts';
import type { LiveView } from './live-view.ts';

export function readOnly(): DunnageError {
  return new DunnageError('READ_ONLY', 'live files are written through the control API only');
}

export class LiveSteps {
  readonly #view: LiveView;
  readonly #publications: Pick<LivePublications, 'settled'>;

  constructor(view: LiveView, publications: Pick<LivePublications, 'settled'>) {
    this.#view = view;
    this.#publications = publications;
  }

  make(projection: ProjectionId, path: string, kind: LiveKind, caller: Caller): void {
    const taken = this.#take(projection, (plan) => plan.creates.get(path) === kind && plan.creates.delete(path));
    if (taken || (caller.resent && this.#view.shown(projection, path)?.kind === kind)) return;
    throw readOnly();
  }

  remove(projection: ProjectionId, path: string, kind: LiveKind, caller: Caller): void {
    const taken = this.#take(projection, (plan) => plan.removes.get(path) === kind && plan.removes.delete(path));
    if (taken || (caller.resent && this.#view.shown(projection, path) === undefined)) return;
    throw readOnly();
  }

  /** Says nothing yet: that is the write's part. */
  openForWriting({ projection, path }: LiveNode): void {
    if (!this.#view.plans.get(projection)?.writes.has(path)) throw readOnly();
  }

  write({ projection, path }: LiveNode, caller: Caller): void {
    if (this.#take(projection, (plan) => plan.writes.delete(path)) || caller.resent) return;
    throw readOnly();
  }

  changeMode({ projection, path }: LiveNode, caller: Caller, request: SetAttributesRequest): void {
    const { mode, uid, gid, sizeBytes } = request;
    if (mode === undefined || uid !== undefined || gid !== undefined || sizeBytes !== undefined) throw readOnly();
    if (this.#take(projection, (plan) => plan.modes.get(path) === mode && plan.modes.delete(path))) return;
    const shown = this.#view.shown(projection, path);
    const isDone = shown?.state === 'present' && shown.node?.kind === 'file' && shown.node.mode === mode;
    if (!caller.resent || !isDone) throw readOnly();
  }

  #take(projection: ProjectionId, step: (plan: LivePlan) => boolean): boolean {
    const plan = this.#view.plans.get(projection);
    if (plan === undefined || !step(plan)) return false;
    this.#publications.settled(projection, plan);
    return true;
  }
}
