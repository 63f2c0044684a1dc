// Directories in which nothing may be made: what is mounted on them must not be missed.
//
// A sealed directory may be removed beneath the mount without anybody unsealing it, and its inode number be given to another
// one, of another tenant. So a seal counts for the very directory it was put on, and one that lost its directory is dropped when its number is
// sealed or unsealed again. Not when it is looked up: what was looked up may be the older of the two.
#include <fcntl.h>

#include <cerrno>

#include "engine.h"

namespace dunnage::loopback {
bool Engine::Seal(const FileIdentity& identity) {
  const std::lock_guard lock(sealed_mutex_);
  auto* sealed = memory.sealed();
  auto* handles = memory.sealed_handles();
  auto& used = memory.header()->sealed_used;
  uint32_t place = used;
  for (uint32_t index = 0; index < used; index++) {
    if (sealed[index] == identity.ino) {
      if (handles[index] == identity.handle) return true;
      place = index;
      break;
    }
    if (sealed[index] == 0 && place == used) place = index;
  }
  if (place >= Memory::kSealed) return false;
  sealed[place] = 0;
  handles[place] = identity.handle;
  sealed[place].store(identity.ino, std::memory_order_release);
  if (place == used) used++;
  return true;
}

void Engine::Unseal(const FileIdentity& identity) {
  const std::lock_guard lock(sealed_mutex_);
  auto* sealed = memory.sealed();
  const uint32_t used = memory.header()->sealed_used;
  for (uint32_t index = 0; index < used; index++) {
    if (sealed[index] == identity.ino) sealed[index] = 0;
  }
}

bool Engine::MayBeSealed(uint64_t ino) const {
  const auto* sealed = memory.sealed();
  const uint32_t used = memory.header()->sealed_used;
  for (uint32_t index = 0; index < used; index++) {
    if (sealed[index].load(std::memory_order_relaxed) == ino) return true;
  }
  return false;
}

bool Engine::IsSealed(const FileIdentity& identity) {
  const std::lock_guard lock(sealed_mutex_);
  const auto* sealed = memory.sealed();
  const auto* handles = memory.sealed_handles();
  const uint32_t used = memory.header()->sealed_used;
  for (uint32_t index = 0; index < used; index++) {
    if (sealed[index] == identity.ino && handles[index] == identity.handle) return true;
  }
  return false;
}

bool Engine::IsSealed(const Node* node) {
  if (!MayBeSealed(node->ino)) return false;
  const FileIdentity identity{.ino = node->ino, .handle = node->handle};
  // The attributes of a removed directory take the place of its handle, the flag first. Nothing can be made in it anyway.
  std::atomic_thread_fence(std::memory_order_acquire);
  return (node->flags & Node::kGone) == 0 && IsSealed(identity);
}

int Engine::CheckSealed(int directory, const char* name, const struct statx& status) {
  if (!MayBeSealed(status.stx_ino)) return 0;
  const FileDescriptor file(openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!file.valid()) return errno;
  FileIdentity identity;
  const int error = IdentityOf(file.get(), &identity);
  if (error != 0) return error;
  return IsSealed(identity) ? EBUSY : 0;
}

}  // namespace dunnage::loopback
