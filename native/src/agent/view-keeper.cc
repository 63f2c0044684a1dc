#include "view-keeper.h"

#include <chrono>
#include <thread>
#include <utility>

#include "view.h"

namespace dunnage::agent {
namespace {

constexpr std::chrono::milliseconds kLook{20};

}  // namespace

ViewKeeper::ViewKeeper(const char* base) : base_(base) { std::thread([this] { CloseIdle(); }).detach(); }

std::shared_ptr<const FileDescriptor> ViewKeeper::Take() {
  const std::lock_guard lock(mutex_);
  used_ = true;
  if (view_ != nullptr) return view_;
  auto opened = std::make_shared<const FileDescriptor>(OpenWritableView(base_));
  if (!opened->valid()) return opened;
  view_ = std::move(opened);
  opened_.notify_one();
  return view_;
}

void ViewKeeper::Drop() {
  const std::lock_guard lock(mutex_);
  view_.reset();
}

// Looks at intervals, so that no batch has to wake it.
void ViewKeeper::CloseIdle() {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      opened_.wait(lock, [this] { return view_ != nullptr; });
    }
    std::this_thread::sleep_for(kLook);
    std::shared_ptr<const FileDescriptor> idle;
    const std::lock_guard lock(mutex_);
    if (!std::exchange(used_, false)) idle = std::move(view_);
    // `idle` was declared first: it is closed when the lock is free again.
  }
}

}  // namespace dunnage::agent
