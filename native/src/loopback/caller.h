// What the kernel does not tell of a caller: capabilities and supplementary groups, and with id-mapped mounts not even the user. It is
// looked up in /proc, only in the few cases that depend on it.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <vector>

#include "call.h"

namespace dunnage::loopback {

class Caller {
 public:
  // Who made the request. One who has ended meanwhile may nothing.
  explicit Caller(const Call& call);

  // A capability of the administrator of the host: root of a user namespace has none.
  bool Has(int capability) const;
  bool IsIn(uint32_t group) const;

 private:
  uint32_t user_ = kInvalidId;
  uint64_t capabilities_ = 0;
  std::vector<uint32_t> groups_;
};

// While it lives, the thread changes a file as one whose writes take set-id bits away, or leave them (`keeps`). Set-group-ID
// without execution by the group stays if the caller is in the group: then the thread is too.
class WithSetid {
 public:
  WithSetid(Call& call, const struct stat& file, bool keeps);
  WithSetid(const WithSetid&) = delete;
  WithSetid& operator=(const WithSetid&) = delete;
  ~WithSetid() { identity_.BecomeSelf(); }

 private:
  Identity& identity_;
};

inline bool HasSetid(const struct stat& file) { return S_ISREG(file.st_mode) && (file.st_mode & (S_ISUID | S_ISGID)) != 0; }

}  // namespace dunnage::loopback
