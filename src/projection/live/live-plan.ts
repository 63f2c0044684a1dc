/**
 * What is still to be told to watchers of one projection's live files: names to make and to take away, files whose content
 * or mode changed. Each is a system call that the agent makes through the mount; when it arrives at the file system it
 * leaves the plan. Until then a name to make is not shown, and one to take away is.
 */
import type { GenerationId } from '../../base/ids.ts';
import type { MountOperation } from '../../vfs/ports.ts';
import type { LiveKind } from './live-nodes.ts';

/** System calls to be made in one directory, relative to the mount. */
export interface LiveBatch {
  readonly directory: string;
  readonly operations: readonly MountOperation[];
}

export interface LivePlanRecord {
  readonly towards: GenerationId | 0;
  readonly creates: readonly (readonly [path: string, kind: LiveKind])[];
  readonly removes: readonly (readonly [path: string, kind: LiveKind])[];
  readonly writes: readonly string[];
  readonly modes: readonly (readonly [path: string, mode: number])[];
}

/** Whether a value out of the store is one. */
export function isPlanRecord(value: unknown): value is LivePlanRecord {
  const record = value as Partial<LivePlanRecord> | null | undefined;
  if (typeof record !== 'object' || record === null || !Number.isSafeInteger(record.towards)) return false;
  const { creates, removes, writes, modes } = record;
  const arePairs = (list: unknown, accept: (second: unknown) => boolean): boolean =>
    Array.isArray(list) && list.every((e) => Array.isArray(e) && typeof e[0] === 'string' && accept(e[1]));
  const isKind = (kind: unknown): boolean => kind === 'file' || kind === 'directory';
  return (
    arePairs(creates, isKind) &&
    arePairs(removes, isKind) &&
    Array.isArray(writes) &&
    writes.every((path) => typeof path === 'string') &&
    arePairs(modes, Number.isSafeInteger)
  );
}

const LIVE = 'live';
const NEW_DIRECTORY_MODE = 0o755;
/** The file that is made has the mode of its content whatever is asked for. */
const NEW_FILE_MODE = 0o600;

const depth = (path: string): number => (path === '' ? 0 : path.split('/').length);

export class LivePlan {
  /** The generation whose publication it announces; 0 for the deletion of the projection. */
  readonly towards: GenerationId | 0;
  readonly creates: Map<string, LiveKind>;
  readonly removes: Map<string, LiveKind>;
  readonly writes: Set<string>;
  readonly modes: Map<string, number>;

  constructor(record: LivePlanRecord) {
    this.towards = record.towards;
    this.creates = new Map(record.creates);
    this.removes = new Map(record.removes);
    this.writes = new Set(record.writes);
    this.modes = new Map(record.modes);
  }

  static empty(towards: GenerationId | 0): LivePlan {
    return new LivePlan({ towards, creates: [], removes: [], writes: [], modes: [] });
  }

  get isEmpty(): boolean {
    return this.creates.size + this.removes.size + this.writes.size + this.modes.size === 0;
  }

  get record(): LivePlanRecord {
    const { towards, creates, removes, writes, modes } = this;
    return { towards, creates: [...creates], removes: [...removes], writes: [...writes], modes: [...modes] };
  }

  /** Names go before names come: a path may change from file to directory. Deepest first, and then the other way round. */
  batches(projectionDirectory: string): LiveBatch[] {
    const batches: { directory: string; operations: MountOperation[] }[] = [];
    const add = (path: string, operation: (name: string) => MountOperation): void => {
      const whole = path === '' ? `${LIVE}/${projectionDirectory}` : `${LIVE}/${projectionDirectory}/${path}`;
      const slash = whole.lastIndexOf('/');
      const directory = whole.slice(0, slash);
      const last = batches.at(-1);
      const step = operation(whole.slice(slash + 1));
      if (last?.directory === directory) last.operations.push(step);
      else batches.push({ directory, operations: [step] });
    };
    const removes = [...this.removes].sort(([a], [b]) => depth(b) - depth(a));
    for (const [path, kind] of removes) add(path, (name) => ({ kind: kind === 'file' ? 'unlink' : 'rmdir', name }));
    const creates = [...this.creates].sort(([a], [b]) => depth(a) - depth(b));
    for (const [path, kind] of creates) {
      add(path, (name) =>
        kind === 'file'
          ? { kind: 'mknod', name, mode: NEW_FILE_MODE }
          : { kind: 'mkdir', name, mode: NEW_DIRECTORY_MODE },
      );
    }
    for (const path of this.writes) add(path, (name) => ({ kind: 'modify', name }));
    for (const [path, mode] of this.modes) add(path, (name) => ({ kind: 'chmod', name, mode }));
    return batches;
  }
}
