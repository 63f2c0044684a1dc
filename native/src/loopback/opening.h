#pragma once

#include "descriptor-cache.h"
#include "engine.h"

namespace dunnage::loopback {

// Makes a handle of an open file and says how the kernel shall read and write it. Takes `descriptor`, which may be -1: then
// it is opened when it is needed. All opens of one inode have the same mode, with or without passthrough: the kernel insists.
int OpenFileOf(Call& call, Node* node, uint32_t flags, int descriptor, DescriptorKind kind, OpenOut* open);

}  // namespace dunnage::loopback
