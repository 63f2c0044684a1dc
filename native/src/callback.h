// Calls from the event loop into JavaScript.
#pragma once

#include <node_api.h>

#include <cstdint>
#include <optional>

namespace dunnage {

// With one number or nothing. An exception goes where uncaught ones go. False if the environment ends and no JavaScript may run any more.
// `answer`: whether the function returned true.
bool CallBack(napi_env env, napi_value function, std::optional<uint32_t> argument, bool* answer = nullptr);

}  // namespace dunnage
