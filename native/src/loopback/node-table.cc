#include "node-table.h"

namespace dunnage::loopback {
namespace {

constexpr uint32_t kEmpty = 0;
constexpr uint32_t kDeleted = 1;
constexpr uint32_t kFirstPlace = 2;

bool IsSame(const Node* node, const FileIdentity& identity) {
  return node->ino == identity.ino && identity.handle == node->handle;
}

}  // namespace

void NodeTable::SetRoot(const FileIdentity& identity) {
  Node* root = memory_->node(1);
  root->ino = identity.ino;
  root->handle = identity.handle;
  root->flags = Node::kDirectory | Node::kTyped;
  root->lookups = 1;
  root->id.store(kRootId, std::memory_order_release);
  if (memory_->header()->nodes_used < kFirstPlace) memory_->header()->nodes_used = kFirstPlace;
}

void NodeTable::Rebuild() {
  const uint32_t used = memory_->header()->nodes_used;
  for (uint32_t index = kFirstPlace; index < used; index++) {
    Node* node = memory_->node(index);
    if (node->id != 0 && node->lookups == 0) node->id = 0;  // the daemon died before it counted
    if (node->id == 0) {
      free_.push_back(index);
      continue;
    }
    size_++;
    node->opens = 0;
    if ((node->flags & Node::kGone) == 0) Insert(ShardOf(node->ino), index);
  }
}

Node* NodeTable::Find(uint64_t id) const {
  const uint64_t index = IndexOf(id);
  if (index == 0 || index >= memory_->header()->nodes_used.load(std::memory_order_acquire)) return nullptr;
  Node* node = memory_->node(index);
  return node->id.load(std::memory_order_acquire) == id ? node : nullptr;
}

Node* NodeTable::FindIn(Shard& shard, const FileIdentity& identity) const {
  if (shard.cells.empty()) return nullptr;
  const size_t mask = shard.cells.size() - 1;
  for (size_t at = Hash(identity.ino) & mask;; at = (at + 1) & mask) {
    const uint32_t cell = shard.cells[at];
    if (cell == kEmpty) return nullptr;
    if (cell == kDeleted) continue;
    Node* node = memory_->node(cell);
    if (IsSame(node, identity)) return node;
  }
}

Node* NodeTable::FindFile(const FileIdentity& identity) {
  Shard& shard = ShardOf(identity.ino);
  const std::lock_guard lock(shard.mutex);
  return FindIn(shard, identity);
}

bool NodeTable::HasInode(uint64_t ino) {
  Shard& shard = ShardOf(ino);
  const std::lock_guard lock(shard.mutex);
  if (shard.cells.empty()) return false;
  const size_t mask = shard.cells.size() - 1;
  for (size_t at = Hash(ino) & mask;; at = (at + 1) & mask) {
    const uint32_t cell = shard.cells[at];
    if (cell == kEmpty) return false;
    if (cell != kDeleted && memory_->node(cell)->ino == ino) return true;
  }
}

uint32_t NodeTable::TakePlace() {
  const std::lock_guard lock(free_mutex_);
  if (!free_.empty()) {
    const uint32_t index = free_.back();
    free_.pop_back();
    return index;
  }
  const uint32_t index = memory_->header()->nodes_used;
  if (index >= Memory::kNodes) return 0;
  memory_->header()->nodes_used.store(index + 1, std::memory_order_release);
  return index;
}

Node* NodeTable::Acquire(const FileIdentity& identity, uint32_t type_flags) {
  Node* root = memory_->node(1);
  if (IsSame(root, identity)) return root;
  Shard& shard = ShardOf(identity.ino);
  const std::lock_guard lock(shard.mutex);
  Node* node = FindIn(shard, identity);
  if (node != nullptr) {
    node->lookups++;
    return node;
  }
  const uint32_t index = TakePlace();
  if (index == 0) return nullptr;
  node = memory_->node(index);
  node->ino = identity.ino;
  node->handle = identity.handle;
  node->flags = type_flags | Node::kTyped;
  node->opens = 0;
  node->backing = 0;
  node->lookups = 1;
  node->generation++;
  if (node->generation == 0) node->generation = 1;
  node->id.store((uint64_t{node->generation} << Memory::kNodeBits) | index, std::memory_order_release);
  Insert(shard, index);
  size_++;
  return node;
}

void NodeTable::Insert(Shard& shard, uint32_t index) {
  if ((shard.used + shard.deleted + 1) * 4 > shard.cells.size() * 3) Grow(shard);
  const size_t mask = shard.cells.size() - 1;
  for (size_t at = Hash(memory_->node(index)->ino) & mask;; at = (at + 1) & mask) {
    if (shard.cells[at] > kDeleted) continue;
    if (shard.cells[at] == kDeleted) shard.deleted--;
    shard.cells[at] = index;
    shard.used++;
    return;
  }
}

// Also gets rid of deleted cells, and shrinks when most were.
void NodeTable::Grow(Shard& shard) {
  size_t size = 64;
  while (size < (static_cast<size_t>(shard.used) + 1) * 2) size *= 2;
  std::vector<uint32_t> before(size, kEmpty);
  before.swap(shard.cells);
  shard.used = shard.deleted = 0;
  for (const uint32_t cell : before) {
    if (cell > kDeleted) Insert(shard, cell);
  }
}

void NodeTable::Remove(Shard& shard, uint64_t ino, uint32_t index) {
  if (shard.cells.empty()) return;
  const size_t mask = shard.cells.size() - 1;
  for (size_t at = Hash(ino) & mask;; at = (at + 1) & mask) {
    if (shard.cells[at] == kEmpty) return;
    if (shard.cells[at] != index) continue;
    shard.cells[at] = kDeleted;
    shard.used--;
    shard.deleted++;
    return;
  }
}

void NodeTable::Hide(Node* node) {
  Shard& shard = ShardOf(node->ino);
  const std::lock_guard lock(shard.mutex);
  Remove(shard, node->ino, static_cast<uint32_t>(IndexOf(node->id)));
}

bool NodeTable::Forget(Node* node, uint64_t lookups) {
  if (node->id == kRootId) return false;
  Shard& shard = ShardOf(node->ino);
  const std::lock_guard lock(shard.mutex);
  const uint64_t before = node->lookups;
  node->lookups = before > lookups ? before - lookups : 0;
  if (before > lookups) return false;
  Remove(shard, node->ino, static_cast<uint32_t>(IndexOf(node->id)));
  return true;
}

void NodeTable::Free(Node* node) {
  const uint32_t index = static_cast<uint32_t>(IndexOf(node->id));
  node->id.store(0, std::memory_order_release);
  size_--;
  const std::lock_guard lock(free_mutex_);
  free_.push_back(index);
}

}  // namespace dunnage::loopback
