// watchReadable: calls back once when a descriptor becomes readable or hangs up.
//
// libuv must not be given a descriptor that its owner may close before it stops to watch: the number would come back as
// somebody else's file. A duplicate would keep the connection open against its owner's wish. So the watch has an
// epoll set of its own, which neither holds what it watches nor minds that it goes, and libuv polls that set.
#include <sys/epoll.h>
#include <uv.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <utility>

#include "arguments.h"
#include "callback.h"
#include "cleanup-hook.h"
#include "exports.h"
#include "file-descriptor.h"
#include "loop-handle.h"
#include "system-error.h"

namespace dunnage {
namespace {

// Owned jointly by the returned function and, while it polls, by the handle.
class Watch : public std::enable_shared_from_this<Watch> {
 public:
  Watch(Napi::Env env, FileDescriptor events, Napi::Function callback)
      : env_(env), events_(std::move(events)), callback_(Napi::Persistent(callback)) {
    async_context_.emplace(env, "DunnageWatch");
  }

  // 0 or an errno.
  int Start() {
    int error = 0;
    poll_ = LoopHandle<uv_poll_t>::Open(
        env_, this, [this](uv_loop_t* loop, uv_poll_t* handle) { return uv_poll_init(loop, handle, events_.get()); }, &error);
    if (poll_ == nullptr) return error;
    cleanup_.emplace(env_, [this] {
      environment_ends_ = true;
      Stop();
    });
    uv_poll_start(&poll_->handle, UV_READABLE, OnEvent);
    return 0;
  }

  void Stop() {
    if (poll_ == nullptr) return;
    uv_poll_stop(&poll_->handle);
    std::exchange(poll_, nullptr)->Close([self = shared_from_this()] {
      self->events_.Close();
      if (!self->environment_ends_) {
        self->callback_.Reset();
        self->async_context_.reset();
      } else {
        self->callback_.SuppressDestruct();
      }
      self->cleanup_->Remove();
    });
  }

 private:
  static void OnEvent(uv_poll_t* handle, int, int) {
    auto* poll = static_cast<LoopHandle<uv_poll_t>*>(handle->data);
    const std::shared_ptr<Watch> self = static_cast<Watch*>(poll->owner)->shared_from_this();
    const Napi::HandleScope handles(self->env_);
    const Napi::CallbackScope callbacks(self->env_, *self->async_context_);
    const napi_value callback = self->callback_.Value();
    self->Stop();
    CallBack(self->env_, callback, std::nullopt);
  }

  Napi::Env env_;
  FileDescriptor events_;
  Napi::FunctionReference callback_;
  std::optional<Napi::AsyncContext> async_context_;
  std::optional<CleanupHook> cleanup_;
  LoopHandle<uv_poll_t>* poll_ = nullptr;
  bool environment_ends_ = false;
};

Napi::Value WatchReadable(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int number = arguments.Descriptor();
  const Napi::Function callback = arguments.Function();
  if (arguments.failed()) return info.Env().Undefined();
  FileDescriptor events(epoll_create1(EPOLL_CLOEXEC));
  if (!events.valid()) return ThrowSystemError(info.Env(), errno, "epoll_create1");
  epoll_event wanted{};
  wanted.events = EPOLLIN | EPOLLRDHUP;  // EPOLLHUP and EPOLLERR are told anyway
  if (epoll_ctl(events.get(), EPOLL_CTL_ADD, number, &wanted) != 0) {
    return ThrowSystemError(info.Env(), errno, "epoll_ctl");
  }
  const auto watch = std::make_shared<Watch>(info.Env(), std::move(events), callback);
  const int error = watch->Start();
  if (error != 0) return ThrowSystemError(info.Env(), error, "uv_poll_init");
  return Napi::Function::New(info.Env(), [watch](const Napi::CallbackInfo&) { watch->Stop(); }, "stop");
}

}  // namespace

void ExportWatch(Napi::Env env, Napi::Object exports) {
  exports.Set("watchReadable", Napi::Function::New(env, WatchReadable, "watchReadable"));
}

}  // namespace dunnage
