#include "host-view.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>

#include <cerrno>
#include <fstream>
#include <sstream>
#include <thread>

#include "../kernel-abi.h"

namespace dunnage::agent {
namespace {

constexpr const char* kOwnType = "fuse.dunnage";

struct MountPoint {
  std::string path;
  std::string type;
};

// The kernel writes blank, tab, newline, backslash and `#` as a backslash and three octal digits.
std::string Unescape(const std::string& field) {
  std::string text;
  for (size_t index = 0; index < field.size(); index++) {
    if (field[index] == '\\' && index + 3 < field.size()) {
      text.push_back(static_cast<char>((field[index + 1] - '0') * 64 + (field[index + 2] - '0') * 8 + field[index + 3] - '0'));
      index += 3;
    } else {
      text.push_back(field[index]);
    }
  }
  return text;
}

// Of the mount namespace of this thread.
std::vector<MountPoint> MountPoints() {
  std::vector<MountPoint> points;
  std::ifstream table("/proc/thread-self/mountinfo");
  for (std::string line; std::getline(table, line);) {
    std::istringstream fields(line);
    std::string skipped, path, field;
    fields >> skipped >> skipped >> skipped >> skipped >> path;
    while (fields >> field && field != "-") {
    }
    fields >> field;
    points.push_back({Unescape(path), field});
  }
  return points;
}

bool IsOwn(const MountPoint& point, const std::vector<std::string>& hidden) {
  if (point.type == kOwnType) return true;
  for (const std::string& path : hidden) {
    if (IsAtOrBeneath(point.path, path)) return true;
  }
  return false;
}

// Own ones, and if it is not `recursive` all that are mounted beneath.
bool LeaveOutMounts(const std::string& source, bool recursive, const std::vector<std::string>& hidden) {
  const std::vector<MountPoint> points = MountPoints();
  for (auto point = points.rbegin(); point != points.rend(); ++point) {
    const bool stays = (recursive || point->path == source) && !IsOwn(*point, hidden);
    if (stays || !IsAtOrBeneath(point->path, source)) continue;
    // What was mounted on it goes with it: of a mount inside of it the path is gone then.
    if (umount2(point->path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0 && errno != EINVAL && errno != ENOENT) return false;
  }
  return true;
}

FileDescriptor EmptyDirectory() {
  const FileDescriptor context(kernel::Fsopen("tmpfs"));
  if (!context.valid()) return {};
  if (kernel::Fsconfig(context.get(), kernel::kFsconfigSetString, "mode", "0555") != 0) return {};
  if (kernel::Fsconfig(context.get(), kernel::kFsconfigSetString, "nr_inodes", "1") != 0) return {};
  if (kernel::Fsconfig(context.get(), kernel::kFsconfigCreate, nullptr, nullptr) != 0) return {};
  return FileDescriptor(kernel::Fsmount(context.get(), kernel::kMountAttributeReadOnly | kernel::kMountAttributeNoSetuid |
                                                           kernel::kMountAttributeNoDevices | kernel::kMountAttributeNoExecute));
}

bool Cover(const std::string& path) {
  kernel::OpenHow how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = kernel::kResolveNoMagicLinks | kernel::kResolveNoSymlinks;
  const FileDescriptor place(kernel::Openat2(AT_FDCWD, path.c_str(), &how));
  if (!place.valid()) return errno == ENOENT || errno == ENOTDIR;
  const FileDescriptor empty = EmptyDirectory();
  return empty.valid() && kernel::MoveMountOnto(empty.get(), place.get()) == 0;
}

int Clone(const std::string& source, bool recursive) {
  return kernel::OpenTree(AT_FDCWD, source.c_str(),
                          kernel::kOpenTreeClone | O_CLOEXEC | AT_SYMLINK_NOFOLLOW | (recursive ? kernel::kAtRecursive : 0));
}

// In a mount namespace of the calling thread's own, in which the mounts can be changed without anybody else seeing it. The
// clone that comes out of it belongs to no namespace until it is attached.
int CloneHere(const std::string& source, bool recursive, const std::vector<std::string>& hidden) {
  if (unshare(CLONE_NEWNS) != 0) return -1;
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return -1;
  if (!LeaveOutMounts(source, recursive, hidden)) return -1;
  for (const std::string& path : hidden) {
    if (IsAtOrBeneath(path, source) && path != source && !Cover(path)) return -1;
  }
  // Covers are mounts, so they are in a recursive clone only.
  return Clone(source, true);
}

bool HoldsOwn(const std::string& source, const std::vector<std::string>& hidden) {
  for (const std::string& path : hidden) {
    if (IsAtOrBeneath(path, source)) return true;
  }
  for (const MountPoint& point : MountPoints()) {
    if (point.type == kOwnType && IsAtOrBeneath(point.path, source)) return true;
  }
  return false;
}

}  // namespace

bool IsAtOrBeneath(const std::string& path, const std::string& parent) {
  if (parent == "/") return true;
  return path.compare(0, parent.size(), parent) == 0 && (path.size() == parent.size() || path[parent.size()] == '/');
}

FileDescriptor CloneWithout(const std::string& source, bool recursive, const std::vector<std::string>& hidden) {
  if (!HoldsOwn(source, hidden)) return FileDescriptor(Clone(source, recursive));
  int clone = -1;
  int error = 0;
  std::thread([&] {
    clone = CloneHere(source, recursive, hidden);
    error = errno;
  }).join();
  errno = error;
  return FileDescriptor(clone);
}

}  // namespace dunnage::agent
