// Open files: passthrough where the kernel has it, otherwise reads and writes.
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "caller.h"
#include "engine.h"
#include "handlers.h"
#include "opening.h"

namespace dunnage::loopback {
namespace {

// Precondition: the node's lock. True if the file is, or stays, open as passthrough.
bool OpenBacking(Engine& engine, Node* node, int descriptor) {
  if (node->backing > 0) return true;
  if (!engine.has_passthrough || node->opens > 0 || (node->flags & Node::kRegular) == 0) return false;
  BackingMap map{descriptor, 0, 0};
  const int backing = ioctl(engine.device->get(), kBackingOpenRequest, &map);
  if (backing > 0) {
    node->backing = backing;
    return true;
  }
  // Not on this file system (it is stacked itself), or not by this process.
  if (errno == EPERM || errno == ELOOP || errno == EOPNOTSUPP || errno == ENOTTY) engine.has_passthrough = false;
  return false;
}

// Precondition: the node's lock. Such a file loses the bits by a write of anybody with passthrough, also by one who may keep them.
bool MayLoseSetid(int descriptor) {
  struct stat status;
  return fstat(descriptor, &status) == 0 && HasSetid(status);
}

// With passthrough a shared mapping writes to the file beneath and the kernel does not notice that times change. So it may not
// believe any attributes while the file is open like that, nor those that it has.
void ExpectUnseen(Engine& engine, Node* node) {
  if ((node->flags.fetch_or(Node::kUnseen) & Node::kUnseen) != 0) return;
  // Does not wait for anybody: no pages are concerned.
  const struct {
    OutHeader header;
    InvalidateInodeOut body;
  } message{{sizeof message, kInvalidateInode, 0}, {node->id, -1, 0}};
  if (write(engine.device->get(), &message, sizeof message) < 0 && errno != ENOENT) engine.failed_replies++;
}

struct Opened {
  Node* node = nullptr;
  DescriptorCache::Use file;

  int Find(Call& call, uint64_t id, bool writes) {
    node = call.engine.nodes.Find(id);
    return node == nullptr ? ESTALE : call.engine.IoOf(node, writes, &file);
  }
};

// For what the kernel does not say whether the caller keeps them.
bool MayKeepSetid(const Call& call, const struct stat& file) { return !HasSetid(file) || Caller(call).Has(CAP_FSETID); }

}  // namespace

int OpenFileOf(Call& call, Node* node, uint32_t flags, int descriptor, DescriptorKind kind, OpenOut* open) {
  Engine& engine = call.engine;
  FileDescriptor owned(descriptor);
  const std::lock_guard lock(engine.NodeLock(node));
  if ((node->flags & Node::kGone) != 0) return ESTALE;
  DescriptorCache::Use used;
  if (!owned.valid()) {
    const int error = engine.PathOf(node, &used);
    if (error != 0) return error;
  }
  const int file = owned.valid() ? owned.get() : used.get();
  const bool writes = (flags & O_ACCMODE) != O_RDONLY;
  // What is written later is written as who opens it now: quotas and the reserve of the file system hold.
  call.identity.KeepSetid(false);
  const bool wants_backing = !(writes && node->backing <= 0 && MayLoseSetid(file));
  const bool passes = wants_backing && OpenBacking(engine, node, file);
  const uint64_t handle = engine.files.Open(node->id, flags);
  if (handle == 0) return ENFILE;
  call.note(1) = handle;
  node->opens++;
  open->handle = handle;
  open->flags = kOpenNoFlush;
  if (passes) {
    open->flags |= kOpenPassthrough;
    open->backing = node->backing;
    if ((flags & O_ACCMODE) == O_RDWR) ExpectUnseen(engine, node);
  } else {
    open->flags |= kOpenKeepCache;
  }
  // Who opens a file asks for more of it soon, and whoever has just made it has nothing else to open it by.
  if (owned.valid()) engine.descriptors.Add(node->id, kind, owned.Release());
  return 0;
}

int Open(Call& call) {
  Engine& engine = call.engine;
  const auto* in = call.Take<OpenIn>();
  Node* node = engine.nodes.Find(call.header.node);
  if (in == nullptr) return EINVAL;
  if (node == nullptr) return ESTALE;
  if ((in->flags & O_TRUNC) != 0) {
    Opened opened;
    int error = opened.Find(call, call.header.node, true);
    if (error != 0) return error;
    struct stat status;
    if (fstat(opened.file.get(), &status) != 0) return errno;
    const WithSetid with(call, status, (in->open_flags & kOpenKillSetid) == 0);
    if (ftruncate(opened.file.get(), 0) != 0) return errno;
  }
  return OpenFileOf(call, node, in->flags, -1, DescriptorKind::kRead, call.Reply<OpenOut>());
}

int Release(Call& call) {
  Engine& engine = call.engine;
  const auto* in = call.Take<ReleaseIn>();
  if (in == nullptr) return EINVAL;
  Node* node = engine.nodes.Find(engine.files.Close(in->handle));
  if (node != nullptr) engine.CloseNode(node);
  return 0;
}

int Read(Call& call) {
  const auto* in = call.Take<ReadIn>();
  if (in == nullptr || in->size > call.room_bytes) return EINVAL;
  Opened opened;
  const int error = opened.Find(call, call.header.node, false);
  if (error != 0) return error;
  size_t done = 0;
  while (done < in->size) {
    const ssize_t length = pread(opened.file.get(), call.room + done, in->size - done, static_cast<off_t>(in->offset + done));
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) return errno;
    if (length == 0) break;
    done += static_cast<size_t>(length);
  }
  call.ReplyData(call.room, done);
  return 0;
}

int Write(Call& call) {
  const auto* in = call.Take<WriteIn>();
  if (in == nullptr) return EINVAL;
  const uint8_t* bytes = call.TakeBytes(in->size);
  if (bytes == nullptr) return EINVAL;
  Opened opened;
  const int error = opened.Find(call, call.header.node, true);
  if (error != 0) return error;
  struct stat status;
  if (fstat(opened.file.get(), &status) != 0) return errno;
  const WithSetid with(call, status, (in->write_flags & kWriteKillSetid) == 0);
  size_t done = 0;
  while (done < in->size) {
    const ssize_t length = pwrite(opened.file.get(), bytes + done, in->size - done, static_cast<off_t>(in->offset + done));
    if (length < 0 && errno == EINTR) continue;
    if (length < 0 && done == 0) return errno;
    if (length <= 0) break;
    done += static_cast<size_t>(length);
  }
  call.Reply<WriteOut>()->size = static_cast<uint32_t>(done);
  return 0;
}

int Fsync(Call& call) {
  const auto* in = call.Take<FsyncIn>();
  if (in == nullptr) return EINVAL;
  Opened opened;
  const int error = opened.Find(call, call.header.node, false);
  if (error != 0) return error;
  const bool data_only = (in->flags & kFsyncDataOnly) != 0;
  return (data_only ? fdatasync(opened.file.get()) : fsync(opened.file.get())) == 0 ? 0 : errno;
}

int Fallocate(Call& call) {
  const auto* in = call.Take<FallocateIn>();
  if (in == nullptr) return EINVAL;
  Opened opened;
  const int error = opened.Find(call, call.header.node, true);
  if (error != 0) return error;
  struct stat status;
  if (fstat(opened.file.get(), &status) != 0) return errno;
  const WithSetid with(call, status, MayKeepSetid(call, status));
  while (fallocate(opened.file.get(), static_cast<int>(in->mode), static_cast<off_t>(in->offset),
                   static_cast<off_t>(in->length)) != 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

int Lseek(Call& call) {
  const auto* in = call.Take<LseekIn>();
  if (in == nullptr || (in->whence != SEEK_DATA && in->whence != SEEK_HOLE)) return EINVAL;
  Opened opened;
  const int error = opened.Find(call, call.header.node, false);
  if (error != 0) return error;
  const off_t found = lseek(opened.file.get(), static_cast<off_t>(in->offset), static_cast<int>(in->whence));
  if (found < 0) return errno;
  call.Reply<LseekOut>()->offset = static_cast<uint64_t>(found);
  return 0;
}

int CopyFileRange(Call& call) {
  const auto* in = call.Take<CopyFileRangeIn>();
  if (in == nullptr || in->flags != 0) return EINVAL;
  Opened from;
  Opened to;
  int error = from.Find(call, call.header.node, false);
  if (error == 0) error = to.Find(call, in->node_out, true);
  if (error != 0) return error;
  struct stat status;
  if (fstat(to.file.get(), &status) != 0) return errno;
  const WithSetid with(call, status, MayKeepSetid(call, status));
  // The reply of the older request has 32 bits.
  constexpr uint64_t kMost = 1 << 30;
  off_t read_at = static_cast<off_t>(in->offset_in);
  off_t write_at = static_cast<off_t>(in->offset_out);
  const size_t wanted = in->length < kMost ? in->length : kMost;
  const ssize_t length = copy_file_range(from.file.get(), &read_at, to.file.get(), &write_at, wanted, 0);
  if (length < 0) return errno;
  if (call.header.opcode == kCopyFileRange64) {
    call.Reply<CopyFileRangeOut64>()->size = static_cast<uint64_t>(length);
  } else {
    call.Reply<WriteOut>()->size = static_cast<uint32_t>(length);
  }
  return 0;
}

}  // namespace dunnage::loopback
