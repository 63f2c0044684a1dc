#include "view.h"

#include <fcntl.h>

#include <cerrno>

#include "../kernel-abi.h"

namespace dunnage::agent {
namespace {

constexpr int kWalkTriesMax = 16;

bool IsRefusal(int error) { return error == EPERM || error == ENOSYS; }

}  // namespace

FileDescriptor OpenWritableView(const char* base) {
  FileDescriptor clone(kernel::OpenTree(AT_FDCWD, base, kernel::kOpenTreeClone | O_CLOEXEC));
  if (clone.valid()) {
    kernel::MountAttributes attributes{};
    attributes.clear = kernel::kMountAttributeReadOnly;
    if (kernel::MountSetattr(clone.get(), "", AT_EMPTY_PATH, &attributes) == 0) return clone;
  }
  if (!IsRefusal(errno)) {
    const int error = errno;
    clone.Close();
    errno = error;
    return {};
  }
  return FileDescriptor(open(base, O_PATH | O_DIRECTORY | O_CLOEXEC));
}

FileDescriptor OpenDirectoryBeneath(int view, const std::string& path) {
  kernel::OpenHow how{};
  how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  how.resolve = kernel::kResolveBeneath | kernel::kResolveNoMagicLinks | kernel::kResolveNoSymlinks;
  int tries = 0;
  int opened;
  do {
    opened = kernel::Openat2(view, path.empty() ? "." : path.c_str(), &how);
  } while (opened < 0 && (errno == EINTR || (errno == EAGAIN && ++tries < kWalkTriesMax)));
  return FileDescriptor(opened);
}

}  // namespace dunnage::agent
