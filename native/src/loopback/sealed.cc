// Directories in which nothing may be made: what is mounted on them must not be missed.
#include "engine.h"

namespace dunnage::loopback {

bool Engine::Seal(uint64_t ino) {
  const std::lock_guard lock(sealed_mutex_);
  if (IsSealed(ino)) return true;
  auto* sealed = memory.sealed();
  auto& used = memory.header()->sealed_used;
  for (uint32_t index = 0; index < used; index++) {
    if (sealed[index] != 0) continue;
    sealed[index] = ino;
    return true;
  }
  if (used >= Memory::kSealed) return false;
  sealed[used] = ino;
  used++;
  return true;
}

void Engine::Unseal(uint64_t ino) {
  const std::lock_guard lock(sealed_mutex_);
  auto* sealed = memory.sealed();
  const uint32_t used = memory.header()->sealed_used;
  for (uint32_t index = 0; index < used; index++) {
    if (sealed[index] == ino) sealed[index] = 0;
  }
}

bool Engine::IsSealed(uint64_t ino) const {
  const auto* sealed = memory.sealed();
  const uint32_t used = memory.header()->sealed_used;
  for (uint32_t index = 0; index < used; index++) {
    if (sealed[index].load(std::memory_order_relaxed) == ino) return true;
  }
  return false;
}

}  // namespace dunnage::loopback
