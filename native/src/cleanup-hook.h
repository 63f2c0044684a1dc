// Runs something when the environment (the process or one worker) ends before the owner was closed. The environment
// waits until `Remove` is called, so handles of libuv can be closed in peace.
#pragma once

#include <node_api.h>

#include <functional>

namespace dunnage {

class CleanupHook {
 public:
  CleanupHook(napi_env env, std::function<void()> tear_down);
  CleanupHook(const CleanupHook&) = delete;
  CleanupHook& operator=(const CleanupHook&) = delete;
  ~CleanupHook() { Remove(); }

  // Also lets an environment that waits for the hook go on. Idempotent.
  void Remove();

 private:
  static void Run(napi_async_cleanup_hook_handle handle, void* data);

  std::function<void()> tear_down_;
  napi_async_cleanup_hook_handle handle_ = nullptr;
};

}  // namespace dunnage
