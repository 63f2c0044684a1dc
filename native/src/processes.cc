// Signals to a process that is named by a descriptor: a number can come to mean another process, a descriptor cannot.
#include <unistd.h>

#include <cerrno>

#include "arguments.h"
#include "exports.h"
#include "kernel-abi.h"
#include "system-error.h"

namespace dunnage {
namespace {

Napi::Value OpenProcess(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int process = arguments.Integer();
  if (arguments.failed()) return info.Env().Undefined();
  const int opened = kernel::PidfdOpen(process);
  if (opened < 0) return ThrowSystemError(info.Env(), errno, "pidfd_open");
  return Napi::Number::New(info.Env(), opened);
}

Napi::Value SignalProcess(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int descriptor = arguments.Descriptor();
  const int signal = arguments.Integer();
  if (arguments.failed()) return info.Env().Undefined();
  if (kernel::PidfdSendSignal(descriptor, signal) == 0) return Napi::Boolean::New(info.Env(), true);
  if (errno == ESRCH) return Napi::Boolean::New(info.Env(), false);
  return ThrowSystemError(info.Env(), errno, "pidfd_send_signal");
}

}  // namespace

void ExportProcesses(Napi::Env env, Napi::Object exports) {
  exports.Set("openProcess", Napi::Function::New(env, OpenProcess, "openProcess"));
  exports.Set("signalProcess", Napi::Function::New(env, SignalProcess, "signalProcess"));
}

}  // namespace dunnage
