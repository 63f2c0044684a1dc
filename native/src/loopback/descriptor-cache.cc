#include "descriptor-cache.h"

#include <unistd.h>

namespace dunnage::loopback {

DescriptorCache::~DescriptorCache() {
  for (Shard& shard : shards_) {
    for (const auto& [key, entry] : shard.entries) Release(entry);
  }
}

// One user is the cache itself.
void DescriptorCache::Release(Entry* entry) {
  if (entry == nullptr || entry->users.fetch_sub(1, std::memory_order_acq_rel) > 1) return;
  close(entry->descriptor);
  open_--;
  delete entry;
}

void DescriptorCache::Unlink(Shard& shard, Entry* entry) {
  (entry->newer != nullptr ? entry->newer->older : shard.newest) = entry->older;
  (entry->older != nullptr ? entry->older->newer : shard.oldest) = entry->newer;
}

void DescriptorCache::PutFirst(Shard& shard, Entry* entry) {
  entry->newer = nullptr;
  entry->older = shard.newest;
  (shard.newest != nullptr ? shard.newest->newer : shard.oldest) = entry;
  shard.newest = entry;
}

DescriptorCache::Entry* DescriptorCache::Take(Shard& shard, uint64_t key) {
  const auto found = shard.entries.find(key);
  if (found == shard.entries.end()) return nullptr;
  Entry* entry = found->second;
  shard.entries.erase(found);
  Unlink(shard, entry);
  return entry;
}

DescriptorCache::Use DescriptorCache::Find(uint64_t id, DescriptorKind kind) {
  Shard& shard = ShardOf(id);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.entries.find(KeyOf(id, kind));
  if (found == shard.entries.end()) return Use();
  Entry* entry = found->second;
  if (shard.newest != entry) {
    Unlink(shard, entry);
    PutFirst(shard, entry);
  }
  entry->users.fetch_add(1, std::memory_order_relaxed);
  return Use(entry);
}

DescriptorCache::Use DescriptorCache::Add(uint64_t id, DescriptorKind kind, int descriptor) {
  const uint64_t key = KeyOf(id, kind);
  auto* entry = new Entry(key, descriptor);
  open_++;
  Entry* surplus = nullptr;
  {
    Shard& shard = ShardOf(id);
    const std::lock_guard lock(shard.mutex);
    const auto [place, is_new] = shard.entries.try_emplace(key, entry);
    if (!is_new) {
      entry->users = 1;
      surplus = std::exchange(entry, place->second);
      entry->users.fetch_add(1, std::memory_order_relaxed);
    } else {
      PutFirst(shard, entry);
      if (shard.entries.size() > most_per_shard_) surplus = Take(shard, shard.oldest->key);
    }
  }
  Release(surplus);
  return Use(entry);
}

void DescriptorCache::Drop(uint64_t id, DescriptorKind kind) {
  Entry* entry;
  {
    Shard& shard = ShardOf(id);
    const std::lock_guard lock(shard.mutex);
    entry = Take(shard, KeyOf(id, kind));
  }
  Release(entry);
}

void DescriptorCache::Drop(uint64_t id) {
  Entry* taken[kDescriptorKinds] = {};
  {
    Shard& shard = ShardOf(id);
    const std::lock_guard lock(shard.mutex);
    for (int kind = 0; kind < kDescriptorKinds; kind++) {
      taken[kind] = Take(shard, KeyOf(id, static_cast<DescriptorKind>(kind)));
    }
  }
  for (Entry* entry : taken) Release(entry);
}

}  // namespace dunnage::loopback
