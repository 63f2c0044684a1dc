// What happens when nobody serves the tree any more.
#pragma once

namespace dunnage::holder {

// Aborts the FUSE connections of dunnage at and beneath `mount_point` (where mount(2) is allowed) and detaches the mounts at
// it. Our descriptors must be closed before: nothing here may wait for an answer. May replace the process by
// fusermount3, so it comes last.
void DetachMounts(const char* mount_point);

}  // namespace dunnage::holder
