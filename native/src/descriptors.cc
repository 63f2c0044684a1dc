// Calls on single descriptors that Node has no function for, and the process's own protection.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "arguments.h"
#include "exports.h"
#include "kernel-abi.h"
#include "system-error.h"

namespace dunnage {
namespace {

// openat2(2) gives EAGAIN if a rename elsewhere raced with the walk; a few tries are enough in practice.
constexpr int kWalkTriesMax = 16;

Napi::Value TryLock(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int descriptor = arguments.Descriptor();
  if (arguments.failed()) return info.Env().Undefined();
  for (;;) {
    if (flock(descriptor, LOCK_EX | LOCK_NB) == 0) return Napi::Boolean::New(info.Env(), true);
    if (errno == EWOULDBLOCK) return Napi::Boolean::New(info.Env(), false);
    if (errno != EINTR) return ThrowSystemError(info.Env(), errno, "flock");
  }
}

Napi::Value OpenBeneath(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int directory = arguments.Descriptor();
  const std::string path = arguments.Text();
  const uint32_t flags = arguments.Unsigned();
  const uint32_t mode = arguments.Unsigned();
  const bool follow_links = arguments.Boolean();
  if (arguments.failed()) return info.Env().Undefined();
  kernel::OpenHow how{};
  how.flags = flags | O_CLOEXEC;
  // The kernel refuses a mode for a file that is not to be made.
  const bool makes_file = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
  how.mode = makes_file ? (mode & 07777) : 0;
  how.resolve = kernel::kResolveBeneath | kernel::kResolveNoMagicLinks;
  if (!follow_links) how.resolve |= kernel::kResolveNoSymlinks;
  int tries = 0;
  int opened;
  do {
    opened = kernel::Openat2(directory, path.empty() ? "." : path.c_str(), &how);
  } while (opened < 0 && (errno == EINTR || (errno == EAGAIN && ++tries < kWalkTriesMax)));
  if (opened < 0) return ThrowSystemError(info.Env(), errno, "openat2", path);
  return Napi::Number::New(info.Env(), opened);
}

Napi::Value CloseDescriptor(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int descriptor = arguments.Descriptor();
  if (arguments.failed()) return info.Env().Undefined();
  // After EINTR the number is free all the same: a second close(2) could hit another file.
  if (close(descriptor) != 0 && errno != EINTR) return ThrowSystemError(info.Env(), errno, "close");
  return info.Env().Undefined();
}

Napi::Value SetNonBlocking(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int descriptor = arguments.Descriptor();
  if (arguments.failed()) return info.Env().Undefined();
  const int flags = fcntl(descriptor, F_GETFL);
  if (flags < 0 || fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) != 0) {
    return ThrowSystemError(info.Env(), errno, "fcntl");
  }
  return info.Env().Undefined();
}

// A read lease is granted exactly if nobody has the file open for writing. It is given back at once; whoever opens the file
// in between has the kernel send SIGIO, whose default action would end the process.
Napi::Value HasWriter(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int descriptor = arguments.Descriptor();
  if (arguments.failed()) return info.Env().Undefined();
  static const bool ignores_sigio = signal(SIGIO, SIG_IGN) != SIG_ERR;
  if (!ignores_sigio) return info.Env().Undefined();
  if (fcntl(descriptor, F_SETLEASE, F_RDLCK) == 0) {
    fcntl(descriptor, F_SETLEASE, F_UNLCK);
    return Napi::Boolean::New(info.Env(), false);
  }
  if (errno == EAGAIN) return Napi::Boolean::New(info.Env(), true);
  // File systems without leases, files of others without CAP_LEASE.
  return info.Env().Undefined();
}

Napi::Value ForbidCoreDumps(const Napi::CallbackInfo& info) {
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return ThrowSystemError(info.Env(), errno, "prctl");
  const rlimit none{0, 0};
  if (setrlimit(RLIMIT_CORE, &none) != 0) return ThrowSystemError(info.Env(), errno, "setrlimit");
  return info.Env().Undefined();
}

}  // namespace

void ExportDescriptors(Napi::Env env, Napi::Object exports) {
  exports.Set("tryLock", Napi::Function::New(env, TryLock, "tryLock"));
  exports.Set("openBeneath", Napi::Function::New(env, OpenBeneath, "openBeneath"));
  exports.Set("closeDescriptor", Napi::Function::New(env, CloseDescriptor, "closeDescriptor"));
  exports.Set("setNonBlocking", Napi::Function::New(env, SetNonBlocking, "setNonBlocking"));
  exports.Set("hasWriter", Napi::Function::New(env, HasWriter, "hasWriter"));
  exports.Set("forbidCoreDumps", Napi::Function::New(env, ForbidCoreDumps, "forbidCoreDumps"));
}

}  // namespace dunnage
