#include "mounts.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

#include "../file-descriptor.h"
#include "../kernel-abi.h"
#include "host-view.h"

namespace dunnage::agent {
namespace {

constexpr int kWalkTriesMax = 16;
constexpr uint64_t kTmpfsAttributes =
    kernel::kMountAttributeNoSetuid | kernel::kMountAttributeNoDevices | kernel::kMountAttributeNoExecute;

FileDescriptor Walk(int directory, const std::string& path, uint64_t resolve) {
  kernel::OpenHow how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = resolve | kernel::kResolveNoMagicLinks | kernel::kResolveNoSymlinks;
  int tries = 0;
  int opened;
  do {
    opened = kernel::Openat2(directory, path.c_str(), &how);
  } while (opened < 0 && (errno == EINTR || (errno == EAGAIN && ++tries < kWalkTriesMax)));
  return FileDescriptor(opened);
}

bool IsPlain(const std::string& path) {
  if (path == "/") return true;
  if (path[0] != '/' || path.back() == '/') return false;
  return (path + "/").find("/../") == std::string::npos;
}

bool IsBeneathBase(const char* base, const std::string& path) { return IsAtOrBeneath(path, base); }

// Of an absolute path, without following a link in it. The base itself may have been given with links in it.
FileDescriptor OpenPlace(const char* base, const std::string& path) {
  if (!IsPlain(path)) {
    errno = EINVAL;
    return {};
  }
  if (!IsBeneathBase(base, path)) return Walk(AT_FDCWD, path, 0);
  const FileDescriptor root(open(base, O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root.valid()) return {};
  const std::string rest = path.substr(std::string_view(base).size());
  return Walk(root.get(), rest.empty() ? "." : rest.substr(1), kernel::kResolveBeneath);
}

// Empty, with errno set, if it cannot be told.
std::string RealPath(int descriptor) {
  char buffer[PATH_MAX];
  const ssize_t length = readlink(DescriptorPath(descriptor).c_str(), buffer, sizeof buffer);
  if (length <= 0 || length == sizeof buffer) {
    if (length >= 0) errno = ENAMETOOLONG;
    return {};
  }
  return std::string(buffer, static_cast<size_t>(length));
}

bool Configure(int context, std::string_view options) {
  while (!options.empty()) {
    const size_t comma = options.find(',');
    const std::string option(options.substr(0, comma));
    options.remove_prefix(comma == std::string_view::npos ? options.size() : comma + 1);
    const size_t equals = option.find('=');
    const int result = equals == std::string::npos
                           ? kernel::Fsconfig(context, kernel::kFsconfigSetFlag, option.c_str(), nullptr)
                           : kernel::Fsconfig(context, kernel::kFsconfigSetString, option.substr(0, equals).c_str(),
                                              option.substr(equals + 1).c_str());
    if (result != 0) return false;
  }
  return true;
}

FileDescriptor MakeTmpfs(const std::string& options) {
  const FileDescriptor context(kernel::Fsopen("tmpfs"));
  if (!context.valid() || kernel::Fsconfig(context.get(), kernel::kFsconfigSetString, "source", "dunnage") != 0 ||
      !Configure(context.get(), options) ||
      kernel::Fsconfig(context.get(), kernel::kFsconfigCreate, nullptr, nullptr) != 0) {
    return {};
  }
  return FileDescriptor(kernel::Fsmount(context.get(), kTmpfsAttributes));
}

int Reconfigure(int place, const std::string& options) {
  const FileDescriptor context(kernel::Fspick(place));
  if (!context.valid() || !Configure(context.get(), options)) return errno;
  return kernel::Fsconfig(context.get(), kernel::kFsconfigReconfigure, nullptr, nullptr) == 0 ? 0 : errno;
}

// A clone of a shared mount is its peer: what is mounted inside of the one would appear inside of the other. A slave has only
// what appears in its source, with the attributes it has there; so it is not for what must stay read-only.
unsigned long Propagation(uint32_t flags) { return (flags & (kBindReadOnly | kBindHostPath)) != 0 ? MS_PRIVATE : MS_SLAVE; }

kernel::MountAttributes BindAttributes(uint32_t flags) {
  kernel::MountAttributes attributes{};
  if ((flags & kBindReadOnly) != 0) attributes.set |= kernel::kMountAttributeReadOnly;
  if ((flags & kBindNoSetuid) != 0) attributes.set |= kernel::kMountAttributeNoSetuid;
  if ((flags & kBindNoExecute) != 0) attributes.set |= kernel::kMountAttributeNoExecute;
  if ((flags & kBindNoDevices) != 0) attributes.set |= kernel::kMountAttributeNoDevices;
  if ((flags & kBindNoAccessTime) != 0) {
    attributes.set |= kernel::kMountAttributeNoAccessTime;
    attributes.clear |= kernel::kMountAttributeAccessTimeMask;
  }
  attributes.propagation = Propagation(flags);
  return attributes;
}

// Before Linux 5.12 attributes can be set only when the mount is attached; and only its own, not those of mounts inside of it.
int SetAttributesAttached(int mounted, uint32_t flags) {
  const std::string path = DescriptorPath(mounted);
  unsigned long remount = MS_REMOUNT | MS_BIND;
  if ((flags & kBindReadOnly) != 0) remount |= MS_RDONLY;
  if ((flags & kBindNoSetuid) != 0) remount |= MS_NOSUID;
  if ((flags & kBindNoExecute) != 0) remount |= MS_NOEXEC;
  if ((flags & kBindNoDevices) != 0) remount |= MS_NODEV;
  if ((flags & kBindNoAccessTime) != 0) remount |= MS_NOATIME;
  if (mount(nullptr, path.c_str(), nullptr, Propagation(flags), nullptr) == 0 &&
      mount(nullptr, path.c_str(), nullptr, remount, nullptr) == 0) {
    return 0;
  }
  const int error = errno;
  umount2(path.c_str(), MNT_DETACH);
  return error;
}

bool IsDirectory(int descriptor) {
  struct stat status;
  return fstat(descriptor, &status) == 0 && S_ISDIR(status.st_mode);
}

bool KernelSetsAttributes() {
  kernel::MountAttributes none{};
  kernel::MountSetattr(-1, "", 0, &none);
  return errno != ENOSYS;
}

FileDescriptor CloneSource(const char* base, const std::string& source, uint32_t flags, const std::vector<std::string>& hidden) {
  const bool recursive = (flags & kBindRecursive) != 0 && (KernelSetsAttributes() || (flags & kBindReadOnly) == 0);
  const bool takes_links = (flags & kBindHostPath) == 0 && !IsBeneathBase(base, source);
  const FileDescriptor place =
      takes_links ? FileDescriptor(open(source.c_str(), O_PATH | O_CLOEXEC)) : OpenPlace(base, source);
  if (!place.valid()) return {};
  if ((flags & kBindHostPath) == 0) {
    return FileDescriptor(kernel::OpenTree(
        place.get(), "", kernel::kOpenTreeClone | O_CLOEXEC | AT_EMPTY_PATH | (recursive ? kernel::kAtRecursive : 0)));
  }
  const std::string path = RealPath(place.get());
  if (path.empty()) return {};
  for (const std::string& own : hidden) {
    if (!IsAtOrBeneath(path, own)) continue;
    errno = EXDEV;
    return {};
  }
  return CloneWithout(path, recursive, hidden);
}

}  // namespace

int MountTmpfs(const char* base, const std::string& target, const std::string& options, uint32_t flags) {
  const FileDescriptor place = OpenPlace(base, target);
  if (!place.valid()) return errno;
  if ((flags & kTmpfsReconfigure) != 0) return Reconfigure(place.get(), options);
  // Before Linux 6.3, and in kernels without swap, there is no such option.
  FileDescriptor made = MakeTmpfs("noswap," + options);
  if (!made.valid()) made = MakeTmpfs(options);
  if (!made.valid()) return errno;
  return kernel::MoveMountOnto(made.get(), place.get()) == 0 ? 0 : errno;
}

int Bind(const char* base, const std::string& source, const std::string& target, uint32_t flags,
         const std::vector<std::string>& hidden) {
  const FileDescriptor clone = CloneSource(base, source, flags, hidden);
  if (!clone.valid()) return errno;
  kernel::MountAttributes attributes = BindAttributes(flags);
  const bool was_set =
      kernel::MountSetattr(clone.get(), "", AT_EMPTY_PATH | kernel::kAtRecursive, &attributes) == 0;
  if (!was_set && errno != ENOSYS) return errno;
  const FileDescriptor place = OpenPlace(base, target);
  if (!place.valid()) return errno;
  if (IsDirectory(clone.get()) != IsDirectory(place.get())) return ENOTDIR;
  if (kernel::MoveMountOnto(clone.get(), place.get()) != 0) return errno;
  return was_set ? 0 : SetAttributesAttached(clone.get(), flags);
}

int Unmount(const char* base, const std::string& target, uint32_t flags) {
  const size_t slash = target.rfind('/');
  if (!IsPlain(target) || slash == 0) return EINVAL;
  // By the directory it is in: a descriptor of the mount itself would keep it busy.
  const FileDescriptor parent = OpenPlace(base, target.substr(0, slash));
  if (!parent.valid()) return errno;
  const std::string path = DescriptorPath(parent.get()) + target.substr(slash);
  return umount2(path.c_str(), UMOUNT_NOFOLLOW | ((flags & kUnmountDetach) != 0 ? MNT_DETACH : 0)) == 0 ? 0 : errno;
}

}  // namespace dunnage::agent
