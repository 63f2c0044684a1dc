// Extended attributes and ACLs, as the file system beneath has them.
#include <linux/capability.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "caller.h"
#include "engine.h"
#include "handlers.h"

namespace dunnage::loopback {
namespace {

int PathOfCall(Call& call, DescriptorCache::Use* path) {
  Node* node = call.engine.nodes.Find(call.header.node);
  return node == nullptr ? ESTALE : call.engine.PathOf(node, path);
}

// The size alone if that was asked for.
int ReplyValue(Call& call, ssize_t length, uint32_t wanted) {
  if (length < 0) return errno;
  if (wanted == 0) {
    call.Reply<GetxattrOut>()->size = static_cast<uint32_t>(length);
  } else {
    if (static_cast<size_t>(length) > wanted) return ERANGE;
    call.ReplyData(call.room, static_cast<size_t>(length));
  }
  return 0;
}

constexpr char kTrusted[] = "trusted.";

bool IsTrusted(const char* name) { return std::strncmp(name, kTrusted, sizeof kTrusted - 1) == 0; }

// The names as the kernel gave them: each ends with NUL.
bool HasTrusted(const char* names, size_t length) {
  for (size_t at = 0; at < length; at += std::strlen(names + at) + 1) {
    if (IsTrusted(names + at)) return true;
  }
  return false;
}

// trusted.* is shown to the administrator only, as by the file system beneath, which takes this process for one.
size_t WithoutTrusted(char* names, size_t length) {
  size_t kept = 0;
  for (size_t at = 0; at < length;) {
    const size_t bytes = std::strlen(names + at) + 1;
    if (!IsTrusted(names + at)) {
      std::memmove(names + kept, names + at, bytes);
      kept += bytes;
    }
    at += bytes;
  }
  return kept;
}

}  // namespace

int Getxattr(Call& call) {
  const auto* in = call.Take<GetxattrIn>();
  const char* name = call.TakeText();
  Node* node = call.engine.nodes.Find(call.header.node);
  if (in == nullptr || name == nullptr) return EINVAL;
  if (node == nullptr) return ESTALE;
  const size_t room = in->size < XATTR_SIZE_MAX ? in->size : XATTR_SIZE_MAX;
  // A file that is being written is asked for its capabilities again and again.
  const DescriptorCache::Use open = call.engine.descriptors.Find(node->id, DescriptorKind::kWrite);
  if (open.valid()) return ReplyValue(call, fgetxattr(open.get(), name, call.room, room), in->size);
  DescriptorCache::Use path;
  const int error = call.engine.PathOf(node, &path);
  if (error != 0) return error == ENOENT ? ENODATA : error;
  return ReplyValue(call, getxattr(DescriptorPath(path.get()).c_str(), name, call.room, room), in->size);
}

int Listxattr(Call& call) {
  const auto* in = call.Take<GetxattrIn>();
  if (in == nullptr) return EINVAL;
  DescriptorCache::Use path;
  const int error = PathOfCall(call, &path);
  if (error != 0) return error;
  char* names = reinterpret_cast<char*>(call.room);
  ssize_t length = listxattr(DescriptorPath(path.get()).c_str(), names, XATTR_LIST_MAX);
  if (length > 0 && HasTrusted(names, static_cast<size_t>(length)) && !Caller(call).Has(CAP_SYS_ADMIN)) {
    length = static_cast<ssize_t>(WithoutTrusted(names, static_cast<size_t>(length)));
  }
  return ReplyValue(call, length, in->size);
}

int Setxattr(Call& call) {
  uint32_t size = 0;
  uint32_t flags = 0;
  bool kills_setgid = false;
  if (call.engine.has_setxattr_extended) {
    const auto* in = call.Take<SetxattrExtendedIn>();
    if (in == nullptr) return EINVAL;
    size = in->size;
    flags = in->flags;
    kills_setgid = (in->setxattr_flags & kSetxattrAclKillSetgid) != 0;
  } else {
    const auto* in = call.Take<SetxattrIn>();
    if (in == nullptr) return EINVAL;
    size = in->size;
    flags = in->flags;
  }
  const char* name = call.TakeText();
  const uint8_t* value = call.TakeBytes(size);
  if (name == nullptr || value == nullptr) return EINVAL;
  DescriptorCache::Use path;
  int error = PathOfCall(call, &path);
  if (error != 0) return error;
  // An ACL of somebody outside of the group takes set-group-ID away: the thread is of no group and without the capability.
  call.identity.KeepSetid(!kills_setgid);
  if (kills_setgid) call.identity.Become(0, kInvalidId - 1);
  error = setxattr(DescriptorPath(path.get()).c_str(), name, value, size, static_cast<int>(flags)) == 0 ? 0 : errno;
  call.identity.BecomeSelf();
  if (error == EEXIST && (flags & XATTR_CREATE) != 0 && call.is_repeated) return 0;
  return error;
}

int Removexattr(Call& call) {
  const char* name = call.TakeText();
  if (name == nullptr) return EINVAL;
  DescriptorCache::Use path;
  const int error = PathOfCall(call, &path);
  if (error != 0) return error;
  if (removexattr(DescriptorPath(path.get()).c_str(), name) == 0) return 0;
  return errno == ENODATA && call.is_repeated ? 0 : errno;
}

}  // namespace dunnage::loopback
