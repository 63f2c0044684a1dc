// System calls and structures that Debian 12's C library or kernel headers lack, or that clash between the two.
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace dunnage::kernel {

struct OpenHow {
  uint64_t flags;
  uint64_t mode;
  uint64_t resolve;
};
constexpr uint64_t kResolveNoMounts = 0x01;
constexpr uint64_t kResolveNoMagicLinks = 0x02;
constexpr uint64_t kResolveNoSymlinks = 0x04;
constexpr uint64_t kResolveBeneath = 0x08;

struct MountAttributes {
  uint64_t set;
  uint64_t clear;
  uint64_t propagation;
  uint64_t user_namespace;
};
constexpr uint64_t kMountAttributeReadOnly = 0x1;
constexpr uint64_t kMountAttributeNoSetuid = 0x2;
constexpr uint64_t kMountAttributeNoDevices = 0x4;
constexpr uint64_t kMountAttributeNoExecute = 0x8;
constexpr uint64_t kMountAttributeNoAccessTime = 0x10;
constexpr uint64_t kMountAttributeAccessTimeMask = 0x70;
constexpr unsigned kOpenTreeClone = 0x1;
constexpr unsigned kAtRecursive = 0x8000;
constexpr unsigned kFsopenCloseOnExec = 0x1;
constexpr unsigned kFsmountCloseOnExec = 0x1;
constexpr unsigned kMoveMountFromEmptyPath = 0x4;
constexpr unsigned kMoveMountToEmptyPath = 0x40;
constexpr unsigned kFspickCloseOnExec = 0x1;
constexpr unsigned kFspickEmptyPath = 0x8;
constexpr unsigned kFsconfigSetFlag = 0;
constexpr unsigned kFsconfigSetString = 1;
constexpr unsigned kFsconfigCreate = 6;
constexpr unsigned kFsconfigReconfigure = 7;

// These numbers are the same on every architecture.
constexpr long kPidfdSendSignalNumber = 424;
constexpr long kOpenTreeNumber = 428;
constexpr long kMoveMountNumber = 429;
constexpr long kFsopenNumber = 430;
constexpr long kFsconfigNumber = 431;
constexpr long kFsmountNumber = 432;
constexpr long kFspickNumber = 433;
constexpr long kPidfdOpenNumber = 434;
constexpr long kCloseRangeNumber = 436;
constexpr long kOpenat2Number = 437;
constexpr long kMountSetattrNumber = 442;

inline int Openat2(int directory, const char* path, OpenHow* how) {
  return static_cast<int>(syscall(kOpenat2Number, directory, path, how, sizeof *how));
}

// The descriptor is close-on-exec.
inline int PidfdOpen(int process) {
  return static_cast<int>(syscall(kPidfdOpenNumber, process, 0));
}

inline int PidfdSendSignal(int descriptor, int signal) {
  return static_cast<int>(syscall(kPidfdSendSignalNumber, descriptor, signal, nullptr, 0));
}

inline int OpenTree(int directory, const char* path, unsigned flags) {
  return static_cast<int>(syscall(kOpenTreeNumber, directory, path, flags));
}

inline int MountSetattr(int directory, const char* path, unsigned flags, MountAttributes* attributes) {
  return static_cast<int>(syscall(kMountSetattrNumber, directory, path, flags, attributes, sizeof *attributes));
}

inline int Fsopen(const char* type) {
  return static_cast<int>(syscall(kFsopenNumber, type, kFsopenCloseOnExec));
}

inline int Fsconfig(int context, unsigned command, const char* key, const char* value) {
  return static_cast<int>(syscall(kFsconfigNumber, context, command, key, value, 0));
}

inline int Fsmount(int context, uint64_t attributes) {
  return static_cast<int>(syscall(kFsmountNumber, context, kFsmountCloseOnExec, attributes));
}

inline int MoveMountTo(int mount, const char* target) {
  return static_cast<int>(syscall(kMoveMountNumber, mount, "", -100 /* AT_FDCWD */, target, kMoveMountFromEmptyPath));
}

// Both are descriptors: of a detached mount, and of the place (O_PATH) it is attached to.
inline int MoveMountOnto(int mount, int place) {
  return static_cast<int>(
      syscall(kMoveMountNumber, mount, "", place, "", kMoveMountFromEmptyPath | kMoveMountToEmptyPath));
}

inline int Fspick(int place) {
  return static_cast<int>(syscall(kFspickNumber, place, "", kFspickCloseOnExec | kFspickEmptyPath));
}

// Closes what a program inherited besides stdin, stdout and stderr, above all a /dev/fuse.
inline void CloseInherited() {
  if (syscall(kCloseRangeNumber, 3, ~0U, 0) == 0) return;
  const long most = sysconf(_SC_OPEN_MAX);  // before Linux 5.9
  for (int descriptor = 3; descriptor < (most > 0 ? most : 1024); descriptor++) close(descriptor);
}

}  // namespace dunnage::kernel
