// The three ways to run the program; main.cc says what they are for.
#pragma once

#include <cstdint>

namespace dunnage::freezer {

int Hold();

struct GuardOptions {
  const char* socket_path;
  const char* directory;
  uint64_t freeze_below_bytes;
  uint64_t thaw_above_bytes;
};

int Guard(const GuardOptions& options);

int Trim();

}  // namespace dunnage::freezer
