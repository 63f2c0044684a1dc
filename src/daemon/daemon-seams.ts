import type { StepHook } from '../projection/atomic-writer.ts';
import type { ThroughMount } from '../vfs/ports.ts';

/** Where tests inject faults. */
export interface DaemonSeams {
  /** Stands between the projections and the agent. */
  readonly throughMount?: (agent: ThroughMount) => ThroughMount;
  /** Called at each step of the atomic writer. */
  readonly onStep?: StepHook;
  /** Called before each step of work on allocs: `record creating`, `tmpfs`, `bind`, `seal`, `changed` ... */
  readonly onAllocStep?: (step: string) => void;
  /** Called before each record of a pool is written: `record creating` ... */
  readonly onPoolStep?: (step: string) => void;
}
