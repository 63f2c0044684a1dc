// What is open: a handle of the kernel is a place in the memory that outlives the daemon and how often that was taken.
#pragma once

#include <cstdint>
#include <mutex>
#include <vector>

#include "memory.h"

namespace dunnage::loopback {

class OpenFiles {
 public:
  explicit OpenFiles(Memory* memory) : memory_(memory) {}

  // After a takeover. Calls `each(node id)` for every open file.
  template <typename Each>
  void Rebuild(Each each) {
    const uint32_t used = memory_->header()->files_used;
    for (uint32_t index = 1; index < used; index++) {
      const uint64_t node = memory_->open_file(index)->node;
      if (node == 0) {
        free_.push_back(index);
      } else {
        size_++;
        each(node);
      }
    }
  }

  // The handle, or 0 if too many are open.
  uint64_t Open(uint64_t node, uint32_t flags);
  // The id of the node that the handle was of; 0 if it is closed already.
  uint64_t Close(uint64_t handle);
  uint32_t size() const { return size_.load(std::memory_order_relaxed); }

 private:
  Memory* memory_;
  std::mutex mutex_;
  std::vector<uint32_t> free_;
  std::atomic<uint32_t> size_{0};
};

}  // namespace dunnage::loopback
