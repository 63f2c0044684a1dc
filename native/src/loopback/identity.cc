#include "identity.h"

#include <linux/capability.h>
#include <linux/securebits.h>
#include <sched.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace dunnage::loopback {
namespace {

struct Capabilities {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2]{};

  int Read() { return syscall(SYS_capget, &header, data) == 0 ? 0 : errno; }
  int Write() { return syscall(SYS_capset, &header, data) == 0 ? 0 : errno; }
  void Set(int capability, bool wanted) {
    __user_cap_data_struct& word = data[capability / 32];
    const uint32_t bit = uint32_t{1} << (capability % 32);
    word.effective = wanted ? word.effective | (bit & word.permitted) : word.effective & ~bit;
  }
};

}  // namespace

int Identity::Start() {
  if (geteuid() != 0) return EPERM;
  if (unshare(CLONE_FS) != 0) return errno;
  if (prctl(PR_SET_SECUREBITS, prctl(PR_GET_SECUREBITS) | SECBIT_NO_SETUID_FIXUP) != 0) return errno;
  if (syscall(SYS_setgroups, 0, nullptr) != 0) return errno;
  Capabilities own;
  int error = own.Read();
  if (error != 0) return error;
  own.Set(CAP_SYS_RESOURCE, false);
  own.Set(CAP_FSETID, true);
  error = own.Write();
  if (error != 0) return error;
  keeps_setid_ = true;
  umask(0);
  umask_ = 0;
  setfsuid(0);
  setfsgid(0);
  return 0;
}

void Identity::Become(uint32_t user, uint32_t group) {
  if (user_ != user) {
    setfsuid(user);
    user_ = user;
  }
  if (group_ != group) {
    setfsgid(group);
    group_ = group;
  }
}

void Identity::KeepSetid(bool keep) {
  if (keeps_setid_ == keep) return;
  Capabilities own;
  if (own.Read() != 0) return;
  own.Set(CAP_FSETID, keep);
  if (own.Write() == 0) keeps_setid_ = keep;
}

void Identity::Umask(mode_t mask) {
  if (umask_ == mask) return;
  umask(mask);
  umask_ = mask;
}

bool Identity::KernelStripsSetgid() {
  static const bool strips = [] {
    utsname name{};
    return uname(&name) == 0 && std::atoi(name.release) >= 6;
  }();
  return strips;
}

}  // namespace dunnage::loopback
