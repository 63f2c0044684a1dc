/**
 * Events of the device-mapper: one number for all its devices, which the kernel counts up whenever one of them has something to tell (a
 * pool that is low, full or damaged, a new table). Waiting needs neither a thread nor a program: the control device becomes readable.
 */
import { closeSync, openSync } from 'node:fs';
import type { Log } from '../../base/log.ts';
import type { NativeBinding } from '../../native/binding.ts';
import { CONTROL_DEVICE } from './control.ts';
import { COMMANDS, encodeRequest } from './wire.ts';

/** Calls back after each event. Undefined where the kernel cannot be waited for (before Linux 4.13); otherwise ends it. */
export async function watchDeviceMapper(
  native: NativeBinding,
  onEvent: () => void,
  log: Log,
): Promise<(() => void) | undefined> {
  // Of its own: which event was the last one seen belongs to the open file.
  const control = openSync(CONTROL_DEVICE, 'r+');
  const arm = (): Promise<Buffer> => native.deviceMapperCommand(control, COMMANDS.armPoll, encodeRequest({}));
  let isEnded = false;
  let stopWaiting: (() => void) | undefined;
  let arming: Promise<unknown>;
  const wait = (): void => {
    if (isEnded) return;
    stopWaiting = native.watchReadable(control, () => {
      arming = arm().then(wait, (error: unknown) => {
        log.warn({ error: String(error) }, 'events of the device-mapper are not heard any more');
      });
      // What happens from now on is another event.
      void arming.then(() => isEnded || onEvent());
    });
  };
  try {
    arming = arm();
    await arming;
  } catch (error) {
    closeSync(control);
    log.debug({ error: String(error) }, 'this kernel does not tell of events of the device-mapper');
    return undefined;
  }
  wait();
  return () => {
    if (isEnded) return;
    isEnded = true;
    stopWaiting?.();
    // A command that is under way has the descriptor.
    void arming.then(() => closeSync(control));
  };
}
