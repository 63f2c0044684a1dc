#include "open-files.h"

namespace dunnage::loopback {

uint64_t OpenFiles::Open(uint64_t node, uint32_t flags) {
  uint32_t index;
  {
    const std::lock_guard lock(mutex_);
    auto& used = memory_->header()->files_used;
    if (!free_.empty()) {
      index = free_.back();
      free_.pop_back();
    } else {
      // Place 0 is never used: the kernel sends handle 0 where nothing was opened.
      index = used < 1 ? 1 : used.load();
      if (index >= Memory::kOpenFiles) return 0;
      used = index + 1;
    }
  }
  OpenFile* file = memory_->open_file(index);
  file->flags = flags;
  file->sequence++;
  file->node.store(node, std::memory_order_release);
  size_++;
  return (uint64_t{file->sequence} << Memory::kOpenFileBits) | index;
}

uint64_t OpenFiles::Close(uint64_t handle) {
  const uint64_t index = handle & (Memory::kOpenFiles - 1);
  if (index == 0 || index >= memory_->header()->files_used) return 0;
  OpenFile* file = memory_->open_file(index);
  if (file->sequence != static_cast<uint32_t>(handle >> Memory::kOpenFileBits)) return 0;
  const uint64_t node = file->node.exchange(0, std::memory_order_acq_rel);
  if (node == 0) return 0;
  size_--;
  const std::lock_guard lock(mutex_);
  free_.push_back(static_cast<uint32_t>(index));
  return node;
}

}  // namespace dunnage::loopback
