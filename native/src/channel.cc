#include "channel.h"

#include <sched.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "arguments.h"
#include "callback.h"
#include "exports.h"
#include "system-error.h"

namespace dunnage {
namespace {

// The kernel refuses to hand a request to a smaller buffer (FUSE_MIN_READ_BUFFER).
constexpr double kRequestBytesLeast = 8192;
constexpr double kRequestBytesMost = 64.0 * 1024 * 1024;
// The largest READDIR answer plus room for the header.
constexpr size_t kReplyBytes = 64 * 1024 + 4096;
// Length and opcode: a request has neither zero.
constexpr size_t kRequestMarkBytes = 8;
// Whoever makes one request after another has each answered without a wake-up of this thread, which takes longer than the answer.
constexpr std::chrono::microseconds kLinger{100};
// Others of the event loop wait meanwhile.
constexpr std::chrono::microseconds kLingeringTurn{1000};

// Makes an instance: createChannel(device, options).
Napi::Value CreateChannel(const Napi::CallbackInfo& info) {
  const auto* constructor = info.Env().GetInstanceData<Napi::FunctionReference>();
  return constructor->New({info[0], info[1]});
}

}  // namespace

Napi::Function Channel::Define(Napi::Env env) {
  return DefineClass(env, "Channel",
                     {InstanceAccessor<&Channel::RequestBuffer>("requestBuffer", napi_enumerable),
                      InstanceAccessor<&Channel::ReplyBuffer>("replyBuffer", napi_enumerable),
                      InstanceMethod<&Channel::Start>("start"), InstanceMethod<&Channel::Send>("send"),
                      InstanceMethod<&Channel::Notify>("notify"),
                      InstanceMethod<&Channel::NotifierStatus>("notifierStatus"),
                      InstanceMethod<&Channel::NotifierDrained>("notifierDrained"),
                      InstanceMethod<&Channel::Close>("close")});
}

Channel::Channel(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Channel>(info), closed_(true) {
  Arguments arguments(info);
  const int device = arguments.Descriptor();
  const Napi::Object options = arguments.Object();
  double buffer_bytes = 0;
  double requests = 0;
  Napi::Function on_request;
  Napi::Function on_end;
  if (arguments.failed() ||
      !ReadSize(options, "bufferSizeBytes", kRequestBytesLeast, kRequestBytesMost, &buffer_bytes) ||
      !ReadSize(options, "requestsPerTurn", 1, 65536, &requests) ||
      !ReadFunction(options, "onRequest", &on_request) || !ReadFunction(options, "onEnd", &on_end)) {
    return;
  }
  if (!TakeRequestBuffer(options, static_cast<size_t>(buffer_bytes))) return;
  device_ = std::make_shared<FileDescriptor>(FileDescriptor::Duplicate(device));
  if (!device_->valid()) {
    ThrowSystemError(Env(), errno, "fcntl");
    return;
  }
  reply_ = std::make_shared<std::vector<uint8_t>>(kReplyBytes);
  reply_value_ = Napi::Persistent(Expose(reply_));
  on_request_ = Napi::Persistent(on_request);
  on_end_ = Napi::Persistent(on_end);
  requests_per_turn_ = static_cast<uint32_t>(requests);
  notifier_ = std::make_unique<Notifier>(device_);
  async_context_.emplace(Env(), "DunnageChannel", info.This().As<Napi::Object>());
  cleanup_.emplace(Env(), [this] {
    environment_ends_ = true;
    StopServing();
  });
  closed_ = false;
}

Channel::~Channel() {
  // Collected without `close`: polling has ended or never begun, because it holds the object. At the end of the
  // environment the cleanup hook was here before.
  if (notifier_ != nullptr) notifier_->Stop();
  if (wake_ != nullptr) {
    wake_->owner = nullptr;
    wake_->Close([] {});
  }
}

// The caller's memory, if it gave some, or memory of the channel's own. False with a pending TypeError.
bool Channel::TakeRequestBuffer(const Napi::Object& options, size_t size_bytes) {
  const Napi::Value given = options.Get("requestBuffer");
  if (given.IsEmpty()) return false;
  if (given.IsUndefined()) {
    own_request_ = std::make_shared<std::vector<uint8_t>>(size_bytes);
    request_ = own_request_->data();
    request_value_ = Napi::Persistent(Expose(own_request_));
  } else if (given.IsArrayBuffer() && given.As<Napi::ArrayBuffer>().ByteLength() >= size_bytes) {
    request_ = static_cast<uint8_t*>(given.As<Napi::ArrayBuffer>().Data());
    request_value_ = Napi::Persistent(given.As<Napi::ArrayBuffer>());
  } else {
    Napi::TypeError::New(Env(), "requestBuffer must be an ArrayBuffer of bufferSizeBytes bytes at least")
        .ThrowAsJavaScriptException();
    return false;
  }
  request_bytes_ = size_bytes;
  return true;
}

// The mark says to whoever inherits the memory: this was read, and its handler may not have finished.
void Channel::ClearRequest() { std::memset(request_, 0, kRequestMarkBytes); }

Napi::ArrayBuffer Channel::Expose(const Block& block) {
  auto* owned = new Block(block);
  return Napi::ArrayBuffer::New(
      Env(), block->data(), block->size(), [](Napi::BasicEnv, void*, Block* last) { delete last; }, owned);
}

Napi::Value Channel::Start(const Napi::CallbackInfo& info) {
  if (closing_ || closed_) return ThrowSystemError(info.Env(), EBADF, "start", "closed channel");
  if (started_) return ThrowSystemError(info.Env(), EALREADY, "start");
  int error = 0;
  poll_ = LoopHandle<uv_poll_t>::Open(
      Env(), this, [this](uv_loop_t* loop, uv_poll_t* handle) { return uv_poll_init(loop, handle, device_->get()); }, &error);
  if (poll_ == nullptr) return ThrowSystemError(info.Env(), error, "uv_poll_init");
  started_ = true;
  uv_poll_start(&poll_->handle, UV_READABLE, OnReadable);
  UpdateHold();
  return info.Env().Undefined();
}

void Channel::OnReadable(uv_poll_t* handle, int status, int) {
  auto* poll = static_cast<LoopHandle<uv_poll_t>*>(handle->data);
  static_cast<Channel*>(poll->owner)->ServeTurn(status < 0);
}

// libuv reports the end of a connection (EPOLLERR) as a negative status and stops polling; read(2) tells which end.
void Channel::ServeTurn(bool hung_up) {
  const Napi::HandleScope handles(Env());
  const Napi::CallbackScope callbacks(Env(), *async_context_);
  const napi_value on_request = on_request_.Value();
  const auto began_at = std::chrono::steady_clock::now();
  for (uint32_t turn = 0; turn < requests_per_turn_;) {
    ClearRequest();  // a read that fails half-way may leave something
    const ssize_t length = read(device_->get(), request_, request_bytes_);
    if (length > 0) {
      turn++;
      in_burst_ = all_answered_ && std::chrono::steady_clock::now() - handled_at_ < kLinger;
      // Where the environment ended in the middle the mark stays: the handler did not finish.
      if (!CallBack(Env(), on_request, static_cast<uint32_t>(length), &all_answered_)) return;
      ClearRequest();
      if (poll_ == nullptr) return;
      handled_at_ = std::chrono::steady_clock::now();
      continue;
    }
    if (length == 0) return End(ENODEV);
    if (errno == EINTR || errno == ENOENT) continue;  // ENOENT: the request was aborted before it was read
    if (errno != EAGAIN) return End(errno);
    if (hung_up) return End(EIO);
    if (!Lingers(began_at)) return;
    sched_yield();  // whoever waits for this processor may be the one who asks next
  }
  if (hung_up) uv_poll_start(&poll_->handle, UV_READABLE, OnReadable);
}

// A request that is not answered yet waits for the event loop, so nobody lingers then.
bool Channel::Lingers(std::chrono::steady_clock::time_point turn_began_at) const {
  const auto now = std::chrono::steady_clock::now();
  return in_burst_ && all_answered_ && now - handled_at_ < kLinger && now - turn_began_at < kLingeringTurn;
}

void Channel::End(int error) {
  const napi_value on_end = on_end_.Value();
  uv_poll_stop(&poll_->handle);
  poll_->owner = nullptr;
  handles_closing_++;
  std::exchange(poll_, nullptr)->Close([this] { OnHandleClosed(); });
  CallBack(Env(), on_end, static_cast<uint32_t>(error));
}

Napi::Value Channel::Send(const Napi::CallbackInfo& info) {
  const napi_env env = info.Env();
  uint32_t length = 0;
  const napi_value length_value = info[0];
  if (napi_get_value_uint32(env, length_value, &length) != napi_ok || length > reply_->size()) {
    Napi::RangeError::New(info.Env(), "send: the length must be that of a part of replyBuffer")
        .ThrowAsJavaScriptException();
    return info.Env().Undefined();
  }
  if (closing_ || closed_) return Napi::Number::New(info.Env(), EBADF);
  iovec parts[2] = {{reply_->data(), length}, {nullptr, 0}};
  int count = 1;
  if (info.Length() > 1 && !info[1].IsUndefined()) {
    napi_typedarray_type type;
    const napi_status status =
        napi_get_typedarray_info(env, info[1], &type, &parts[1].iov_len, &parts[1].iov_base, nullptr, nullptr);
    if (status != napi_ok || type != napi_uint8_array) {
      Napi::TypeError::New(info.Env(), "send: data must be a Uint8Array").ThrowAsJavaScriptException();
      return info.Env().Undefined();
    }
    if (parts[1].iov_len > 0) count = 2;
  }
  for (;;) {
    const ssize_t written = writev(device_->get(), parts, count);
    if (written >= 0) return Napi::Number::New(info.Env(), 0);
    if (errno != EINTR) return Napi::Number::New(info.Env(), errno);
  }
}

Napi::Value Channel::Notify(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const ByteView message = arguments.Bytes();
  if (arguments.failed()) return info.Env().Undefined();
  if (closing_ || closed_) return info.Env().Undefined();  // dropped, like what was queued before `close`
  const int error = notifier_->Queue({message.data, message.data + message.size});
  if (error != 0) return ThrowSystemError(info.Env(), error, "pthread_create");
  return info.Env().Undefined();
}

Napi::Value Channel::NotifierStatus(const Napi::CallbackInfo& info) {
  const Notifier::Status status = notifier_->status();
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("pending", static_cast<double>(status.pending));
  result.Set("failed", static_cast<double>(status.failed));
  return result;
}

Napi::Value Channel::NotifierDrained(const Napi::CallbackInfo& info) {
  const Napi::Promise::Deferred deferred(info.Env());
  if (closing_ || closed_) {
    deferred.Reject(SystemError(info.Env(), ECANCELED, "notifierDrained").Value());
    return deferred.Promise();
  }
  const Notifier::Status status = notifier_->status();
  if (status.written >= status.queued) {
    deferred.Resolve(info.Env().Undefined());
    return deferred.Promise();
  }
  if (wake_ == nullptr) {
    int error = 0;
    wake_ = LoopHandle<uv_async_t>::Open(
        Env(), this, [](uv_loop_t* loop, uv_async_t* handle) { return uv_async_init(loop, handle, OnNotifierWake); }, &error);
    if (wake_ == nullptr) return ThrowSystemError(info.Env(), error, "uv_async_init");
  }
  const Napi::Promise drained = drains_.Add(info.Env(), *notifier_, &wake_->handle);
  uv_ref(wake_->base());
  UpdateHold();
  return drained;
}

void Channel::OnNotifierWake(uv_async_t* handle) {
  auto* wake = static_cast<LoopHandle<uv_async_t>*>(handle->data);
  if (wake->owner != nullptr) static_cast<Channel*>(wake->owner)->SettleDrained();
}

void Channel::SettleDrained() {
  const Napi::HandleScope handles(Env());
  const Napi::CallbackScope callbacks(Env(), *async_context_);
  drains_.Settle(Env(), *notifier_, &wake_->handle);
  if (!drains_.empty()) return;
  uv_unref(wake_->base());
  UpdateHold();
}

Napi::Value Channel::Close(const Napi::CallbackInfo& info) {
  const Napi::Promise::Deferred deferred(info.Env());
  if (closed_) {
    deferred.Resolve(info.Env().Undefined());
    return deferred.Promise();
  }
  closers_.push_back(deferred);
  if (closing_) return deferred.Promise();
  drains_.Cancel(info.Env(), "notifierDrained");
  StopServing();
  return deferred.Promise();
}

// The one way down, for `close` and for the end of the environment.
void Channel::StopServing() {
  if (closing_ || closed_) return;
  closing_ = true;
  UpdateHold();
  notifier_->Stop();
  const auto closed = [this] { OnHandleClosed(); };
  if (poll_ != nullptr) {
    uv_poll_stop(&poll_->handle);
    handles_closing_++;
    std::exchange(poll_, nullptr)->Close(closed);
  }
  if (wake_ != nullptr) {
    wake_->owner = nullptr;
    handles_closing_++;
    std::exchange(wake_, nullptr)->Close(closed);
  }
  if (handles_closing_ == 0) FinishClose();
}

void Channel::OnHandleClosed() {
  if (--handles_closing_ > 0) return;
  if (closing_) return FinishClose();
  UpdateHold();
}

void Channel::FinishClose() {
  closed_ = true;
  // A notifier that is inside write(2) keeps the open file until that ends.
  device_.reset();
  if (!environment_ends_) {
    const Napi::HandleScope handles(Env());
    const Napi::CallbackScope callbacks(Env(), *async_context_);
    for (auto& closer : closers_) closer.Resolve(Env().Undefined());
    on_request_.Reset();
    on_end_.Reset();
  }
  closers_.clear();
  UpdateHold();
  cleanup_->Remove();
}

// An object with an open handle, or with a promise to keep, must not be collected.
void Channel::UpdateHold() {
  const bool wanted = !closed_ && (poll_ != nullptr || !drains_.empty() || handles_closing_ > 0 || closing_);
  if (wanted == held_ || environment_ends_) return;
  held_ = wanted;
  if (wanted) {
    Ref();
  } else {
    Unref();
  }
}

void ExportChannel(Napi::Env env, Napi::Object exports) {
  auto* constructor = new Napi::FunctionReference(Napi::Persistent(Channel::Define(env)));
  env.SetInstanceData(constructor);
  exports.Set("createChannel", Napi::Function::New(env, CreateChannel, "createChannel"));
}

}  // namespace dunnage
