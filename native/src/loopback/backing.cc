// How nodes become descriptors, and files become nodes.
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "../kernel-abi.h"
#include "engine.h"

namespace dunnage::loopback {
namespace {

// struct file_handle has an array of no length at its end.
struct HandleBuffer {
  uint32_t bytes;
  int32_t type;
  uint8_t data[FileHandle::kBytesMax];
  ::file_handle* raw() { return reinterpret_cast<::file_handle*>(this); }
};

}  // namespace

void ToAttributes(const struct statx& found, Attributes* attributes) {
  attributes->ino = found.stx_ino;
  attributes->size = found.stx_size;
  attributes->blocks = found.stx_blocks;
  attributes->atime = static_cast<uint64_t>(found.stx_atime.tv_sec);
  attributes->mtime = static_cast<uint64_t>(found.stx_mtime.tv_sec);
  attributes->ctime = static_cast<uint64_t>(found.stx_ctime.tv_sec);
  attributes->atime_ns = found.stx_atime.tv_nsec;
  attributes->mtime_ns = found.stx_mtime.tv_nsec;
  attributes->ctime_ns = found.stx_ctime.tv_nsec;
  attributes->mode = found.stx_mode;
  attributes->nlink = found.stx_nlink;
  attributes->user = found.stx_uid;
  attributes->group = found.stx_gid;
  const uint32_t minor = found.stx_rdev_minor;
  attributes->rdev = (minor & 0xff) | (found.stx_rdev_major << 8) | ((minor & ~0xffU) << 12);
  attributes->block_size = found.stx_blksize;
  attributes->flags = 0;
}

uint32_t TypeFlags(uint32_t mode) {
  if (S_ISDIR(mode)) return Node::kDirectory;
  return S_ISREG(mode) ? Node::kRegular : 0;
}

int Engine::Identify(int descriptor, FileIdentity* identity) const {
  if (!has_handles) return IdentifyByBirth(descriptor, identity);
  HandleBuffer buffer;
  buffer.bytes = FileHandle::kBytesMax;
  int mount = 0;
  if (name_to_handle_at(descriptor, "", buffer.raw(), &mount, AT_EMPTY_PATH) != 0) return errno;
  identity->handle.bytes = buffer.bytes;
  identity->handle.type = buffer.type;
  std::memcpy(identity->handle.data, buffer.data, buffer.bytes);
  return 0;
}

int Engine::IdentityOf(int descriptor, FileIdentity* identity) const {
  struct stat status;
  if (fstat(descriptor, &status) != 0) return errno;
  identity->ino = status.st_ino;
  return Identify(descriptor, identity);
}

int Engine::OpenNode(Node* node, int flags) {
  if (!has_handles) return OpenByPlace(node, flags);
  HandleBuffer buffer;
  buffer.bytes = node->handle.bytes;
  buffer.type = node->handle.type;
  std::memcpy(buffer.data, node->handle.data, sizeof buffer.data);
  // The attributes of a removed file take the place of its handle, the flag first.
  std::atomic_thread_fence(std::memory_order_acquire);
  if ((node->flags & Node::kGone) != 0) return -ENOENT;
  for (;;) {
    const int opened = open_by_handle_at(root.get(), buffer.raw(), flags | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);
    if (opened >= 0) return opened;
    if (errno != EINTR) return -errno;
  }
}

int Engine::PathOf(Node* node, DescriptorCache::Use* use) {
  const uint64_t id = node->id;
  *use = descriptors.Find(id, DescriptorKind::kPath);
  if (use->valid()) return 0;
  const int opened = OpenNode(node, O_PATH);
  if (opened < 0) return -opened;
  *use = descriptors.Add(id, DescriptorKind::kPath, opened);
  return 0;
}

int Engine::AnyOf(Node* node, DescriptorCache::Use* use) {
  *use = descriptors.Find(node->id, DescriptorKind::kWrite);
  return use->valid() ? 0 : PathOf(node, use);
}

int Engine::IoOf(Node* node, bool writes, DescriptorCache::Use* use) {
  const uint64_t id = node->id;
  *use = descriptors.Find(id, DescriptorKind::kWrite);
  if (!use->valid() && !writes) *use = descriptors.Find(id, DescriptorKind::kRead);
  if (use->valid()) return 0;
  const int opened = OpenNode(node, writes ? O_RDWR : O_RDONLY);
  if (opened < 0) return -opened;
  *use = descriptors.Add(id, writes ? DescriptorKind::kWrite : DescriptorKind::kRead, opened);
  return 0;
}

int Engine::Examine(int directory, const char* name, struct statx* found) const {
  const int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (*name == 0 ? AT_EMPTY_PATH : 0);
  if (statx(directory, name, flags, kStatxMask, found) != 0) return errno;
  const bool is_told = (found->stx_mask & STATX_MNT_ID) != 0;  // Linux 5.8
  return !is_told || found->stx_mnt_id == root_mount_ ? 0 : EXDEV;
}

int Engine::AttributesOf(Node* node, Attributes* attributes) {
  const std::lock_guard lock(NodeLock(node));
  if ((node->flags & Node::kGone) != 0) {
    *attributes = node->attributes;
    return 0;
  }
  DescriptorCache::Use file;
  int error = AnyOf(node, &file);
  if (error != 0) return error;
  struct statx found;
  error = Examine(file.get(), "", &found);
  if (error != 0) return error;
  if ((node->flags & Node::kOrphan) != 0 && found.stx_nlink > 0) found.stx_nlink--;
  ToAttributes(found, attributes);
  return 0;
}

int Engine::Enter(Call& call, Node* parent, int directory, const char* name, int opened, EntryOut* entry, Node** entered) {
  FileDescriptor own;
  if (opened < 0) {
    kernel::OpenHow how{};
    how.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
    how.resolve = kernel::kResolveNoMounts;
    own = FileDescriptor(kernel::Openat2(directory, name, &how));
    if (!own.valid()) return errno;
  }
  const int descriptor = opened < 0 ? own.get() : opened;
  struct statx found;
  int error = Examine(descriptor, "", &found);
  if (error != 0) return error;
  FileIdentity identity;
  identity.ino = found.stx_ino;
  error = Identify(descriptor, &identity);
  if (error != 0) return error;
  Node* node = nodes.Acquire(identity, TypeFlags(found.stx_mode));
  if (node == nullptr) return ENFILE;
  const uint64_t id = node->id;
  call.Counted(id);
  if (!has_handles && parent != nullptr) SetPlace(node, parent, name);
  if (own.valid()) descriptors.Add(id, DescriptorKind::kPath, own.Release());
  if ((node->flags & Node::kOrphan) != 0 && found.stx_nlink > 0) found.stx_nlink--;
  entry->node = id;
  entry->entry_valid = kValidSeconds;
  entry->attributes_valid = ValidSeconds(node);
  ToAttributes(found, &entry->attributes);
  if (entered != nullptr) *entered = node;
  return 0;
}

}  // namespace dunnage::loopback
