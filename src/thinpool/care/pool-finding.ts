/** What a check of a pool finds, as data. */
export interface PoolFinding {
  /** A device, an image, a part of the pool. */
  readonly object: string;
  readonly what: string;
  /** By a repair of the pool. */
  readonly repairable: boolean;
  /** What a repair does or did, or what somebody has to do. */
  readonly action: string;
}

export interface CareReport {
  readonly repaired: readonly PoolFinding[];
  readonly remaining: readonly PoolFinding[];
  /** What was not looked at and why; where damaged metadata were saved. */
  readonly notes: readonly string[];
}

/** A device as its record says it. */
export interface ExpectedDevice {
  readonly name: string;
  readonly id: number;
  readonly sizeBytes: number;
}

/** What a look has found, and what it could not look at. */
export interface Inspection {
  readonly findings: readonly PoolFinding[];
  readonly notes: readonly string[];
}

export const WELL: Inspection = { findings: [], notes: [] };

export function joined(inspections: readonly Inspection[]): Inspection {
  return {
    findings: inspections.flatMap(({ findings }) => findings),
    notes: [...new Set(inspections.flatMap(({ notes }) => notes))],
  };
}
