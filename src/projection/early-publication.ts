/**
 * The projections tree for a transport that forgets the path of a replaced name while it waits for the answer to rename(2):
 * libfuse 2.9, where whoever follows `..data` in that time gets ENOENT. So the commit of a swap, which waits for the disk, is
 * made with the symlink(2) of `..data_tmp` just before; the rename only moves the name, and is answered at once.
 *
 * The order of what a watcher sees is the same: when `..data` is moved, the generation is published and durable. If
 * the writer dies in between, the generation is published without that event.
 */
import type { NodeId } from '../base/ids.ts';
import type { Caller, Entry, FileSystem } from '../vfs/file-system.ts';
import { DATA_LINK, STAGING_LINK } from './layout.ts';
import type { ProjectionTree } from './projection-tree.ts';

export function publishingEarly(tree: ProjectionTree): FileSystem {
  /** Directories whose swap is committed and whose name has not moved yet. */
  const committed = new Set<NodeId>();
  return {
    lookup: (caller, parent, name) => tree.lookup(caller, parent, name),
    forget: (nodeId, count) => tree.forget(nodeId, count),
    getAttributes: (caller, nodeId) => tree.getAttributes(caller, nodeId),
    readDirectory: (caller, nodeId, handle, cookie) => tree.readDirectory(caller, nodeId, handle, cookie),
    statFileSystem: (caller, nodeId) => tree.statFileSystem(caller, nodeId),
    readLink: (caller, nodeId) => tree.readLink(caller, nodeId),
    read: (caller, nodeId, handle, offset, sizeBytes) => tree.read(caller, nodeId, handle, offset, sizeBytes),
    makeDirectory: (caller, parent, name) => tree.makeDirectory(caller, parent, name),
    removeDirectory: (caller, parent, name) => tree.removeDirectory(caller, parent, name),

    async makeSymlink(caller: Caller, parent: NodeId, name: string, target: string): Promise<Entry> {
      const entry = tree.makeSymlink(caller, parent, name, target);
      if (name !== STAGING_LINK) return entry;
      try {
        await tree.rename(caller, parent, STAGING_LINK, parent, DATA_LINK, 0);
      } catch (error) {
        if (entry.attributes !== undefined) tree.forget(entry.attributes.nodeId, 1);
        throw error;
      }
      committed.add(parent);
      return entry;
    },

    async rename(caller, parent, name, newParent, newName, flags): Promise<void> {
      const isSwap = parent === newParent && name === STAGING_LINK && newName === DATA_LINK;
      if (isSwap && committed.delete(parent)) return;
      await tree.rename(caller, parent, name, newParent, newName, flags);
    },

    unlink(caller, parent, name): void {
      if (name === STAGING_LINK) committed.delete(parent);
      tree.unlink(caller, parent, name);
    },
  };
}
