// Changes of attributes. The kernel has checked who may; what it sends is exactly what shall be.
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "caller.h"
#include "engine.h"
#include "handlers.h"

namespace dunnage::loopback {
namespace {

constexpr long kFchmodat2Number = 452;

// O_PATH descriptors cannot be changed by fchmod(2).
int ChangeMode(int path, mode_t mode) {
  static std::atomic<bool> has_fchmodat2{true};  // Linux 6.6
  if (has_fchmodat2) {
    if (syscall(kFchmodat2Number, path, "", mode, AT_EMPTY_PATH) == 0) return 0;
    if (errno != ENOSYS) return errno;
    has_fchmodat2 = false;
  }
  return chmod(DescriptorPath(path).c_str(), mode) == 0 ? 0 : errno;
}

timespec TimeOf(const SetattrIn& in, uint32_t bit, uint32_t now_bit, uint64_t seconds, uint32_t nanoseconds) {
  if ((in.valid & bit) == 0) return {0, UTIME_OMIT};
  if ((in.valid & now_bit) != 0) return {0, UTIME_NOW};
  return {static_cast<time_t>(seconds), static_cast<long>(nanoseconds)};
}

int Truncate(Call& call, Node* node, const SetattrIn& in) {
  DescriptorCache::Use file;
  const int error = call.engine.IoOf(node, true, &file);
  if (error != 0) return error;
  struct stat status;
  if (fstat(file.get(), &status) != 0) return errno;
  const WithSetid with(call, status, (in.valid & kSetKillSetid) == 0);
  return ftruncate(file.get(), static_cast<off_t>(in.size)) == 0 ? 0 : errno;
}

int ChangeOwner(Call& call, int path, const SetattrIn& in) {
  const uid_t user = (in.valid & kSetUser) != 0 ? in.user : static_cast<uid_t>(-1);
  const gid_t group = (in.valid & kSetGroup) != 0 ? in.group : static_cast<gid_t>(-1);
  struct stat status;
  if (fstat(path, &status) != 0) return errno;
  const WithSetid with(call, status, HasSetid(status) && Caller(call).Has(CAP_FSETID));
  return fchownat(path, "", user, group, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) == 0 ? 0 : errno;
}

int Change(Call& call, Node* node, int path, const SetattrIn& in) {
  // A request for nothing at all is chown(-1, -1): it clears set-id bits and is a change of the file.
  const bool is_empty = (in.valid & (kSetUser | kSetGroup | kSetMode | kSetSize | kSetAtime | kSetMtime)) == 0;
  if (is_empty || (in.valid & (kSetUser | kSetGroup)) != 0) {
    const int error = ChangeOwner(call, path, in);
    if (error != 0) return error;
  }
  if ((in.valid & kSetMode) != 0) {
    if ((in.mode & (S_ISUID | S_ISGID)) != 0) call.identity.KeepSetid(true);
    const int error = ChangeMode(path, in.mode & 07777);
    if (error != 0) return error;
  }
  if ((in.valid & kSetSize) != 0) {
    const int error = Truncate(call, node, in);
    if (error != 0) return error;
  }
  if ((in.valid & (kSetAtime | kSetMtime)) != 0) {
    const timespec times[2] = {TimeOf(in, kSetAtime, kSetAtimeNow, in.atime, in.atime_ns),
                               TimeOf(in, kSetMtime, kSetMtimeNow, in.mtime, in.mtime_ns)};
    if (utimensat(path, "", times, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) != 0) return errno;
  }
  return 0;
}

// Nothing is left but what is remembered.
void ChangeGone(Attributes* attributes, const SetattrIn& in) {
  if ((in.valid & kSetUser) != 0) attributes->user = in.user;
  if ((in.valid & kSetGroup) != 0) attributes->group = in.group;
  if ((in.valid & kSetMode) != 0) attributes->mode = (attributes->mode & S_IFMT) | (in.mode & 07777);
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  attributes->ctime = static_cast<uint64_t>(now.tv_sec);
  attributes->ctime_ns = static_cast<uint32_t>(now.tv_nsec);
  if ((in.valid & kSetAtime) != 0) {
    const bool is_now = (in.valid & kSetAtimeNow) != 0;
    attributes->atime = is_now ? attributes->ctime : in.atime;
    attributes->atime_ns = is_now ? attributes->ctime_ns : in.atime_ns;
  }
  if ((in.valid & kSetMtime) != 0) {
    const bool is_now = (in.valid & kSetMtimeNow) != 0;
    attributes->mtime = is_now ? attributes->ctime : in.mtime;
    attributes->mtime_ns = is_now ? attributes->ctime_ns : in.mtime_ns;
  }
}

}  // namespace

int Setattr(Call& call) {
  Engine& engine = call.engine;
  const auto* in = call.Take<SetattrIn>();
  Node* node = engine.nodes.Find(call.header.node);
  if (in == nullptr) return EINVAL;
  if (node == nullptr) return ESTALE;
  auto* out = call.Reply<AttributesOut>();
  out->valid = Engine::ValidSeconds(node);
  {
    const std::lock_guard lock(engine.NodeLock(node));
    if ((node->flags & Node::kGone) != 0) {
      ChangeGone(&node->attributes, *in);
      out->attributes = node->attributes;
      return 0;
    }
  }
  DescriptorCache::Use file;
  int error = engine.AnyOf(node, &file);
  if (error == 0) error = Change(call, node, file.get(), *in);
  if (error != 0) return error;
  return engine.AttributesOf(node, &out->attributes);
}

}  // namespace dunnage::loopback
