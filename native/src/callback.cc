#include "callback.h"

namespace dunnage {

bool CallBack(napi_env env, napi_value function, std::optional<uint32_t> argument, bool* answer) {
  napi_value undefined, number, result;
  if (napi_get_undefined(env, &undefined) != napi_ok) return false;
  if (argument && napi_create_uint32(env, *argument, &number) != napi_ok) return false;
  if (answer != nullptr) *answer = false;
  if (napi_call_function(env, undefined, function, argument ? 1 : 0, &number, &result) == napi_ok) {
    if (answer != nullptr && napi_get_value_bool(env, result, answer) != napi_ok) *answer = false;
    return true;
  }
  bool pending = false;
  napi_value thrown;
  if (napi_is_exception_pending(env, &pending) != napi_ok || !pending) return false;
  if (napi_get_and_clear_last_exception(env, &thrown) != napi_ok) return false;
  return napi_fatal_exception(env, thrown) == napi_ok;
}

}  // namespace dunnage
