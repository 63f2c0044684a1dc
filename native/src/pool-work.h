// Work that may block, done in libuv's pool: the promise it gives is settled in the thread that asked.
//
// The work runs without JavaScript and returns an outcome; only `convert` may touch values, back in the event loop.
#pragma once

#include <napi.h>

#include <cerrno>
#include <functional>
#include <string>
#include <utility>

#include "system-error.h"

namespace dunnage {

template <typename Result>
struct Outcome {
  Result value{};
  int error = 0;          // 0, or the errno for which `call` failed
  const char* call = "";
  std::string subject;

  static Outcome Of(Result value) { return {std::move(value), 0, "", ""}; }
  static Outcome Failed(int error, const char* call, std::string subject = "") {
    return {Result{}, error, call, std::move(subject)};
  }
};

struct Nothing {};

template <typename Result>
class PoolWork : public Napi::AsyncWorker {
 public:
  using Work = std::function<Outcome<Result>()>;
  using Convert = std::function<Napi::Value(Napi::Env, const Result&)>;

  static Napi::Promise Start(Napi::Env env, const char* name, Work work, Convert convert) {
    auto* started = new PoolWork(env, name, std::move(work), std::move(convert));  // deletes itself when it is done
    const Napi::Promise promise = started->deferred_.Promise();
    started->Queue();
    return promise;
  }

 protected:
  void Execute() override { outcome_ = work_(); }

  void OnOK() override {
    if (outcome_.error == 0) {
      deferred_.Resolve(convert_(Env(), outcome_.value));
    } else {
      deferred_.Reject(SystemError(Env(), outcome_.error, outcome_.call, outcome_.subject).Value());
    }
  }

 private:
  PoolWork(Napi::Env env, const char* name, Work work, Convert convert)
      : Napi::AsyncWorker(env, name),
        deferred_(Napi::Promise::Deferred::New(env)),
        work_(std::move(work)),
        convert_(std::move(convert)) {}

  Napi::Promise::Deferred deferred_;
  const Work work_;
  const Convert convert_;
  Outcome<Result> outcome_;
};

inline Napi::Value ToUndefined(Napi::Env env, const Nothing&) { return env.Undefined(); }

inline Napi::Value ToNumber(Napi::Env env, const double& number) { return Napi::Number::New(env, number); }

}  // namespace dunnage
