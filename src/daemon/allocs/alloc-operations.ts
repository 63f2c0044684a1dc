/** The part of the control API about allocs, answered from the service, or with the reason why there is none. */

import { once } from 'node:events';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import type { AllocService } from '../../alloc/service/alloc-service.ts';
import type { AllocSpec } from '../../alloc/service/alloc-spec.ts';
import { type AllocView, notesOf } from '../../alloc/service/alloc-view.ts';
import { DunnageError } from '../../errors/dunnage-error.ts';
import type { AllocDetail, AllocOperations, AllocSummary, TaskSummary } from '../../server/alloc-operations.ts';
import type { AllocApplyResult } from '../../server/operations.ts';

/** Bytes of a snapshot on their way to a client that is slower. */
const SNAPSHOT_BUFFER_BYTES = 1024 * 1024;

export interface AllocControl extends AllocOperations {
  applyAlloc(spec: AllocSpec, onlyNew: boolean): Promise<AllocApplyResult>;
}

/** `service` is undefined where the tree has no allocs. `visiblePath`: where they are seen. */
export function createAllocOperations(service: AllocService | undefined, visiblePath: string): AllocControl {
  const allocs = (): AllocService => {
    if (service !== undefined) return service;
    throw new DunnageError('NOT_SUPPORTED', 'this daemon has no alloc directories', {
      remedy: 'they need root and the kernel transport; if it has both, dunnage status says what is missing',
    });
  };
  return {
    async applyAlloc(spec: AllocSpec, onlyNew: boolean): Promise<AllocApplyResult> {
      const action = await allocs().apply(spec, onlyNew);
      const missing = allocs()
        .get(spec.id)
        .presented.filter(({ presented }) => !presented);
      const warnings = missing.map(({ task, path, reason }) => `${task}/${path} waits: ${reason}`);
      const result = { kind: 'Alloc', namespace: 'default', name: spec.id, directory: spec.id, action } as const;
      return warnings.length === 0 ? result : { ...result, warnings };
    },

    listAllocs: async () => (service?.list() ?? []).map(toSummary),

    getAlloc: async (id: string) => toDetail(allocs().get(id), visiblePath),

    async deleteAlloc(id: string) {
      const awaiting = await allocs().delete(id);
      return { id, deleted: awaiting.length === 0, awaiting };
    },

    async moveAlloc(from: string, to: string) {
      return { from, to, tasks: await allocs().move(from, to) };
    },

    async snapshotAlloc(id: string): Promise<AsyncIterable<Uint8Array>> {
      const output = new PassThrough({ highWaterMark: SNAPSHOT_BUFFER_BYTES });
      const leaving = new AbortController();
      // A client that goes away ends the reading of files for it.
      output.once('close', () => leaving.abort(new DunnageError('INTERRUPTED', 'nobody reads the snapshot any more')));
      const done = allocs().snapshot(id, output, leaving.signal);
      // Also after a failure: what was written, the error entry included, is read first.
      const ended = (): void => void output.end();
      done.then(ended, ended);
      // What is wrong before the first byte is an answer of its own.
      await Promise.race([done, once(output, 'readable')]);
      return untilDone(output, done);
    },

    async restoreAlloc(id: string, tar: AsyncIterable<Uint8Array>) {
      const { replaced, entries, bytes } = await allocs().restore(id, tar);
      return { id, replaced, entries, sizeBytes: bytes };
    },
  };
}

async function* untilDone(output: AsyncIterable<Uint8Array>, done: Promise<unknown>): AsyncGenerator<Uint8Array> {
  yield* output;
  await done;
}

function toSummary(view: AllocView): AllocSummary {
  const { spec, state, createdAtMs } = view;
  return { id: spec.id, state, tasks: spec.tasks.length, createdAtMs, notes: notesOf(view) };
}

function toDetail(view: AllocView, visiblePath: string): AllocDetail {
  const { spec, presented } = view;
  const path = join(visiblePath, spec.id);
  const tasks = spec.tasks.map(
    (task): TaskSummary => ({
      name: task.name,
      path: join(path, task.name),
      isolation: task.isolation,
      ...(task.user === undefined ? {} : { user: task.user }),
      secretsSizeBytes: task.secretsSizeBytes,
      projections: task.projections.map((wanted) => {
        const state = presented.find((one) => one.task === task.name && one.path === wanted.path);
        const reason = state?.reason === undefined ? {} : { reason: state.reason };
        return { ...wanted, presented: state?.presented === true, ...reason };
      }),
    }),
  );
  return { ...toSummary(view), path, tasks };
}
