// Promises of "what is queued up to here is written", kept in the event loop that the notifier wakes.
#pragma once

#include <napi.h>
#include <uv.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "notifier.h"

namespace dunnage {

class Drains {
 public:
  // Of everything that is queued now.
  Napi::Promise Add(Napi::Env env, Notifier& notifier, uv_async_t* wake);
  // Settles what is due and asks to be woken for the next, if there is one. To be called when the handle was signalled.
  void Settle(Napi::Env env, Notifier& notifier, uv_async_t* wake);
  // ECANCELED of `call`, for all.
  void Cancel(Napi::Env env, const char* call);
  bool empty() const { return waiting_.empty(); }

 private:
  // Tickets only grow, so the first ones are due first.
  std::vector<std::pair<uint64_t, Napi::Promise::Deferred>> waiting_;
};

}  // namespace dunnage
