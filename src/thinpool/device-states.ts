/**
 * The life of a thin device as data: its states, which operation leads from which to which, and what a start makes of a state
 * that it finds.
 *
 * An operation writes its "trying" state, durably, then acts, then writes its "done" state. So whoever finds a trying state knows that
 * the act may have happened or not, and asks the pool which.
 *
 *   Unknown -> Creating -> Created -> Activating -> Activated <-> Suspending/Suspended/Resuming/Resumed
 *                                        ^              |
 *                                        |        Deactivating -> Deactivated -> Removing -> (no record)
 *                                        +--------------------------+
 *   Faulty: what could neither be finished nor undone; `repair` tries again. Removed: marked for a later cleanup.
 */
export const DEVICE_STATES = [
  'Unknown',
  'Creating',
  'Created',
  'Activating',
  'Activated',
  'Suspending',
  'Suspended',
  'Resuming',
  'Resumed',
  'Deactivating',
  'Deactivated',
  'Removing',
  'Removed',
  'Faulty',
] as const;

export type DeviceState = (typeof DEVICE_STATES)[number];

export function isDeviceState(text: unknown): text is DeviceState {
  return (DEVICE_STATES as readonly unknown[]).includes(text);
}

export interface DeviceOperation {
  readonly trying: DeviceState;
  readonly done: DeviceState;
  /** In any other state the operation is refused. */
  readonly from: readonly DeviceState[];
}

const LIVE: readonly DeviceState[] = ['Activated', 'Resumed'];

export type DeviceOperationName = 'create' | 'activate' | 'suspend' | 'resume' | 'deactivate' | 'remove';

export const DEVICE_OPERATIONS: Readonly<Record<DeviceOperationName, DeviceOperation>> = {
  create: { trying: 'Creating', done: 'Created', from: ['Unknown'] },
  activate: { trying: 'Activating', done: 'Activated', from: ['Created', 'Deactivated', ...LIVE, 'Suspended'] },
  suspend: { trying: 'Suspending', done: 'Suspended', from: [...LIVE, 'Suspended'] },
  resume: { trying: 'Resuming', done: 'Resumed', from: ['Suspended', ...LIVE] },
  deactivate: {
    trying: 'Deactivating',
    done: 'Deactivated',
    from: [...LIVE, 'Suspended', 'Created', 'Deactivated', 'Removed'],
  },
  remove: {
    trying: 'Removing',
    done: 'Removed',
    from: [...LIVE, 'Suspended', 'Created', 'Deactivated', 'Removed', 'Faulty'],
  },
};

/**
 * What becomes of a state that is found at a start, or that an operation left because its last word could not be written.
 *   undo        the device was never handed to anybody: it goes, with its record, and its id is free
 *   finish-...  the act is done again, or was done already
 *   keep-active it is active and takes writes: whatever is missing of that is made up for
 *   keep        nothing to do
 */
export type Settlement =
  | 'undo'
  | 'finish-activate'
  | 'keep-active'
  | 'keep-suspended'
  | 'finish-deactivate'
  | 'finish-remove'
  | 'keep';

export const SETTLEMENTS: Readonly<Record<DeviceState, Settlement>> = {
  Unknown: 'undo',
  Creating: 'undo',
  // From here on the content is the user's: nothing is undone any more.
  Created: 'finish-activate',
  Activating: 'finish-activate',
  Activated: 'keep-active',
  // Nobody was told that writes wait, and nobody would let them go on: so they go on.
  Suspending: 'keep-active',
  Suspended: 'keep-suspended',
  Resuming: 'keep-active',
  Resumed: 'keep-active',
  Deactivating: 'finish-deactivate',
  Deactivated: 'keep',
  Removing: 'finish-remove',
  Removed: 'keep',
  Faulty: 'keep',
};

/** The act may have happened or not: an operation must not build on that. */
export function isInBetween(state: DeviceState): boolean {
  return state === 'Unknown' || Object.values(DEVICE_OPERATIONS).some((operation) => operation.trying === state);
}
