// A clone of a host directory in which dunnage's own places are not to be seen.
#pragma once

#include <string>
#include <vector>

#include "../file-descriptor.h"

namespace dunnage::agent {

bool IsAtOrBeneath(const std::string& path, const std::string& parent);

// Clones the mounts at and, if `recursive`, beneath `source`, attached nowhere. Mounts of dunnage in it are left out, and each path of `hidden` that
// lies beneath it is covered by an empty directory. Invalid, with errno set, if that fails.
FileDescriptor CloneWithout(const std::string& source, bool recursive, const std::vector<std::string>& hidden);

}  // namespace dunnage::agent
