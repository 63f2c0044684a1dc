// Which node ids the kernel knows, and for which files. The entries are in the memory that outlives the daemon; the index by
// inode number and the list of free places are this process's own.
//
// A node id is its place and how often that place was taken, so that an id of a node that is forgotten means nothing else.
// The kernel sends no request for a node that it has forgotten: an id that a request names stays valid while it is served.
#pragma once

#include <cstdint>
#include <mutex>
#include <vector>

#include "memory.h"

namespace dunnage::loopback {

// What a file is, whatever it is called.
struct FileIdentity {
  uint64_t ino;
  FileHandle handle;
};

class NodeTable {
 public:
  explicit NodeTable(Memory* memory) : memory_(memory) {}

  // The root has id 1 and is never forgotten.
  void SetRoot(const FileIdentity& identity);
  // After a takeover: derives what is derived.
  void Rebuild();

  static uint64_t IndexOf(uint64_t id) { return id == kRootId ? 1 : id & (Memory::kNodes - 1); }
  // Null if there is no such node.
  Node* Find(uint64_t id) const;
  // The node of the file, with one more lookup counted; a new one if the kernel knows none. Null if the table is full.
  Node* Acquire(const FileIdentity& identity, uint32_t type_flags);
  // The node of the file if there is one; not counted.
  Node* FindFile(const FileIdentity& identity);
  // Whether some node may have that inode number: then it is worth asking for the handle.
  bool HasInode(uint64_t ino);
  // No new lookup finds it any more: the file is removed.
  void Hide(Node* node);
  // Takes lookups back. True if none are left: the caller cleans up and calls `Free`. Nobody finds the node any more then.
  bool Forget(Node* node, uint64_t lookups);
  void Free(Node* node);

  uint64_t size() const { return size_.load(std::memory_order_relaxed); }

 private:
  static constexpr uint32_t kShards = 64;
  // Open addressing, linear probing. A cell holds a place; 0 is empty (place 0 is never used), 1 was deleted (the root is not indexed).
  struct Shard {
    std::mutex mutex;
    std::vector<uint32_t> cells;
    uint32_t used = 0;
    uint32_t deleted = 0;
  };
  static uint64_t Hash(uint64_t ino) { return ino * 0x9e3779b97f4a7c15; }
  Shard& ShardOf(uint64_t ino) { return shards_[Hash(ino) >> 58]; }
  Node* FindIn(Shard& shard, const FileIdentity& identity) const;
  void Insert(Shard& shard, uint32_t index);
  void Remove(Shard& shard, uint64_t ino, uint32_t index);
  void Grow(Shard& shard);
  uint32_t TakePlace();

  Memory* memory_;
  Shard shards_[kShards];
  std::mutex free_mutex_;
  std::vector<uint32_t> free_;
  std::atomic<uint64_t> size_{0};
};

}  // namespace dunnage::loopback
