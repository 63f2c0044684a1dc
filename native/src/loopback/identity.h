// As whom a thread of the engine works. System calls of its own only: the functions of the C library would change the whole process.
//
// All capabilities but two stay effective whoever the thread is, because the kernel has checked permissions before it asked
// (default_permissions): without CAP_SYS_RESOURCE the reserve of the file system stays the administrator's, and CAP_FSETID is
// there only when set-id bits are to survive.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace dunnage::loopback {

class Identity {
 public:
  // Prepares the calling thread. 0 or an errno.
  int Start();

  void Become(uint32_t user, uint32_t group);
  void BecomeSelf() { Become(0, 0); }
  // Whether writes and changes of mode leave set-user-ID and set-group-ID bits alone.
  void KeepSetid(bool keep);
  void Umask(mode_t mask);
  // Whether the kernel took set-group-ID off new files already where that is due (Linux 6.0).
  static bool KernelStripsSetgid();

 private:
  uint32_t user_ = 0;
  uint32_t group_ = 0;
  mode_t umask_ = 0;
  bool keeps_setid_ = true;
};

}  // namespace dunnage::loopback
