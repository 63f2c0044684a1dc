// inotify(7), as thin as it is: Node's own watcher does not tell when the kernel's queue has overflowed, and what is lost
// then is lost for good. Events are read and decoded in JavaScript.
#include <sys/inotify.h>

#include <cerrno>

#include "arguments.h"
#include "exports.h"
#include "file-descriptor.h"
#include "system-error.h"

namespace dunnage {
namespace {

Napi::Value InotifyOpen(const Napi::CallbackInfo& info) {
  const int opened = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (opened < 0) return ThrowSystemError(info.Env(), errno, "inotify_init1");
  return Napi::Number::New(info.Env(), opened);
}

Napi::Value InotifyAdd(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int inotify = arguments.Descriptor();
  const int watched = arguments.Descriptor();
  const uint32_t mask = arguments.Unsigned();
  if (arguments.failed()) return info.Env().Undefined();
  const int watch = inotify_add_watch(inotify, DescriptorPath(watched).c_str(), mask);
  if (watch < 0) return ThrowSystemError(info.Env(), errno, "inotify_add_watch");
  return Napi::Number::New(info.Env(), watch);
}

// A watch that ended by itself (its object is gone) is no mistake.
Napi::Value InotifyRemove(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int inotify = arguments.Descriptor();
  const int watch = arguments.Integer();
  if (arguments.failed()) return info.Env().Undefined();
  if (inotify_rm_watch(inotify, watch) != 0 && errno != EINVAL) {
    return ThrowSystemError(info.Env(), errno, "inotify_rm_watch");
  }
  return info.Env().Undefined();
}

}  // namespace

void ExportInotify(Napi::Env env, Napi::Object exports) {
  exports.Set("inotifyOpen", Napi::Function::New(env, InotifyOpen, "inotifyOpen"));
  exports.Set("inotifyAdd", Napi::Function::New(env, InotifyAdd, "inotifyAdd"));
  exports.Set("inotifyRemove", Napi::Function::New(env, InotifyRemove, "inotifyRemove"));
}

}  // namespace dunnage
