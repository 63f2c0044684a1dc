// Names that go, and what stays of their files.
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <ctime>

#include "engine.h"
#include "handlers.h"
#include "parent.h"

namespace dunnage::loopback {

void Engine::OrphanName(uint64_t node, char* name) const {
  snprintf(name, 20, "%016llx", static_cast<unsigned long long>(node));
}

void Engine::MarkGone(Node* node, const struct statx& last) {
  nodes.Hide(node);
  Attributes left{};
  ToAttributes(last, &left);
  left.nlink = 0;
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  left.ctime = static_cast<uint64_t>(now.tv_sec);
  left.ctime_ns = static_cast<uint32_t>(now.tv_nsec);
  node->flags |= Node::kGone;
  std::atomic_thread_fence(std::memory_order_release);
  node->attributes = left;
  // The one of the file itself stays until the kernel forgets the node, if it can: nothing else gets its inode number meanwhile.
  for (const auto kind : {DescriptorKind::kRead, DescriptorKind::kWrite, DescriptorKind::kDirectory}) {
    descriptors.Drop(node->id, kind);
  }
}

void Engine::DropNode(Node* node) {
  const uint64_t id = node->id;
  descriptors.Drop(id);
  if ((node->flags & Node::kOrphan) != 0) {
    char name[20];
    OrphanName(id, name);
    unlinkat(orphans.get(), name, 0);
  }
  nodes.Free(node);
}

void Engine::CloseNode(Node* node) {
  const std::lock_guard lock(NodeLock(node));
  if (node->opens > 0 && --node->opens > 0) return;
  // Nobody reads or writes any more: what is deleted beneath must not be kept by a descriptor.
  descriptors.Drop(node->id, DescriptorKind::kRead);
  descriptors.Drop(node->id, DescriptorKind::kWrite);
  if (node->backing <= 0) return;
  node->flags &= ~Node::kUnseen;
  const uint32_t backing = static_cast<uint32_t>(node->backing);
  node->backing = 0;
  ioctl(device->get(), kBackingCloseRequest, &backing);
}

void Engine::TakeBack(Effects effects) {
  Node* file_node = effects.handle == 0 ? nullptr : nodes.Find(files.Close(effects.handle));
  if (file_node != nullptr) CloseNode(file_node);
  for (const uint64_t id : effects.counted) {
    Node* node = nodes.Find(id);
    if (node != nullptr && nodes.Forget(node, 1)) DropNode(node);
  }
}

Engine::Effects Engine::TakeEffects(RequestSlot* slot) {
  Effects effects;
  effects.handle = slot->notes[1].exchange(0);
  const uint64_t counted = slot->notes[0].exchange(0);
  if (counted <= RequestSlot::kCountedMost) effects.counted.assign(slot->counted, slot->counted + counted);
  return effects;
}

namespace {

// A name that is about to go, and the node of its file if the kernel knows one.
struct Victim {
  struct statx status;
  Node* node = nullptr;
  std::unique_lock<std::mutex> lock;

  int Find(Engine& engine, int directory, const char* name) {
    const int error = engine.Examine(directory, name, &status);
    if (error != 0 || !engine.nodes.HasInode(status.stx_ino)) return error;
    const int opened = openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (opened < 0) return errno;
    FileDescriptor file(opened);
    FileIdentity identity;
    identity.ino = status.stx_ino;
    const int failed = engine.Identify(file.get(), &identity);
    if (failed != 0) return failed;
    node = engine.nodes.FindFile(identity);
    if (node != nullptr) engine.descriptors.Add(node->id, DescriptorKind::kPath, file.Release());
    return 0;
  }

  bool IsLast() const { return S_ISDIR(status.stx_mode) || status.stx_nlink == 1; }
  // Somebody will ask for it after its last name is gone. Precondition: the node's lock.
  bool IsNeeded() const { return node != nullptr && node->opens > 0 && !S_ISDIR(status.stx_mode) && IsLast(); }
  // Under the lock nobody adds or takes names of the file: only then it can be said whether this is the last.
  int Lock(Engine& engine, int directory, const char* name) {
    if (node == nullptr) return 0;
    lock = std::unique_lock(engine.NodeLock(node));
    return engine.Examine(directory, name, &status);
  }
  // Precondition: the node's lock.
  void Removed(Engine& engine) const {
    if (node != nullptr && IsLast()) engine.MarkGone(node, status);
  }
};

int RemoveName(Call& call, int flags) {
  Engine& engine = call.engine;
  const char* name = call.TakeName();
  if (name == nullptr) return EINVAL;
  Parent parent;
  int error = parent.Find(call, call.header.node);
  if (error != 0) return error;
  Victim victim;
  error = victim.Find(engine, parent.directory.get(), name);
  if (error == ENOENT && call.is_repeated) return 0;
  if (error != 0) return error;
  error = engine.CheckSealed(parent.directory.get(), name, victim.status);
  if (error != 0) return error;
  error = victim.Lock(engine, parent.directory.get(), name);
  if (error != 0) return error;
  if (flags == 0 && victim.IsNeeded()) {
    char orphan[20];
    engine.OrphanName(victim.node->id, orphan);
    if (renameat(parent.directory.get(), name, engine.orphans.get(), orphan) != 0) return errno;
    victim.node->flags |= Node::kOrphan;
    return 0;
  }
  if (unlinkat(parent.directory.get(), name, flags) != 0) return errno;
  victim.Removed(engine);
  return 0;
}

struct Move {
  Parent from;
  Parent to;
  const char* old_name;
  const char* new_name;
  uint32_t flags;
};

// Whether an exchange that is asked for again was done: the names have swapped what they had.
bool IsExchanged(Call& call, const Move& move) {
  struct statx one;
  struct statx other;
  if (call.engine.Examine(move.from.directory.get(), move.old_name, &one) != 0) return false;
  if (call.engine.Examine(move.to.directory.get(), move.new_name, &other) != 0) return false;
  if (call.is_repeated && call.note(2) != 0) return one.stx_ino == call.note(3) && other.stx_ino == call.note(2);
  call.note(3) = other.stx_ino;
  call.note(2) = one.stx_ino;
  return false;
}

int Replace(Call& call, const Move& move, Victim& victim) {
  Engine& engine = call.engine;
  const int error = victim.Lock(engine, move.to.directory.get(), move.new_name);
  if (error != 0) return error;
  char orphan[20] = "";
  // A second name first: at no moment the target is missing.
  if (victim.IsNeeded()) {
    engine.OrphanName(victim.node->id, orphan);
    DescriptorCache::Use file;
    const int failed = engine.PathOf(victim.node, &file);
    if (failed != 0) return failed;
    if (linkat(file.get(), "", engine.orphans.get(), orphan, AT_EMPTY_PATH) != 0 && errno != EEXIST) return errno;
  }
  if (renameat2(move.from.directory.get(), move.old_name, move.to.directory.get(), move.new_name, move.flags) != 0) {
    const int failed = errno;
    if (*orphan != 0) unlinkat(engine.orphans.get(), orphan, 0);
    return failed;
  }
  if (*orphan != 0) {
    victim.node->flags |= Node::kOrphan;
  } else {
    victim.Removed(engine);
  }
  return 0;
}

int DoMove(Call& call, Move& move, uint64_t directory) {
  Engine& engine = call.engine;
  const uint32_t flags = move.flags;
  if (move.old_name == nullptr || move.new_name == nullptr) return EINVAL;
  if ((flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT)) != 0) return EINVAL;
  int error = move.from.Find(call, call.header.node);
  if (error == 0) error = move.to.Find(call, directory);
  if (error != 0) return error;
  struct statx source;
  error = engine.Examine(move.from.directory.get(), move.old_name, &source);
  Victim victim;
  const int missing = victim.Find(engine, move.to.directory.get(), move.new_name);
  if (error == ENOENT && missing == 0 && call.is_repeated) return 0;
  if (error != 0) return error;
  if (missing != 0 && missing != ENOENT) return missing;
  error = engine.CheckSealed(move.from.directory.get(), move.old_name, source);
  if (error == 0 && missing == 0) error = engine.CheckSealed(move.to.directory.get(), move.new_name, victim.status);
  if (error != 0) return error;
  const bool replaces = missing == 0 && (flags & (RENAME_NOREPLACE | RENAME_EXCHANGE)) == 0;
  if (replaces && victim.status.stx_ino != source.stx_ino) return Replace(call, move, victim);
  if ((flags & RENAME_EXCHANGE) != 0 && IsExchanged(call, move)) return 0;
  return renameat2(move.from.directory.get(), move.old_name, move.to.directory.get(), move.new_name, flags) == 0 ? 0 : errno;
}

int MoveName(Call& call, uint64_t directory, uint32_t flags) {
  Move move{.from = {}, .to = {}, .old_name = call.TakeName(), .new_name = call.TakeName(), .flags = flags};
  const int error = DoMove(call, move, directory);
  if (error != 0 || call.engine.has_handles) return error;
  call.engine.Moved(move.to.node, move.to.directory.get(), move.new_name);
  if ((flags & RENAME_EXCHANGE) != 0) call.engine.Moved(move.from.node, move.from.directory.get(), move.old_name);
  return 0;
}

}  // namespace

int Unlink(Call& call) { return RemoveName(call, 0); }
int Rmdir(Call& call) { return RemoveName(call, AT_REMOVEDIR); }

int Rename(Call& call) {
  const auto* in = call.Take<RenameIn>();
  return in == nullptr ? EINVAL : MoveName(call, in->directory, 0);
}

int Rename2(Call& call) {
  const auto* in = call.Take<Rename2In>();
  return in == nullptr ? EINVAL : MoveName(call, in->directory, in->flags);
}

}  // namespace dunnage::loopback
