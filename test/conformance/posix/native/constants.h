// The numbers that requests may name.
#pragma once

#include <string_view>

namespace syscalls {

bool find_constant(std::string_view name, long long& value);

}  // namespace syscalls
