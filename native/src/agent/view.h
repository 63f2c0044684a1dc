// How the agent gets at the tree that everybody else sees read-only.
#pragma once

#include <string>

#include "../file-descriptor.h"

namespace dunnage::agent {

// A descriptor (O_PATH) of `base` beneath which may be written. The visible mount point is read-only as a mount, not
// as a file system: a clone of it that is attached nowhere, and that only this process has, is made writable. Opening
// takes about 5 us, closing it 40 us and more, so it is kept for a moment (view-keeper.h).
// Where the process may not do that (no CAP_SYS_ADMIN, before Linux 5.12), `base` as it is. Invalid with errno set if
// the base cannot be opened.
FileDescriptor OpenWritableView(const char* base);

// A directory beneath `view`, without following any link and without leaving it; '' is the view's own root.
FileDescriptor OpenDirectoryBeneath(int view, const std::string& path);

}  // namespace dunnage::agent
