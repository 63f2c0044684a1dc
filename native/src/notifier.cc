#include "notifier.h"

#include <pthread.h>
#include <signal.h>

#include <cerrno>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <utility>

namespace dunnage {

struct Notifier::State {
  std::shared_ptr<FileDescriptor> device;
  std::mutex mutex;
  std::condition_variable changed;
  // Everything below is guarded by `mutex`; `device` is given up when the thread ends (or never started).
  std::deque<std::vector<uint8_t>> queue;
  uint64_t queued = 0;
  uint64_t written = 0;
  uint64_t failed = 0;
  bool writing = false;
  bool stopping = false;
  uint64_t wake_ticket = 0;
  uv_async_t* wake_handle = nullptr;
  // Used by the owner only.
  pthread_t thread{};
  bool started = false;
};

namespace {

constexpr size_t kStackBytes = 256 * 1024;

bool WriteNotification(int device, const std::vector<uint8_t>& message) {
  for (;;) {
    // Blocks although the descriptor is O_NONBLOCK: /dev/fuse heeds that for reads only.
    const ssize_t length = write(device, message.data(), message.size());
    // ENOENT: the kernel had nothing cached under that name or node, which is what was wanted.
    if (length >= 0 || errno == ENOENT) return true;
    if (errno != EINTR) return false;
  }
}

}  // namespace

Notifier::Notifier(std::shared_ptr<FileDescriptor> device) : state_(std::make_shared<State>()) {
  state_->device = std::move(device);
}

void* Notifier::Run(void* argument) {
  auto* owned = static_cast<std::shared_ptr<State>*>(argument);
  const std::shared_ptr<State> state = std::move(*owned);
  delete owned;
  std::unique_lock lock(state->mutex);
  for (;;) {
    state->changed.wait(lock, [&] { return state->stopping || !state->queue.empty(); });
    if (state->stopping) {
      state->device.reset();
      return nullptr;
    }
    const std::vector<uint8_t> message = std::move(state->queue.front());
    state->queue.pop_front();
    state->writing = true;
    lock.unlock();
    const bool done = WriteNotification(state->device->get(), message);
    lock.lock();
    state->writing = false;
    state->written++;
    if (!done) state->failed++;
    // Under the lock, so that the handle cannot be closed meanwhile.
    if (state->wake_handle != nullptr && state->written >= state->wake_ticket) {
      uv_async_send(std::exchange(state->wake_handle, nullptr));
    }
  }
}

int Notifier::Queue(std::vector<uint8_t> message) {
  if (!state_->started) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, kStackBytes);
    // Signals of the process are none of this thread's business.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    auto* owned = new std::shared_ptr<State>(state_);
    const int error = pthread_create(&state_->thread, &attributes, Run, owned);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    pthread_attr_destroy(&attributes);
    if (error != 0) {
      delete owned;
      return error;
    }
    state_->started = true;
  }
  const std::lock_guard lock(state_->mutex);
  state_->queue.push_back(std::move(message));
  state_->queued++;
  state_->changed.notify_one();
  return 0;
}

Notifier::Status Notifier::status() const {
  const std::lock_guard lock(state_->mutex);
  const size_t pending = state_->queue.size() + (state_->writing ? 1 : 0);
  return {pending, state_->failed, state_->queued, state_->written};
}

void Notifier::WakeAt(uint64_t ticket, uv_async_t* handle) {
  const std::lock_guard lock(state_->mutex);
  state_->wake_ticket = ticket;
  state_->wake_handle = handle;
  if (handle != nullptr && state_->written >= ticket) uv_async_send(std::exchange(state_->wake_handle, nullptr));
}

void Notifier::Stop() {
  bool idle;
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
    state_->wake_handle = nullptr;
    state_->queue.clear();
    idle = !state_->writing;
    state_->changed.notify_one();
  }
  if (!std::exchange(state_->started, false)) {
    state_->device.reset();
  } else if (idle) {
    pthread_join(state_->thread, nullptr);
  } else {
    pthread_detach(state_->thread);
  }
}

}  // namespace dunnage
