/**
 * Over fuse-native nobody can tell the kernel to forget a name. It forgets by itself when it looks the name up again and
 * finds it gone: the agent makes it look, with an rmdir(2) that cannot succeed.
 */
import { constants } from 'node:os';
import type { NodeId, ProjectionId } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import type { Catalog } from '../projection/catalog.ts';
import type { ThroughMount } from '../vfs/ports.ts';

export interface LapsedNames {
  readonly catalog: Pick<Catalog, 'refresh' | 'projection'>;
  readonly throughMount: ThroughMount;
  readonly log: Log;
}

/** Never rejects: what is not forgotten now is forgotten when the kernel needs memory. */
export async function lookUpLapsed(
  { catalog, throughMount, log }: LapsedNames,
  parent: NodeId,
  name: string,
): Promise<void> {
  try {
    catalog.refresh();
    const directory = catalog.projection(parent as number as ProjectionId)?.directory;
    // With its projection the kernel forgets the name too.
    if (directory === undefined) return;
    const [errno] = await throughMount.run(directory, [{ kind: 'rmdir', name }]);
    if (errno !== constants.errno.ENOENT)
      log.debug({ directory, errno }, 'a replaced generation is still known to the kernel');
  } catch (error) {
    log.debug({ error: String(error) }, 'a replaced generation could not be looked up');
  }
}
