// Durable commits of the store: one flush and the small write that follows it, or one write that is on disk when it ends, each in one visit to
// the libuv pool.
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>
#include <utility>

#include "arguments.h"
#include "exports.h"
#include "pool-work.h"

namespace dunnage {
namespace {

std::string Copy(const ByteView& bytes) { return {reinterpret_cast<const char*>(bytes.data), bytes.size}; }

Outcome<Nothing> WriteAll(int descriptor, const std::string& bytes, size_t offset_bytes) {
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t length =
        pwrite(descriptor, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset_bytes + done));
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) return Outcome<Nothing>::Failed(errno, "pwrite");
    done += static_cast<size_t>(length);
  }
  return Outcome<Nothing>::Of({});
}

Napi::Value StartFlushThenWrite(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int flushed = arguments.Descriptor();
  const int written = arguments.Descriptor();
  const ByteView bytes = arguments.Bytes();
  const size_t offset_bytes = arguments.Size();
  if (arguments.failed()) return info.Env().Undefined();
  const auto work = [flushed, written, copy = Copy(bytes), offset_bytes] {
    if (fdatasync(flushed) != 0) return Outcome<Nothing>::Failed(errno, "fdatasync");
    return WriteAll(written, copy, offset_bytes);
  };
  return PoolWork<Nothing>::Start(info.Env(), "dunnage:flushThenWrite", work, ToUndefined);
}

Napi::Value StartWriteThrough(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int descriptor = arguments.Descriptor();
  const ByteView bytes = arguments.Bytes();
  const size_t offset_bytes = arguments.Size();
  const ByteView done = arguments.Bytes();
  if (arguments.failed()) return info.Env().Undefined();
  if (done.size < 1) {
    Napi::RangeError::New(info.Env(), "writeThrough: done has no byte").ThrowAsJavaScriptException();
    return info.Env().Undefined();
  }
  // Kept until the promise is settled, which is after the last look at it.
  auto kept = std::make_shared<Napi::ObjectReference>(Napi::Persistent(info[3].As<Napi::Object>()));
  auto* const mark = const_cast<uint8_t*>(done.data);
  const auto work = [descriptor, copy = Copy(bytes), offset_bytes, mark] {
    Outcome<Nothing> outcome = WriteAll(descriptor, copy, offset_bytes);
    if (outcome.error == 0) __atomic_store_n(mark, 1, __ATOMIC_RELEASE);
    return outcome;
  };
  const auto convert = [kept](Napi::Env env, const Nothing& nothing) { return ToUndefined(env, nothing); };
  return PoolWork<Nothing>::Start(info.Env(), "dunnage:writeThrough", work, convert);
}

}  // namespace

void ExportFlush(Napi::Env env, Napi::Object exports) {
  exports.Set("flushThenWrite", Napi::Function::New(env, StartFlushThenWrite, "flushThenWrite"));
  exports.Set("writeThrough", Napi::Function::New(env, StartWriteThrough, "writeThrough"));
}

}  // namespace dunnage
