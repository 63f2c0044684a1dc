// Making, moving and removing nodes by the descriptor of their directory and a single name, with owners and times. Names are
// bytes, one per character; the last component is never followed.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string>

#include "arguments.h"
#include "exports.h"
#include "system-error.h"

namespace dunnage {
namespace {

Napi::Value Answer(const Napi::CallbackInfo& info, int result, const char* call, const std::string& name) {
  if (result != 0) return ThrowSystemError(info.Env(), errno, call, name);
  return info.Env().Undefined();
}

int FlagsOf(const std::string& name) { return AT_SYMLINK_NOFOLLOW | (name.empty() ? AT_EMPTY_PATH : 0); }

Napi::Value MakeNode(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int directory = arguments.Descriptor();
  const std::string name = arguments.ByteText();
  const uint32_t mode = arguments.Unsigned();
  const uint32_t major = arguments.Unsigned();
  const uint32_t minor = arguments.Unsigned();
  if (arguments.failed()) return info.Env().Undefined();
  const bool is_directory = S_ISDIR(mode);
  const int result = is_directory ? mkdirat(directory, name.c_str(), mode & 07777)
                                  : mknodat(directory, name.c_str(), mode, makedev(major, minor));
  return Answer(info, result, is_directory ? "mkdirat" : "mknodat", name);
}

Napi::Value MakeSymlink(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const std::string text = arguments.ByteText();
  const int directory = arguments.Descriptor();
  const std::string name = arguments.ByteText();
  if (arguments.failed()) return info.Env().Undefined();
  return Answer(info, symlinkat(text.c_str(), directory, name.c_str()), "symlinkat", name);
}

Napi::Value MakeLink(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int from_directory = arguments.Descriptor();
  const std::string from = arguments.ByteText();
  const int directory = arguments.Descriptor();
  const std::string name = arguments.ByteText();
  if (arguments.failed()) return info.Env().Undefined();
  return Answer(info, linkat(from_directory, from.c_str(), directory, name.c_str(), 0), "linkat", name);
}

Napi::Value RemoveNode(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int directory = arguments.Descriptor();
  const std::string name = arguments.ByteText();
  const bool is_directory = arguments.Boolean();
  if (arguments.failed()) return info.Env().Undefined();
  return Answer(info, unlinkat(directory, name.c_str(), is_directory ? AT_REMOVEDIR : 0), "unlinkat", name);
}

Napi::Value RenameNode(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int from_directory = arguments.Descriptor();
  const std::string from = arguments.ByteText();
  const int directory = arguments.Descriptor();
  const std::string name = arguments.ByteText();
  const std::string how = arguments.Text();
  if (arguments.failed()) return info.Env().Undefined();
  const unsigned flags = how == "exchange" ? RENAME_EXCHANGE : how == "keep" ? RENAME_NOREPLACE : 0;
  const int result = renameat2(from_directory, from.c_str(), directory, name.c_str(), flags);
  return Answer(info, result, "renameat2", from);
}

Napi::Value SetOwner(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int directory = arguments.Descriptor();
  const std::string name = arguments.ByteText();
  const uint32_t user = arguments.Unsigned();
  const uint32_t group = arguments.Unsigned();
  if (arguments.failed()) return info.Env().Undefined();
  return Answer(info, fchownat(directory, name.c_str(), user, group, FlagsOf(name)), "fchownat", name);
}

Napi::Value SetTimes(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int directory = arguments.Descriptor();
  const std::string name = arguments.ByteText();
  timespec times[2];
  for (timespec& time : times) {
    time.tv_sec = static_cast<time_t>(arguments.Long());
    time.tv_nsec = static_cast<long>(arguments.Unsigned());
  }
  if (arguments.failed()) return info.Env().Undefined();
  // Without a name it is about the open file itself.
  const int result = name.empty() ? futimens(directory, times)
                                  : utimensat(directory, name.c_str(), times, AT_SYMLINK_NOFOLLOW);
  return Answer(info, result, "utimensat", name);
}

Napi::Value SyncFileSystem(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int descriptor = arguments.Descriptor();
  if (arguments.failed()) return info.Env().Undefined();
  return Answer(info, syncfs(descriptor), "syncfs", "");
}

}  // namespace

void ExportNodeChanges(Napi::Env env, Napi::Object exports) {
  exports.Set("makeNode", Napi::Function::New(env, MakeNode, "makeNode"));
  exports.Set("makeSymlink", Napi::Function::New(env, MakeSymlink, "makeSymlink"));
  exports.Set("makeLink", Napi::Function::New(env, MakeLink, "makeLink"));
  exports.Set("removeNode", Napi::Function::New(env, RemoveNode, "removeNode"));
  exports.Set("renameNode", Napi::Function::New(env, RenameNode, "renameNode"));
  exports.Set("setOwner", Napi::Function::New(env, SetOwner, "setOwner"));
  exports.Set("setTimes", Napi::Function::New(env, SetTimes, "setTimes"));
  exports.Set("syncFileSystem", Napi::Function::New(env, SyncFileSystem, "syncFileSystem"));
}

}  // namespace dunnage
