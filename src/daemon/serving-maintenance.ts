/** Checking and mending the state of a daemon that serves it. */
import { systemClock } from '../base/clock.ts';
import type { ProjectionService } from '../projection/projection-service.ts';
import type { BlobStore } from '../store/blob-store.ts';
import type { SealingKey } from '../store/sealing-key.ts';
import type { Store } from '../store/store.ts';
import type { FuseThread } from './fuse-thread-client.ts';
import { servingGarbagePort } from './garbage.ts';
import { Maintenance } from './maintenance.ts';
import type { ServedTree } from './served-tree.ts';
import { lookupsIn, takeoverMemory } from './takeover-memory.ts';

export interface ServingParts {
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly sealingKey: SealingKey;
  readonly tree: Pick<ServedTree, 'memoryDescriptor'>;
  readonly thread: Pick<FuseThread, 'forgetContent' | 'invalidate'>;
  readonly projections: ProjectionService;
}

/** What is mended of content is told to the FUSE thread, which has files open and answers that the kernel keeps. */
export function servingMaintenance(stateDir: string, parts: ServingParts): Maintenance {
  const { store, blobs, sealingKey, tree, thread, projections } = parts;
  blobs.onReplaced((digest) => thread.forgetContent(digest));
  return new Maintenance({
    ...{ store, stateDir, key: sealingKey, clock: systemClock },
    serving: {
      isInUse: (digest) => blobs.isInUse(digest),
      onDamaged: (digest, nodes) => {
        thread.forgetContent(digest);
        thread.invalidate(nodes);
      },
    },
    // A serving process counts for itself: it says when a generation is forgotten, not who holds it.
    garbage: servingGarbagePort(projections, () => lookupsIn(takeoverMemory(tree.memoryDescriptor))),
  });
}
