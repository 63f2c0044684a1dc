#include "cleanup-hook.h"

#include <utility>

namespace dunnage {

CleanupHook::CleanupHook(napi_env env, std::function<void()> tear_down) : tear_down_(std::move(tear_down)) {
  if (napi_add_async_cleanup_hook(env, Run, this, &handle_) != napi_ok) handle_ = nullptr;
}

void CleanupHook::Remove() {
  napi_async_cleanup_hook_handle handle = std::exchange(handle_, nullptr);
  if (handle != nullptr) napi_remove_async_cleanup_hook(handle);
}

void CleanupHook::Run(napi_async_cleanup_hook_handle, void* data) {
  auto* hook = static_cast<CleanupHook*>(data);
  // A copy: the owner may delete the hook from inside.
  const std::function<void()> tear_down = hook->tear_down_;
  tear_down();
}

}  // namespace dunnage
