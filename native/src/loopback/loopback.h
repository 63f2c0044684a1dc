// The engine as an object of JavaScript. Everything here runs on the thread that made it.
//
//   serving --end of the connection--> ended --close--> closing --threads stopped, libuv let go--> closed
//
// `close` is allowed at any time; the end of the environment takes the same way.
#pragma once

#include <napi.h>
#include <uv.h>

#include <memory>
#include <optional>
#include <vector>

#include "../cleanup-hook.h"
#include "../drains.h"
#include "../loop-handle.h"
#include "../notifier.h"
#include "server.h"

namespace dunnage::loopback {

class Loopback : public Napi::ObjectWrap<Loopback> {
 public:
  static Napi::Function Define(Napi::Env env);
  // Argument: LoopbackOptions.
  explicit Loopback(const Napi::CallbackInfo& info);
  ~Loopback() override;

 private:
  Napi::Value Seal(const Napi::CallbackInfo& info);
  Napi::Value Unseal(const Napi::CallbackInfo& info);
  Napi::Value Forget(const Napi::CallbackInfo& info);
  Napi::Value Refresh(const Napi::CallbackInfo& info);
  Napi::Value Statistics(const Napi::CallbackInfo& info);
  Napi::Value Close(const Napi::CallbackInfo& info);

  bool StartServer(const Napi::Object& options);
  bool SealedDirectory(const Napi::CallbackInfo& info, FileIdentity* identity);
  // The node of a path beneath the root; 0 if the kernel does not know it or it does not exist.
  uint64_t NodeOfPath(const char* path);
  Napi::Value Notify(Napi::Env env, std::vector<uint8_t> message);
  static void OnWake(uv_async_t* handle);
  void Settle();
  void StopServing();
  void FinishClose();

  std::shared_ptr<Server> server_;
  std::unique_ptr<Notifier> notifier_;
  LoopHandle<uv_async_t>* wake_ = nullptr;
  Napi::FunctionReference on_end_;
  std::optional<Napi::AsyncContext> async_context_;
  std::optional<CleanupHook> cleanup_;
  Drains drains_;
  std::vector<Napi::Promise::Deferred> closers_;
  bool has_expire_ = false;
  bool closing_ = false;
  bool closed_ = true;
  bool environment_ends_ = false;
};

}  // namespace dunnage::loopback
