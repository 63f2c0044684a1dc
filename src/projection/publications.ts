/** What the tree of projections tells whoever shows the same content elsewhere: the live view. On the FUSE thread. */
import type { GenerationId, ProjectionId } from '../base/ids.ts';

export interface Publications {
  /**
   * The commit of a swap begins; `published` or `abandoned` follows. Until then others see it in the store, although it is
   * not durable yet. What this throws fails the swap.
   */
  begin(projection: ProjectionId, next: GenerationId): void;
  published(projection: ProjectionId): void;
  abandoned(projection: ProjectionId): void;
  /** The directory of a projection that is being deleted was removed. */
  removed(projection: ProjectionId): void;
}
