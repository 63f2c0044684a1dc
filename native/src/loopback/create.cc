// New names. The thread takes the caller's ids and umask for it, so that owner, group, default ACLs, set-group-ID directories and
// quotas come out as on the file system beneath.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "engine.h"
#include "handlers.h"
#include "opening.h"
#include "parent.h"

namespace dunnage::loopback {
namespace {

// While it lives the thread is the caller.
class AsCaller {
 public:
  // `mode`: of what is made. To change capabilities costs more than most requests: only where it matters.
  AsCaller(Call& call, uint32_t umask, mode_t mode) : identity_(call.identity) {
    identity_.Umask(umask & 0777);
    if ((mode & (S_ISUID | S_ISGID)) != 0) identity_.KeepSetid(Identity::KernelStripsSetgid());
    identity_.Become(call.header.user, call.header.group);
  }
  ~AsCaller() { identity_.BecomeSelf(); }

 private:
  Identity& identity_;
};

// `error`: of the call that made it. What is there already was made by the same request, if that is served again.
int EnterMade(Call& call, const Parent& place, const char* name, int error, mode_t type) {
  const bool is_repetition = error == EEXIST && call.is_repeated;
  if (error != 0 && !is_repetition) return error;
  auto* entry = call.Reply<EntryOut>();
  error = call.engine.Enter(call, place.node, place.directory.get(), name, -1, entry, nullptr);
  if (error == 0 && is_repetition && (entry->attributes.mode & S_IFMT) != type) {
    call.engine.TakeBack(call.engine.TakeEffects(call.slot()));
    return EEXIST;
  }
  return error;
}

}  // namespace

int Mknod(Call& call) {
  const auto* in = call.Take<MknodIn>();
  const char* name = call.TakeName();
  if (in == nullptr || name == nullptr) return EINVAL;
  Parent place;
  int error = place.Find(call, call.header.node);
  if (error != 0) return error;
  const dev_t number = makedev((in->rdev & 0xfff00) >> 8, (in->rdev & 0xff) | ((in->rdev >> 12) & 0xfff00));
  {
    const AsCaller caller(call, in->umask, in->mode);
    if (mknodat(place.directory.get(), name, in->mode, number) != 0) error = errno;
  }
  return EnterMade(call, place, name, error, in->mode & S_IFMT);
}

int Mkdir(Call& call) {
  const auto* in = call.Take<MkdirIn>();
  const char* name = call.TakeName();
  if (in == nullptr || name == nullptr) return EINVAL;
  Parent place;
  int error = place.Find(call, call.header.node);
  if (error != 0) return error;
  {
    const AsCaller caller(call, in->umask, in->mode);
    if (mkdirat(place.directory.get(), name, in->mode & 07777) != 0) error = errno;
  }
  return EnterMade(call, place, name, error, S_IFDIR);
}

int Symlink(Call& call) {
  const char* name = call.TakeName();
  const char* target = call.TakeText();
  if (name == nullptr || target == nullptr) return EINVAL;
  Parent place;
  int error = place.Find(call, call.header.node);
  if (error != 0) return error;
  {
    const AsCaller caller(call, 0, 0);
    if (symlinkat(target, place.directory.get(), name) != 0) error = errno;
  }
  return EnterMade(call, place, name, error, S_IFLNK);
}

// An orphan gets its name back (linkat(2) of what open(2) made with O_TMPFILE).
int Link(Call& call) {
  Engine& engine = call.engine;
  const auto* in = call.Take<LinkIn>();
  const char* name = call.TakeName();
  if (in == nullptr || name == nullptr) return EINVAL;
  Node* node = engine.nodes.Find(in->node);
  if (node == nullptr) return ESTALE;
  Parent place;
  int error = place.Find(call, call.header.node);
  if (error != 0) return error;
  mode_t type;
  {
    const std::lock_guard lock(engine.NodeLock(node));
    if ((node->flags & Node::kGone) != 0) return ENOENT;
    DescriptorCache::Use file;
    error = engine.PathOf(node, &file);
    if (error != 0) return error;
    struct statx found;
    error = engine.Examine(file.get(), "", &found);
    if (error != 0) return error;
    type = found.stx_mode & S_IFMT;
    if ((node->flags & Node::kOrphan) != 0) {
      char orphan[20];
      engine.OrphanName(node->id, orphan);
      if (renameat2(engine.orphans.get(), orphan, place.directory.get(), name, RENAME_NOREPLACE) != 0) {
        error = errno;
      }
      if (error == 0 || (error == ENOENT && call.is_repeated)) {
        node->flags &= ~Node::kOrphan;
        error = 0;
      }
    } else if (linkat(file.get(), "", place.directory.get(), name, AT_EMPTY_PATH) != 0) {
      error = errno;
    }
  }
  return EnterMade(call, place, name, error, type);
}

int Create(Call& call) {
  const auto* in = call.Take<CreateIn>();
  const char* name = call.TakeName();
  if (in == nullptr || name == nullptr) return EINVAL;
  Parent place;
  int error = place.Find(call, call.header.node);
  if (error != 0) return error;
  const int flags = O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
  FileDescriptor file;
  {
    const AsCaller caller(call, in->umask, in->mode);
    file = FileDescriptor(openat(place.directory.get(), name, flags | O_CREAT | O_EXCL, in->mode & 07777));
    if (!file.valid()) error = errno;
  }
  if (error == EEXIST && call.is_repeated) {
    file = FileDescriptor(openat(place.directory.get(), name, flags));
    error = file.valid() ? 0 : errno;
  }
  // The kernel believed that nothing is there and checked nothing: it has to look again.
  if (error == EEXIST && (in->flags & O_EXCL) == 0) return ESTALE;
  if (error != 0) return error;
  auto* entry = call.Reply<EntryOut>();
  auto* open = call.Reply<OpenOut>();
  Node* node = nullptr;
  error = call.engine.Enter(call, place.node, place.directory.get(), name, file.get(), entry, &node);
  if (error == 0) error = OpenFileOf(call, node, in->flags, file.Release(), DescriptorKind::kWrite, open);
  if (error == 0) entry->attributes_valid = Engine::ValidSeconds(node);
  if (error != 0) call.engine.TakeBack(call.engine.TakeEffects(call.slot()));
  return error;
}

// It gets a name in the orphan directory at once, so that the next daemon finds it.
int Tmpfile(Call& call) {
  Engine& engine = call.engine;
  const auto* in = call.Take<CreateIn>();
  if (in == nullptr) return EINVAL;
  Parent place;
  int error = place.Find(call, call.header.node);
  if (error != 0) return error;
  FileDescriptor file;
  {
    const AsCaller caller(call, in->umask, in->mode);
    file = FileDescriptor(openat(place.directory.get(), ".", O_TMPFILE | O_RDWR | O_CLOEXEC, in->mode & 07777));
    if (!file.valid()) return errno;
  }
  auto* entry = call.Reply<EntryOut>();
  auto* open = call.Reply<OpenOut>();
  Node* node = nullptr;
  error = engine.Enter(call, nullptr, -1, "", file.get(), entry, &node);
  if (error != 0) return error;
  char orphan[20];
  engine.OrphanName(node->id, orphan);
  if (linkat(file.get(), "", engine.orphans.get(), orphan, AT_EMPTY_PATH) != 0) {
    error = errno;
  } else {
    node->flags |= Node::kOrphan;
    error = OpenFileOf(call, node, in->flags, file.Release(), DescriptorKind::kWrite, open);
    entry->attributes_valid = Engine::ValidSeconds(node);
  }
  if (error != 0) engine.TakeBack(engine.TakeEffects(call.slot()));
  return error;
}

}  // namespace dunnage::loopback
