// Serves a directory of the host through /dev/fuse, with native threads. What the parts of the engine share.
//
// The kernel checks permissions (default_permissions) and keeps what it knows for long: whoever changes the directory besides this
// connection says so (`forget`, `refresh`). Files are opened by their handles, so that renames do not matter; names are looked up
// one component at a time beneath the directory's node, never across a mount point.
//
// A removed file that is still open is moved to the orphan directory, under its node's id: the next daemon must be able to open
// it. It goes when the kernel forgets the node. What is removed and not open, and removed directories, live on as attributes.
//
// Locks, in the order in which they are taken: `NodeLock`, then those inside of NodeTable, OpenFiles and DescriptorCache.
#pragma once

#include <sys/stat.h>

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "../file-descriptor.h"
#include "call.h"
#include "descriptor-cache.h"
#include "memory.h"
#include "node-table.h"
#include "open-files.h"

namespace dunnage::loopback {

// For how long the kernel may rely on what it was told. Nobody else changes the directory unsaid.
constexpr uint64_t kValidSeconds = 86400;
constexpr unsigned kStatxMask = 0x17ff;  // all that stat(2) has, and which mount it is on

struct EngineOptions {
  int device;
  int root;
  int orphans;
  int memory;
  bool has_passthrough;
  bool has_setxattr_extended;
  bool has_resend;
  bool is_takeover;
};

class Engine {
 public:
  explicit Engine(uint32_t descriptors_most);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Call by call, `call` is what failed. 0 or an errno.
  int Prepare(const EngineOptions& options, const char** call);

  // Does a request and answers it. False if the connection is over.
  bool Serve(RequestSlot* slot, Identity& identity, uint8_t* room, size_t room_bytes);

  // Answers what an earlier daemon left unanswered, and has the kernel send again what may be missing. Before the first request is
  // read: one that is worked on must not be sent again.
  void Replay(Identity& identity, uint8_t* room, size_t room_bytes);

  // --- Files (backing.cc) ---
  // Its O_PATH descriptor. ESTALE if the file was removed by somebody else, ENOENT if through the mount.
  int PathOf(Node* node, DescriptorCache::Use* use);
  // The one that is open for writing if there is one, otherwise that: for what any descriptor will do for.
  int AnyOf(Node* node, DescriptorCache::Use* use);
  // A descriptor to read from or to write to.
  int IoOf(Node* node, bool writes, DescriptorCache::Use* use);
  int OpenNode(Node* node, int flags);  // a descriptor, or a negative errno
  int IdentityOf(int descriptor, FileIdentity* identity) const;
  // Where the inode number is known: `identity->ino` is the caller's to fill in.
  int Identify(int descriptor, FileIdentity* identity) const;
  // statx(2) of a name or, if it is empty, of the descriptor. EXDEV if it is on another file system.
  int Examine(int directory, const char* name, struct statx* found) const;
  // For how long the kernel may believe the attributes.
  static uint64_t ValidSeconds(const Node* node) { return (node->flags & Node::kUnseen) != 0 ? 0 : kValidSeconds; }
  int AttributesOf(Node* node, Attributes* attributes);
  // Looks the name up and counts it; `opened` is a descriptor of it, or -1. The caller keeps `opened`.
  // `parent`: the node of the directory; null for what has no name.
  int Enter(Call& call, Node* parent, int directory, const char* name, int opened, EntryOut* entry, Node** found);

  // --- File systems without file handles (places.cc) ---
  int IdentifyByBirth(int descriptor, FileIdentity* identity) const;
  int OpenByPlace(Node* node, int flags);  // a descriptor, or a negative errno
  void SetPlace(Node* node, const Node* parent, const char* name);
  // Something else has that name now.
  void Moved(const Node* parent, int directory, const char* name);

  // --- Removal (remove.cc) ---
  void DropNode(Node* node);   // the kernel has forgotten it
  void CloseNode(Node* node);  // one open file less
  // What a request had counted and opened for the kernel, whose reply the kernel does not get.
  struct Effects {
    uint64_t handle = 0;
    std::vector<uint64_t> counted;
  };
  static Effects TakeEffects(RequestSlot* slot);
  void TakeBack(Effects effects);
  void OrphanName(uint64_t node, char* name) const;
  // Only attributes are left of it.
  void MarkGone(Node* node, const struct statx& last);

  // --- Sealed directories (sealed.cc) ---
  bool Seal(const FileIdentity& identity);
  void Unseal(const FileIdentity& identity);
  bool IsSealed(const Node* node);
  // EBUSY if what has that name is sealed. `status`: of the name.
  int CheckSealed(int directory, const char* name, const struct statx& status);

  std::mutex& NodeLock(const Node* node) { return node_locks_[NodeTable::IndexOf(node->id) % node_locks_.size()]; }

  Memory memory;
  NodeTable nodes{&memory};
  OpenFiles files{&memory};
  DescriptorCache descriptors;
  std::shared_ptr<FileDescriptor> device;
  FileDescriptor root;
  FileDescriptor orphans;
  std::atomic<bool> has_passthrough{false};
  bool has_setxattr_extended = false;
  bool has_handles = true;
  std::atomic<uint64_t> served[kOpcodeCount + 1]{};
  std::atomic<uint64_t> failed_replies{0};

 private:
  int FindRoot(const EngineOptions& options, const char** call);
  int IdentifyRoot(uint64_t ino, bool is_takeover, const char** call);
  // Derives what an earlier daemon did not leave, and removes the orphans that nobody needs.
  void Recover();
  void ServeAgain(RequestSlot* slot, Identity& identity, uint8_t* room, size_t room_bytes);
  bool Do(Call& call);
  void SweepOrphans();
  void CloseBackings();
  // Whether something of that number is or was sealed: then it is worth asking for more.
  bool MayBeSealed(uint64_t ino) const;
  bool IsSealed(const FileIdentity& identity);

  std::array<std::mutex, 256> node_locks_;
  std::mutex places_mutex_;
  uint64_t root_mount_ = 0;
  std::mutex sealed_mutex_;
  bool is_takeover_ = false;
  bool has_resend_ = false;
};

void ToAttributes(const struct statx& found, Attributes* attributes);
uint32_t TypeFlags(uint32_t mode);

}  // namespace dunnage::loopback
