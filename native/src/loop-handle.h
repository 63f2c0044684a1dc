// A handle of libuv on the heap: libuv needs its memory until the close callback ran, maybe after the owner is gone.

#include <uv.h>

#include <functional>
#include <utility>

namespace dunnage {

template <typename Handle>
struct LoopHandle {
  Handle handle{};
  void* owner = nullptr;
  std::function<void()> on_closed;

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
