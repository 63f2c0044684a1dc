// Descriptors of nodes, opened when they are needed and closed when they have not been used for long: there are never more
// than the bound, however many files the kernel knows. What is in use while it is dropped is closed by its last user.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <unordered_map>
#include <utility>

namespace dunnage::loopback {

enum class DescriptorKind : uint64_t { kPath, kRead, kWrite, kDirectory };
constexpr int kDescriptorKinds = 4;

class DescriptorCache {
  struct Entry {
    Entry(uint64_t key, int descriptor) : key(key), descriptor(descriptor) {}
    const uint64_t key;
    const int descriptor;
    // The cache itself, and who asked for it.
    std::atomic<uint32_t> users{2};
    // Of a directory that is read: where the next getdents64(2) goes on. Whoever has `busy` may use it.
    std::mutex busy;
    uint64_t position = 0;
    Entry* newer = nullptr;
    Entry* older = nullptr;
  };

 public:
  // Keeps a descriptor open; empty if it has none.
  class Use {
   public:
    Use() = default;
    explicit Use(Entry* entry) : entry_(entry) {}
    Use(Use&& other) noexcept : entry_(std::exchange(other.entry_, nullptr)) {}
    Use& operator=(Use&& other) noexcept {
      if (this != &other) {
        Release(entry_);
        entry_ = std::exchange(other.entry_, nullptr);
      }
      return *this;
    }
    ~Use() { Release(entry_); }

    bool valid() const { return entry_ != nullptr; }
    int get() const { return entry_ == nullptr ? -1 : entry_->descriptor; }
    std::mutex& busy() const { return entry_->busy; }
    uint64_t& position() const { return entry_->position; }

   private:
    Entry* entry_ = nullptr;
  };

  explicit DescriptorCache(uint32_t most) : most_per_shard_(most / kShards) {}
  DescriptorCache(const DescriptorCache&) = delete;
  DescriptorCache& operator=(const DescriptorCache&) = delete;
  ~DescriptorCache();

  Use Find(uint64_t id, DescriptorKind kind);
  // The cache owns the descriptor from now on. If somebody was faster the earlier one is used.
  Use Add(uint64_t id, DescriptorKind kind, int descriptor);
  void Drop(uint64_t id, DescriptorKind kind);
  // All of a node's.
  void Drop(uint64_t id);

  // Open now, those in use by somebody included.
  static uint32_t open() { return open_.load(std::memory_order_relaxed); }

 private:
  static constexpr uint32_t kShards = 16;
  struct Shard {
    std::mutex mutex;
    std::unordered_map<uint64_t, Entry*> entries;
    Entry* newest = nullptr;
    Entry* oldest = nullptr;
  };
  static void Release(Entry* entry);
  static uint64_t KeyOf(uint64_t id, DescriptorKind kind) { return id * kDescriptorKinds + static_cast<uint64_t>(kind); }
  Shard& ShardOf(uint64_t id) { return shards_[(id * 0x9e3779b97f4a7c15) >> 60]; }
  static void Unlink(Shard& shard, Entry* entry);
  static void PutFirst(Shard& shard, Entry* entry);
  static Entry* Take(Shard& shard, uint64_t key);

  static inline std::atomic<uint32_t> open_{0};
  const uint32_t most_per_shard_;
  Shard shards_[kShards];
};

}  // namespace dunnage::loopback
