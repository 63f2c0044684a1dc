/**
 * A full pool lets writes wait for room, but the kernel loses its patience after a minute and fails them all: what was written to files
 * and not flushed is lost then. A pool that promises more than it has must be able to wait until somebody has made room.
 *
 * The time is one for all pools of the host. It is only ever switched off here: others who want it have set it themselves.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import type { Log } from '../../base/log.ts';

const PARAMETER = '/sys/module/dm_thin_pool/parameters/no_space_timeout';
const WAIT_FOR_EVER = '0';

/** Whether writes to a full pool wait as long as it takes. */
export function waitForSpaceWithoutEnd(log: Log, path: string = PARAMETER): boolean {
  try {
    const before = readFileSync(path, 'utf8').trim();
    if (before === WAIT_FOR_EVER) return true;
    writeFileSync(path, WAIT_FOR_EVER);
    log.info({ path, beforeSeconds: Number(before) }, 'writes to full pools of the host wait until there is room');
    return true;
  } catch (error) {
    log.warn(
      { path, error: String(error) },
      'writes to a full pool fail after a time: the kernel cannot be told to let them wait',
    );
    return false;
  }
}
