// What happens when nobody serves the tree any more.
#pragma once

namespace dunnage::holder {

// Detaches the FUSE mounts of dunnage at `mount_point`. Its descriptors must be closed before: then their connections
// are aborted and nothing here waits for an answer. May replace the process by fusermount3, so it comes last.
void DetachMounts(const char* mount_point);

}  // namespace dunnage::holder
