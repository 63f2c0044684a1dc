// Writes notifications to /dev/fuse from a thread that serves nobody.
//
// An INVAL_ENTRY waits in the kernel for the lock of its directory. Whoever holds that lock may be waiting for an answer
// of the thread that serves: if that one wrote the notification, neither would ever end. For the same reason nobody
// may join this thread while it is inside write(2): `Stop` joins it only if it is idle and lets it go otherwise. What
// the thread needs (queue, descriptor) belongs to both through a shared_ptr.
#pragma once

#include <uv.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "file-descriptor.h"

namespace dunnage {

class Notifier {
 public:
  struct Status {
    size_t pending;
    uint64_t failed;
    uint64_t queued;   // notifications ever queued
    uint64_t written;  // notifications done with, failed ones included
  };

  explicit Notifier(std::shared_ptr<FileDescriptor> device);
  ~Notifier() { Stop(); }

  // Starts the thread with the first message. 0 or the errno with which the thread could not be started.
  int Queue(std::vector<uint8_t> message);
  Status status() const;
  // Signals the handle as soon as `written` is at least `ticket`. One wish at a time; a null handle takes it back.
  void WakeAt(uint64_t ticket, uv_async_t* handle);
  // Drops what is queued and gives up the device, unless a write is under way: then when that one ends. `status` may
  // still be asked. Idempotent.
  void Stop();

 private:
  struct State;
  static void* Run(void* argument);

  std::shared_ptr<State> state_;
};

}  // namespace dunnage
