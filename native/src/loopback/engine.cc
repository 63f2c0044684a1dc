#include "engine.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "handlers.h"

namespace dunnage::loopback {
namespace {

using Handler = int (*)(Call&);

struct Handlers {
  Handler of[kOpcodeCount] = {};
  constexpr Handlers() {
    of[kLookup] = Lookup;
    of[kForget] = Forget;
    of[kBatchForget] = BatchForget;
    of[kGetattr] = Getattr;
    of[kStatx] = Statx;
    of[kReadlink] = Readlink;
    of[kStatfs] = Statfs;
    of[kSetattr] = Setattr;
    of[kMknod] = Mknod;
    of[kMkdir] = Mkdir;
    of[kSymlink] = Symlink;
    of[kLink] = Link;
    of[kCreate] = Create;
    of[kTmpfile] = Tmpfile;
    of[kUnlink] = Unlink;
    of[kRmdir] = Rmdir;
    of[kRename] = Rename;
    of[kRename2] = Rename2;
    of[kOpen] = Open;
    of[kRelease] = Release;
    of[kRead] = Read;
    of[kWrite] = Write;
    of[kFsync] = Fsync;
    of[kFallocate] = Fallocate;
    of[kLseek] = Lseek;
    of[kCopyFileRange] = CopyFileRange;
    of[kCopyFileRange64] = CopyFileRange;
    of[kReaddir] = Readdir;
    of[kReaddirplus] = Readdir;
    of[kFsyncdir] = Fsyncdir;
    of[kSyncfs] = Syncfs;
    of[kSetxattr] = Setxattr;
    of[kGetxattr] = Getxattr;
    of[kListxattr] = Listxattr;
    of[kRemovexattr] = Removexattr;
    of[kInterrupt] = [](Call&) { return kNoReply; };
    of[kNotifyReply] = [](Call&) { return kNoReply; };
    of[kDestroy] = [](Call&) { return 0; };
  }
};
constexpr Handlers kHandlers;

}  // namespace

Engine::Engine(uint32_t descriptors_most) : descriptors(descriptors_most) {}

int Engine::Prepare(const EngineOptions& options, const char** call) {
  *call = "mmap";
  int error = memory.Map(options.memory, options.is_takeover);
  if (error != 0) return error;
  *call = "open";
  device = std::make_shared<FileDescriptor>(FileDescriptor::Duplicate(options.device));
  if (!device->valid()) return errno;
  constexpr int kDirectoryFlags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  root = FileDescriptor(openat(options.root, ".", kDirectoryFlags));
  if (!root.valid()) return errno;
  orphans = FileDescriptor(openat(options.orphans, ".", kDirectoryFlags));
  if (!orphans.valid()) return errno;
  has_passthrough = options.has_passthrough;
  has_setxattr_extended = options.has_setxattr_extended;
  is_takeover_ = options.is_takeover;
  has_resend_ = options.has_resend;
  error = FindRoot(options, call);
  if (error == 0) Recover();
  return error;
}

int Engine::FindRoot(const EngineOptions& options, const char** call) {
  struct stat status;
  struct stat beside;
  *call = "fstat";
  if (fstat(root.get(), &status) != 0 || fstat(orphans.get(), &beside) != 0) return errno;
  if (status.st_dev != beside.st_dev) return EXDEV;
  Memory::Header* header = memory.header();
  if (options.is_takeover && (header->root_ino != status.st_ino || header->root_device != status.st_dev)) return ESTALE;
  header->root_ino = status.st_ino;
  header->root_device = status.st_dev;
  struct statx found;
  *call = "statx";
  if (statx(root.get(), "", AT_EMPTY_PATH, kStatxMask, &found) != 0) return errno;
  root_mount_ = found.stx_mnt_id;
  return IdentifyRoot(status.st_ino, options.is_takeover, call);
}

// By its handle if the file system has them and this process may use them: the root tells for all.
int Engine::IdentifyRoot(uint64_t ino, bool is_takeover, const char** call) {
  FileIdentity identity;
  identity.ino = ino;
  *call = "name_to_handle_at";
  has_handles = !is_takeover || memory.header()->has_handles != 0;
  int error = Identify(root.get(), &identity);
  if (error == 0) {
    nodes.SetRoot(identity);
    *call = "open_by_handle_at";
    const int opened = OpenNode(memory.node(1), O_PATH);
    if (opened < 0) {
      error = -opened;
    } else {
      close(opened);
    }
  }
  if (error != 0 && has_handles && !is_takeover) {
    has_handles = false;
    error = Identify(root.get(), &identity);
    if (error == 0) nodes.SetRoot(identity);
  }
  memory.header()->has_handles = has_handles ? 1 : 0;
  return error;
}

bool Engine::Serve(RequestSlot* slot, Identity& identity, uint8_t* room, size_t room_bytes) {
  const auto* header = reinterpret_cast<const InHeader*>(slot->request);
  Call call(*this, identity, slot, room, room_bytes, (header->unique & kUniqueResend) != 0);
  return Do(call);
}

bool Engine::Do(Call& call) {
  const uint32_t opcode = call.header.opcode;
  served[opcode < kOpcodeCount ? opcode : kOpcodeCount].fetch_add(1, std::memory_order_relaxed);
  const Handler handler = opcode < kOpcodeCount ? kHandlers.of[opcode] : nullptr;
  const int error = handler == nullptr ? ENOSYS : handler(call);
  if (error == kNoReply) return true;
  const bool goes_on = call.Answer(device->get(), error);
  if (!goes_on) failed_replies++;
  return goes_on;
}

void Engine::Recover() {
  if (is_takeover_) {
    nodes.Rebuild();
    files.Rebuild([this](uint64_t id) {
      Node* node = nodes.Find(id);
      if (node != nullptr) node->opens++;
    });
    CloseBackings();
  }
  SweepOrphans();
}

// A daemon died after the last file was closed and before it told the kernel.
void Engine::CloseBackings() {
  const uint32_t used = memory.header()->nodes_used;
  for (uint32_t index = 2; index < used; index++) {
    Node* node = memory.node(index);
    if (node->id == 0 || node->backing <= 0 || node->opens > 0) continue;
    const uint32_t backing = static_cast<uint32_t>(node->backing);
    node->backing = 0;
    ioctl(device->get(), kBackingCloseRequest, &backing);
  }
}

// A fresh start knows no node, so nothing there is needed. After a takeover it is if the kernel knows the node.
void Engine::SweepOrphans() {
  const int copy = openat(orphans.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* directory = copy < 0 ? nullptr : fdopendir(copy);
  if (directory == nullptr) return;
  while (const dirent* entry = readdir(directory)) {
    if (entry->d_name[0] == '.') continue;
    char* end = nullptr;
    const uint64_t id = strtoull(entry->d_name, &end, 16);
    Node* node = is_takeover_ && *end == 0 ? nodes.Find(id) : nullptr;
    struct stat status;
    const bool is_known = node != nullptr && fstatat(orphans.get(), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
                          status.st_ino == node->ino && (node->flags & Node::kGone) == 0;
    if (is_known && status.st_nlink == 1) node->flags |= Node::kOrphan;
    // With more names it was on the way: the request that made it an orphan is served again.
    if (!is_known || (node->flags & Node::kOrphan) == 0) unlinkat(orphans.get(), entry->d_name, 0);
  }
  closedir(directory);
}

// The kernel takes one answer. If it is this one, what was counted the first time is taken back; otherwise what was now.
void Engine::ServeAgain(RequestSlot* slot, Identity& identity, uint8_t* room, size_t room_bytes) {
  const auto* header = reinterpret_cast<const InHeader*>(slot->request);
  const bool forgets = header->opcode == kForget || header->opcode == kBatchForget;
  Effects first = forgets ? Effects() : TakeEffects(slot);
  Call call(*this, identity, slot, room, room_bytes, true);
  Do(call);
  if (!forgets) TakeBack(call.was_taken() ? std::move(first) : TakeEffects(slot));
}

void Engine::Replay(Identity& identity, uint8_t* room, size_t room_bytes) {
  if (!is_takeover_) return;
  for (uint32_t index = 0; index < Memory::kSlots; index++) {
    RequestSlot* slot = memory.slot(index);
    const auto* header = reinterpret_cast<const InHeader*>(slot->request);
    if (header->length < sizeof(InHeader) || header->length > RequestSlot::kRequestBytes || header->opcode == kInit) continue;
    if (slot->state == RequestSlot::kAnswered && slot->reply_bytes <= RequestSlot::kReplyBytes) {
      // Sent already or not: the kernel takes it once.
      if (write(device->get(), slot->reply, slot->reply_bytes) < 0 && errno != ENOENT) failed_replies++;
    } else {
      ServeAgain(slot, identity, room, room_bytes);
    }
    *reinterpret_cast<volatile uint32_t*>(slot->request) = 0;
    slot->state = 0;
  }
  if (!has_resend_) return;
  // Does not block: the kernel only moves what it has.
  const OutHeader resend{sizeof resend, kResend, 0};
  if (write(device->get(), &resend, sizeof resend) < 0) failed_replies++;
}

}  // namespace dunnage::loopback
