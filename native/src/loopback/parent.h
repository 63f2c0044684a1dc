#pragma once

#include <cerrno>

#include "engine.h"

namespace dunnage::loopback {

// The directory in which a name is made or removed.
struct Parent {
  Node* node = nullptr;
  DescriptorCache::Use directory;

  int Find(Call& call, uint64_t id) {
    node = call.engine.nodes.Find(id);
    if (node == nullptr) return ESTALE;
    if (call.engine.IsSealed(node)) return EROFS;
    return call.engine.PathOf(node, &directory);
  }
};

}  // namespace dunnage::loopback
