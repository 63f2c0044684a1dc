// Keeps the writable view from one batch to the next, as long as they follow each other closely.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>

#include "../file-descriptor.h"

namespace dunnage::agent {

// A view pins the file system against an unmount, and to close it waits for the kernel (an RCU grace period), which slows
// down whatever swap comes next. So it is closed by a thread of its own, when no batch has come for 20 to 40 ms.
class ViewKeeper {
 public:
  // `base` must outlive it. It never ends: its thread uses it.
  explicit ViewKeeper(const char* base);
  ViewKeeper(const ViewKeeper&) = delete;

  // The view, opened if there is none. Invalid with errno set if it cannot be opened.
  std::shared_ptr<const FileDescriptor> Take();

  // The view does not work (any more): the next batch opens another one.
  void Drop();

 private:
  [[noreturn]] void CloseIdle();

  const char* const base_;
  std::mutex mutex_;
  std::condition_variable opened_;
  std::shared_ptr<const FileDescriptor> view_;
  bool used_ = false;
};

}  // namespace dunnage::agent
