// File systems that cannot open a file by handle (overlayfs, above all that of a container), and processes that may not: a node is opened by its
// parent and its name, which lookups and renames keep up to date. What is found there must be the same file: inode number and
// time of birth say so. Times of birth are as fine as the tick of the kernel: what is removed beneath the mount and made again within
// one tick, with the same inode number, is taken for the same.
//
// A file whose remembered name is gone while it has others cannot be opened until it is looked up again: ESTALE, at which the kernel does that.
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "../kernel-abi.h"
#include "engine.h"

namespace dunnage::loopback {
namespace {

// No file system has this type of handle.
constexpr int32_t kByBirth = -2;

struct Birth {
  int64_t seconds;
  int64_t nanoseconds;
};

}  // namespace

int Engine::IdentifyByBirth(int descriptor, FileIdentity* identity) const {
  struct statx found;
  if (statx(descriptor, "", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_BTIME, &found) != 0) return errno;
  const bool has_birth = (found.stx_mask & STATX_BTIME) != 0;
  const Birth birth{has_birth ? found.stx_btime.tv_sec : 0, has_birth ? found.stx_btime.tv_nsec : 0};
  identity->handle.type = kByBirth;
  identity->handle.bytes = sizeof birth;
  std::memcpy(identity->handle.data, &birth, sizeof birth);
  return 0;
}

void Engine::SetPlace(Node* node, const Node* parent, const char* name) {
  const std::lock_guard lock(places_mutex_);
  Place* place = memory.place(NodeTable::IndexOf(node->id));
  place->parent = parent->id;
  snprintf(place->name, sizeof place->name, "%s", name);
}

void Engine::Moved(const Node* parent, int directory, const char* name) {
  const FileDescriptor file(openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
  FileIdentity identity;
  if (!file.valid() || IdentityOf(file.get(), &identity) != 0) return;
  Node* node = nodes.FindFile(identity);
  if (node != nullptr) SetPlace(node, parent, name);
}

int Engine::OpenByPlace(Node* node, int flags) {
  if ((node->flags & Node::kGone) != 0) return -ENOENT;
  if (flags != O_PATH) {
    DescriptorCache::Use path;
    const int error = PathOf(node, &path);
    if (error != 0) return -error;
    const int opened = open(DescriptorPath(path.get()).c_str(), flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    return opened < 0 ? -errno : opened;
  }
  if (node->id == kRootId) {
    const int opened = openat(root.get(), ".", O_PATH | O_CLOEXEC);
    return opened < 0 ? -errno : opened;
  }
  Place place;
  {
    const std::lock_guard lock(places_mutex_);
    place = *memory.place(NodeTable::IndexOf(node->id));
  }
  DescriptorCache::Use directory;
  if ((node->flags & Node::kOrphan) != 0) {
    OrphanName(node->id, place.name);
  } else {
    Node* parent = nodes.Find(place.parent);
    if (parent == nullptr || PathOf(parent, &directory) != 0) return -ESTALE;
  }
  kernel::OpenHow how{};
  how.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
  how.resolve = kernel::kResolveNoMounts;
  FileDescriptor file(kernel::Openat2(directory.valid() ? directory.get() : orphans.get(), place.name, &how));
  FileIdentity identity;
  if (!file.valid() || IdentityOf(file.get(), &identity) != 0) return -ESTALE;
  return node->ino == identity.ino && identity.handle == node->handle ? file.Release() : -ESTALE;
}

}  // namespace dunnage::loopback
