// A handle of libuv on the heap: libuv needs its memory until the close callback ran, maybe after the owner is gone.
#pragma once

#include <node_api.h>
#include <uv.h>

#include <functional>
#include <utility>

namespace dunnage {

template <typename Handle>
struct LoopHandle {
  Handle handle{};
  void* owner = nullptr;
  std::function<void()> on_closed;

  // In the loop of the environment. `init` is uv_async_init(3) or the like; null, with its error made a positive errno, if that fails.
  template <typename Init>
  static LoopHandle* Open(napi_env env, void* owner, Init init, int* error) {
    uv_loop_t* loop = nullptr;
    napi_get_uv_event_loop(env, &loop);
    auto* opened = new LoopHandle;
    *error = -init(loop, &opened->handle);
    if (*error != 0) {
      delete opened;
      return nullptr;
    }
    opened->owner = owner;
    opened->handle.data = opened;
    return opened;
  }

  uv_handle_t* base() { return reinterpret_cast<uv_handle_t*>(&handle); }

  // The owner may go away at once; `closed` runs in a later turn of the loop.
  void Close(std::function<void()> closed) {
    on_closed = std::move(closed);
    handle.data = this;
    uv_close(base(), [](uv_handle_t* closing) {
      auto* self = static_cast<LoopHandle*>(closing->data);
      const std::function<void()> done = std::move(self->on_closed);
      delete self;
      done();
    });
  }
};

}  // namespace dunnage
