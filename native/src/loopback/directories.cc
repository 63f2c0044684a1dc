// Listings. The kernel opens no directory here (NO_OPENDIR_SUPPORT), so the descriptor that is read belongs to the node, and a
// cookie is the offset of the directory beneath: any request can be answered by any daemon.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "engine.h"
#include "handlers.h"

namespace dunnage::loopback {
namespace {

struct LinuxDirent {
  uint64_t ino;
  int64_t offset;
  uint16_t record_bytes;
  uint8_t type;
  char name[];
};

constexpr size_t kNamesBytes = 32768;
// A record of getdents64(2) may be longer in the reply, so that it is asked for less: what was read is never thrown away.
constexpr size_t kGrowth = 8;
constexpr uint64_t kUnknownPosition = ~uint64_t{0};

size_t Aligned(size_t bytes) { return (bytes + 7) & ~size_t{7}; }

class Listing {
 public:
  Listing(Call& call, Node* node, size_t most, bool plus) : call_(call), node_(node), most_(most), plus_(plus) {}

  bool HasRoomFor(const LinuxDirent* found) const {
    return used_ + RecordBytes(std::strlen(found->name)) <= most_ && (!plus_ || call_.HasRoomToCount());
  }
  void Add(int directory, const LinuxDirent* found) {
    const size_t name_bytes = std::strlen(found->name);
    uint8_t* record = call_.room + used_;
    std::memset(record, 0, RecordBytes(name_bytes));
    if (plus_) {
      const bool is_dots = found->name[0] == '.' && (found->name[1] == 0 || (found->name[1] == '.' && found->name[2] == 0));
      auto* entry = reinterpret_cast<EntryOut*>(record);
      // Node 0: only the name is told.
      if (!is_dots && call_.engine.Enter(call_, node_, directory, found->name, -1, entry, nullptr) != 0) {
        std::memset(entry, 0, sizeof(EntryOut));
      }
      record += sizeof(EntryOut);
    }
    auto* entry = reinterpret_cast<Dirent*>(record);
    entry->ino = found->ino;
    entry->offset = static_cast<uint64_t>(found->offset);
    entry->name_bytes = static_cast<uint32_t>(name_bytes);
    entry->type = found->type;
    std::memcpy(record + sizeof(Dirent), found->name, name_bytes);
    used_ += RecordBytes(name_bytes);
  }
  size_t RecordBytes(size_t name_bytes) const {
    return (plus_ ? sizeof(EntryOut) : 0) + sizeof(Dirent) + Aligned(name_bytes);
  }
  size_t used() const { return used_; }
  // How much may be read so that all of it fits. The shortest record of getdents64(2) has 24 bytes.
  size_t ReadableBytes() const {
    const size_t left = most_ - used_;
    const size_t bytes = plus_ ? left * 24 / RecordBytes(1) : left * 24 / (24 + kGrowth);
    return bytes < kNamesBytes ? bytes : kNamesBytes;
  }

 private:
  Call& call_;
  Node* const node_;
  const size_t most_;
  const bool plus_;
  size_t used_ = 0;
};

// ext4 takes the position of the first read for the beginning: one that began at the end of a directory would find nothing there
// for ever. So a new descriptor is read from its start once.
int OpenListing(Engine& engine, Node* node, uint64_t offset, uint64_t* position) {
  const int opened = engine.OpenNode(node, O_RDONLY | O_DIRECTORY);
  if (opened < 0 || offset == 0) return opened;
  alignas(8) uint8_t names[280];
  if (syscall(SYS_getdents64, opened, names, sizeof names) > 0) *position = kUnknownPosition;
  return opened;
}

int ReadNames(int directory, int path, uint64_t& position, uint64_t offset, Listing& listing) {
  alignas(8) uint8_t names[kNamesBytes];
  if (position != offset && lseek(directory, static_cast<off_t>(offset), SEEK_SET) < 0) return errno;
  position = offset;
  for (;;) {
    // One long name must be readable, also if there is no room for more.
    constexpr size_t kLongest = 280;
    const size_t readable = listing.ReadableBytes();
    if (readable < kLongest && listing.used() > 0) return 0;
    const long length = syscall(SYS_getdents64, directory, names, readable < kLongest ? kLongest : readable);
    if (length < 0) return listing.used() > 0 ? 0 : errno;
    if (length == 0) return 0;
    for (long at = 0; at < length;) {
      const auto* found = reinterpret_cast<const LinuxDirent*>(names + at);
      if (!listing.HasRoomFor(found)) return lseek(directory, static_cast<off_t>(position), SEEK_SET) < 0 ? errno : 0;
      listing.Add(path, found);
      position = static_cast<uint64_t>(found->offset);
      at += found->record_bytes;
    }
  }
}

}  // namespace

int Readdir(Call& call) {
  Engine& engine = call.engine;
  const auto* in = call.Take<ReadIn>();
  Node* node = engine.nodes.Find(call.header.node);
  if (in == nullptr) return EINVAL;
  if (node == nullptr) return ESTALE;
  const size_t most = in->size < call.room_bytes ? in->size : call.room_bytes;
  Listing listing(call, node, most, call.header.opcode == kReaddirplus);
  DescriptorCache::Use directory = engine.descriptors.Find(node->id, DescriptorKind::kDirectory);
  // Two may read one directory at the same time: the second gets a descriptor of its own.
  if (!directory.valid() || !directory.busy().try_lock()) {
    uint64_t position = 0;
    const int opened = OpenListing(engine, node, in->offset, &position);
    if (opened < 0) return -opened;
    if (directory.valid()) {
      const FileDescriptor own(opened);
      const int error = ReadNames(own.get(), own.get(), position, in->offset, listing);
      call.ReplyData(call.room, listing.used());
      return error;
    }
    directory = engine.descriptors.Add(node->id, DescriptorKind::kDirectory, opened);
    directory.busy().lock();
    // Somebody may have been faster.
    directory.position() = kUnknownPosition;
  }
  const int error = ReadNames(directory.get(), directory.get(), directory.position(), in->offset, listing);
  directory.busy().unlock();
  call.ReplyData(call.room, listing.used());
  return error;
}

int Fsyncdir(Call& call) {
  Node* node = call.engine.nodes.Find(call.header.node);
  if (node == nullptr) return ESTALE;
  // Nothing of a removed one is to outlive a crash.
  if ((node->flags & Node::kGone) != 0) return 0;
  const int opened = call.engine.OpenNode(node, O_RDONLY | O_DIRECTORY);
  if (opened < 0) return -opened;
  const FileDescriptor directory(opened);
  return fsync(directory.get()) == 0 ? 0 : errno;
}

int Syncfs(Call& call) { return syncfs(call.engine.root.get()) == 0 ? 0 : errno; }

}  // namespace dunnage::loopback
