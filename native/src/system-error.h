// Errors of system calls, in the shape of those of `node:fs`.
#pragma once

#include <napi.h>

#include <string>

namespace dunnage {

// `code` is the symbolic errno, `errno` the positive number, `syscall` the call's name.
Napi::Error SystemError(Napi::Env env, int error, const char* call, const std::string& subject = "");

// Throws it and returns undefined, so that a function can end with `return ThrowSystemError(...)`.
Napi::Value ThrowSystemError(Napi::Env env, int error, const char* call, const std::string& subject = "");

}  // namespace dunnage
