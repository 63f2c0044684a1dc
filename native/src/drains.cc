#include "drains.h"

#include <cerrno>

#include "system-error.h"

namespace dunnage {

Napi::Promise Drains::Add(Napi::Env env, Notifier& notifier, uv_async_t* wake) {
  const Napi::Promise::Deferred deferred(env);
  waiting_.emplace_back(notifier.status().queued, deferred);
  notifier.WakeAt(waiting_.front().first, wake);
  return deferred.Promise();
}

void Drains::Settle(Napi::Env env, Notifier& notifier, uv_async_t* wake) {
  const uint64_t written = notifier.status().written;
  size_t due = 0;
  while (due < waiting_.size() && waiting_[due].first <= written) waiting_[due++].second.Resolve(env.Undefined());
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<ptrdiff_t>(due));
  if (!waiting_.empty()) notifier.WakeAt(waiting_.front().first, wake);
}

void Drains::Cancel(Napi::Env env, const char* call) {
  for (auto& [ticket, deferred] : std::exchange(waiting_, {})) deferred.Reject(SystemError(env, ECANCELED, call).Value());
}

}  // namespace dunnage
