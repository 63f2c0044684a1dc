// What is there: names, attributes, links, space. And what the kernel no longer remembers.
#include <sys/statfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "engine.h"
#include "handlers.h"

namespace dunnage::loopback {

int Lookup(Call& call) {
  Engine& engine = call.engine;
  const char* name = call.TakeName();
  Node* parent = engine.nodes.Find(call.header.node);
  if (name == nullptr) return EINVAL;
  if (parent == nullptr) return ESTALE;
  DescriptorCache::Use directory;
  int error = engine.PathOf(parent, &directory);
  if (error != 0) return error;
  auto* entry = call.Reply<EntryOut>();
  error = engine.Enter(call, parent, directory.get(), name, -1, entry, nullptr);
  if (error != ENOENT) return error;
  // Remembered as missing: a name appears only through this connection, or somebody says so.
  entry->entry_valid = kValidSeconds;
  return 0;
}

namespace {

void ForgetNode(Call& call, uint64_t id, uint64_t lookups) {
  Node* node = call.engine.nodes.Find(id);
  if (node != nullptr && call.engine.nodes.Forget(node, lookups)) call.engine.DropNode(node);
}

}  // namespace

// Note 0 counts before it is done: whoever does it again must not take back what was taken back. To count for too long is safe.
int Forget(Call& call) {
  const auto* in = call.Take<ForgetIn>();
  if (in != nullptr && call.note(0)++ == 0) ForgetNode(call, call.header.node, in->lookups);
  return kNoReply;
}

int BatchForget(Call& call) {
  const auto* in = call.Take<BatchForgetIn>();
  if (in == nullptr) return kNoReply;
  for (uint64_t index = 0; index < in->count; index++) {
    const auto* one = call.Take<ForgetOne>();
    if (one == nullptr) break;
    if (index < call.note(0)) continue;
    call.note(0)++;
    ForgetNode(call, one->node, one->lookups);
  }
  return kNoReply;
}

int Getattr(Call& call) {
  Node* node = call.engine.nodes.Find(call.header.node);
  if (node == nullptr) return ESTALE;
  auto* out = call.Reply<AttributesOut>();
  out->valid = Engine::ValidSeconds(node);
  return call.engine.AttributesOf(node, &out->attributes);
}

// Asked for what GETATTR cannot say: the time of birth.
int Statx(Call& call) {
  Engine& engine = call.engine;
  Node* node = engine.nodes.Find(call.header.node);
  if (node == nullptr) return ESTALE;
  DescriptorCache::Use path;
  const int error = engine.PathOf(node, &path);
  if (error != 0) return error;
  struct statx found;
  if (statx(path.get(), "", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME, &found) != 0) return errno;
  if ((node->flags & Node::kOrphan) != 0 && found.stx_nlink > 0) found.stx_nlink--;
  auto* out = call.Reply<StatxOut>();
  out->valid = Engine::ValidSeconds(node);
  // The kernel laid them out alike, up to the numbers of devices.
  std::memcpy(&out->body, &found, offsetof(StatxBody, spare2));
  return 0;
}

int Readlink(Call& call) {
  Node* node = call.engine.nodes.Find(call.header.node);
  if (node == nullptr) return ESTALE;
  DescriptorCache::Use path;
  const int error = call.engine.PathOf(node, &path);
  if (error != 0) return error;
  const ssize_t length = readlinkat(path.get(), "", reinterpret_cast<char*>(call.room), call.room_bytes);
  if (length < 0) return errno;
  call.ReplyData(call.room, static_cast<size_t>(length));
  return 0;
}

int Statfs(Call& call) {
  struct statfs found;
  if (fstatfs(call.engine.root.get(), &found) != 0) return errno;
  auto* out = call.Reply<StatfsOut>();
  out->blocks = found.f_blocks;
  out->blocks_free = found.f_bfree;
  out->blocks_available = found.f_bavail;
  out->files = found.f_files;
  out->files_free = found.f_ffree;
  out->block_size = static_cast<uint32_t>(found.f_bsize);
  out->name_bytes = static_cast<uint32_t>(found.f_namelen);
  out->fragment_size = static_cast<uint32_t>(found.f_frsize);
  return 0;
}

}  // namespace dunnage::loopback
