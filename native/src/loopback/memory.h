// The memory that outlives the daemon: which nodes and open files the kernel knows, what is sealed, and the requests that are
// being worked on. It is a sparse memfd that the holder keeps too.
//
//   header | sealed directories | request slots | open files | nodes | names (only where there are no file handles)
//
// Whoever is killed may leave it at any instruction. So there is one word for each thing that says whether it is there, written last
// when it comes and first when it goes; whatever can be derived (index, free places, counts of open files) is derived anew
// by the next daemon.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "wire.h"

namespace dunnage::loopback {

// What is needed to open a file without its name: that of name_to_handle_at(2).
struct FileHandle {
  static constexpr uint32_t kBytesMax = 80;
  uint32_t bytes;
  int32_t type;
  uint8_t data[kBytesMax];

  // Reads no more than it has itself: the other may be a node's, which attributes overwrite when its file is removed.
  bool operator==(const FileHandle& other) const {
    return bytes == other.bytes && type == other.type && std::memcmp(data, other.data, bytes) == 0;
  }
};

struct Node {
  static constexpr uint32_t kOrphan = 1;     // its last name is the one in the orphan directory
  static constexpr uint32_t kGone = 2;       // removed: `attributes` are all that is left
  static constexpr uint32_t kDirectory = 4;
  static constexpr uint32_t kRegular = 8;
  static constexpr uint32_t kTyped = 16;     // the two above are known
  static constexpr uint32_t kUnseen = 32;    // open such that a shared mapping may change it unseen: see OpenFileOf

  std::atomic<uint64_t> id;  // 0: this place is free
  uint64_t ino;
  std::atomic<uint64_t> lookups;
  std::atomic<uint32_t> opens;
  std::atomic<uint32_t> flags;
  int32_t backing;      // passthrough: the kernel's number for the open file beneath, or 0
  uint32_t generation;  // how often this place was taken: part of the id
  union {
    FileHandle handle;
    Attributes attributes;
  };
};
static_assert(sizeof(Node) == 128);

struct OpenFile {
  std::atomic<uint64_t> node;  // 0: free
  uint32_t sequence;           // part of the handle, so that a RELEASE done twice hits nothing
  uint32_t flags;              // of open(2)
};
static_assert(sizeof(OpenFile) == 16);

// Where a node's file is on file systems without handles.
struct Place {
  uint64_t parent;
  char name[256];
};

// One thread's request, from before it is read until it is answered.
struct RequestSlot {
  static constexpr uint32_t kAnswered = 2;
  static constexpr size_t kReplyBytes = 512;
  static constexpr uint32_t kCountedMost = (4096 - 64 - kReplyBytes) / sizeof(uint64_t);
  static constexpr size_t kRequestBytes = 1024 * 1024 + 8192;

  std::atomic<uint32_t> state;  // kAnswered: `reply` is the answer, maybe sent already
  uint32_t reply_bytes;
  uint64_t unused;
  // What was done so far, for whoever does it again: see `Call::note`.
  std::atomic<uint64_t> notes[4];
  uint64_t unused2[2];
  uint8_t reply[kReplyBytes];
  // The nodes that lookups were counted for; notes[0] says how many.
  uint64_t counted[kCountedMost];
  // Its first word is zero unless a request is being worked on.
  uint8_t request[kRequestBytes];
};
static_assert(sizeof(RequestSlot) % 4096 == 0);

class Memory {
 public:
  static constexpr uint32_t kSlots = 64;
  static constexpr uint32_t kSealed = 65536;
  static constexpr uint32_t kOpenFileBits = 20;
  static constexpr uint32_t kNodeBits = 24;
  static constexpr uint64_t kOpenFiles = uint64_t{1} << kOpenFileBits;
  static constexpr uint64_t kNodes = uint64_t{1} << kNodeBits;

  struct Header {
    uint64_t layout;
    uint64_t root_ino;
    uint64_t root_device;
    std::atomic<uint32_t> nodes_used;  // places from here on were never taken
    std::atomic<uint32_t> files_used;
    std::atomic<uint32_t> sealed_used;
    uint32_t has_handles;
  };

  Memory() = default;
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  ~Memory();

  static uint64_t SizeBytes();
  // 0 or an errno: EINVAL if it is too small, or not that of a version with the same layout.
  int Map(int descriptor, bool is_takeover);

  Header* header() const { return reinterpret_cast<Header*>(base_); }
  // The inode numbers of sealed directories, 0 where a place is free, and beside them what tells each from a later one of that number.
  std::atomic<uint64_t>* sealed() const;
  FileHandle* sealed_handles() const;
  RequestSlot* slot(uint32_t index) const;
  OpenFile* open_file(uint64_t index) const;
  Node* node(uint64_t index) const;
  Place* place(uint64_t index) const;

 private:
  uint8_t* base_ = nullptr;
};

}  // namespace dunnage::loopback
