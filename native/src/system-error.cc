#include "system-error.h"

#include <cstring>

#include <uv.h>

namespace dunnage {
namespace {

std::string SymbolicName(int error) {
#ifdef __GLIBC__
  // libuv names only what libuv itself maps; ESTALE, EUCLEAN and others are missing there.
  const char* name = strerrorname_np(error);
  return name != nullptr ? name : "E" + std::to_string(error);
#else
  return uv_err_name(-error);
#endif
}

}  // namespace

Napi::Error SystemError(Napi::Env env, int error, const char* call, const std::string& subject) {
  const std::string name = SymbolicName(error);
  std::string message = name + ": " + uv_strerror(-error) + ", " + call;
  if (!subject.empty()) message += " '" + subject + "'";
  Napi::Error result = Napi::Error::New(env, message);
  result.Set("code", Napi::String::New(env, name));
  result.Set("errno", Napi::Number::New(env, error));
  result.Set("syscall", Napi::String::New(env, call));
  return result;
}

Napi::Value ThrowSystemError(Napi::Env env, int error, const char* call, const std::string& subject) {
  SystemError(env, error, call, subject).ThrowAsJavaScriptException();
  return env.Undefined();
}

}  // namespace dunnage
