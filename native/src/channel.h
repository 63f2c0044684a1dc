// One /dev/fuse descriptor, polled in the event loop of the thread that made the channel.
//
// Everything here runs on that thread; only `notifier_` has one of its own. The channel works on its own duplicate of
// the caller's descriptor, so that a number which the caller closes and the system gives to another file is never
// written to.
//
//   created --start--> polling --end of connection--> ended --close--> closing --libuv let go--> closed
//
// `close` is allowed in every state, also from inside `onRequest`; the end of the environment does the same.
#pragma once

#include <napi.h>
#include <uv.h>

#include <chrono>
#include <memory>
#include <optional>
#include <vector>

#include "cleanup-hook.h"
#include "drains.h"
#include "file-descriptor.h"
#include "loop-handle.h"
#include "notifier.h"

namespace dunnage {

class Channel : public Napi::ObjectWrap<Channel> {
 public:
  static Napi::Function Define(Napi::Env env);

  // Arguments: descriptor, ChannelOptions.
  explicit Channel(const Napi::CallbackInfo& info);
  ~Channel() override;

 private:
  Napi::Value RequestBuffer(const Napi::CallbackInfo&) { return request_value_.Value(); }
  Napi::Value ReplyBuffer(const Napi::CallbackInfo&) { return reply_value_.Value(); }
  Napi::Value Start(const Napi::CallbackInfo& info);
  Napi::Value Send(const Napi::CallbackInfo& info);
  Napi::Value Notify(const Napi::CallbackInfo& info);
  Napi::Value NotifierStatus(const Napi::CallbackInfo& info);
  Napi::Value NotifierDrained(const Napi::CallbackInfo& info);
  Napi::Value Close(const Napi::CallbackInfo& info);

  static void OnReadable(uv_poll_t* handle, int status, int events);
  static void OnNotifierWake(uv_async_t* handle);
  void ServeTurn(bool hung_up);
  bool Lingers(std::chrono::steady_clock::time_point turn_began_at) const;
  void End(int error);

  void SettleDrained();
  void StopServing();
  void OnHandleClosed();
  void FinishClose();
  void UpdateHold();

  // Memory of a buffer, shared with the ArrayBuffer made of it: valid as long as one of the two lives.
  using Block = std::shared_ptr<std::vector<uint8_t>>;
  Napi::ArrayBuffer Expose(const Block& block);
  bool TakeRequestBuffer(const Napi::Object& options, size_t size_bytes);
  void ClearRequest();

  std::shared_ptr<FileDescriptor> device_;
  Block own_request_;  // null where the caller gave its own memory
  Block reply_;
  uint8_t* request_ = nullptr;  // alive as long as `request_value_` is
  size_t request_bytes_ = 0;
  Napi::Reference<Napi::ArrayBuffer> request_value_;
  Napi::Reference<Napi::ArrayBuffer> reply_value_;
  Napi::FunctionReference on_request_;
  Napi::FunctionReference on_end_;
  std::optional<Napi::AsyncContext> async_context_;
  std::optional<CleanupHook> cleanup_;
  uint32_t requests_per_turn_ = 0;

  // Of the newest request: whether all that came before the end of its handler are answered, when that was, and whether it came soon after
  // the one before.
  bool all_answered_ = false;
  std::chrono::steady_clock::time_point handled_at_;
  bool in_burst_ = false;

  std::unique_ptr<Notifier> notifier_;
  LoopHandle<uv_poll_t>* poll_ = nullptr;
  LoopHandle<uv_async_t>* wake_ = nullptr;
  Drains drains_;

  bool started_ = false;
  bool closing_ = false;
  bool closed_ = false;
  bool environment_ends_ = false;
  bool held_ = false;
  int handles_closing_ = 0;
  std::vector<Napi::Promise::Deferred> closers_;
};

}  // namespace dunnage
