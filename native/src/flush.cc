// Durable commits of the store: one flush and the small write that follows it, in one visit to the libuv pool.
#include <unistd.h>

#include <cerrno>
#include <string>

#include "arguments.h"
#include "exports.h"
#include "system-error.h"

namespace dunnage {
namespace {

class FlushThenWrite : public Napi::AsyncWorker {
 public:
  FlushThenWrite(Napi::Env env, int flushed, int written, std::string bytes, size_t offset_bytes)
      : Napi::AsyncWorker(env, "dunnage:flushThenWrite"),
        deferred_(Napi::Promise::Deferred::New(env)),
        flushed_(flushed),
        written_(written),
        bytes_(std::move(bytes)),
        offset_bytes_(offset_bytes) {}

  Napi::Promise promise() const { return deferred_.Promise(); }

 protected:
  void Execute() override {
    call_ = "fdatasync";
    if (fdatasync(flushed_) != 0) {
      error_ = errno;
      return;
    }
    call_ = "pwrite";
    for (size_t done = 0; done < bytes_.size();) {
      const ssize_t length =
          pwrite(written_, bytes_.data() + done, bytes_.size() - done, static_cast<off_t>(offset_bytes_ + done));
      if (length < 0 && errno == EINTR) continue;
      if (length < 0) {
        error_ = errno;
        return;
      }
      done += static_cast<size_t>(length);
    }
  }

  void OnOK() override {
    if (error_ == 0) {
      deferred_.Resolve(Env().Undefined());
    } else {
      deferred_.Reject(SystemError(Env(), error_, call_).Value());
    }
  }

 private:
  Napi::Promise::Deferred deferred_;
  const int flushed_;
  const int written_;
  const std::string bytes_;
  const size_t offset_bytes_;
  const char* call_ = "";
  int error_ = 0;
};

Napi::Value StartFlushThenWrite(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int flushed = arguments.Descriptor();
  const int written = arguments.Descriptor();
  const ByteView bytes = arguments.Bytes();
  const size_t offset_bytes = arguments.Size();
  if (arguments.failed()) return info.Env().Undefined();
  auto* work = new FlushThenWrite(info.Env(), flushed, written,
                                  std::string(reinterpret_cast<const char*>(bytes.data), bytes.size), offset_bytes);
  const Napi::Promise promise = work->promise();
  work->Queue();
  return promise;
}

}  // namespace

void ExportFlush(Napi::Env env, Napi::Object exports) {
  exports.Set("flushThenWrite", Napi::Function::New(env, StartFlushThenWrite, "flushThenWrite"));
}

}  // namespace dunnage
