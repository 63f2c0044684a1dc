// Extended attributes by descriptor, and the data and holes of a file. Names are bytes, one per character.
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <vector>

#include "arguments.h"
#include "exports.h"
#include "file-descriptor.h"
#include "pool-work.h"
#include "system-error.h"

namespace dunnage {
namespace {

// The list may grow between asking for its length and reading it.
constexpr int kTriesMax = 8;

// A descriptor of O_PATH (a link, a device, a fifo) takes no flistxattr(2) and the like (EBADF): it goes by its path then.
ssize_t ListNames(int descriptor, char* list, size_t size) {
  const ssize_t length = flistxattr(descriptor, list, size);
  if (length >= 0 || errno != EBADF) return length;
  return listxattr(DescriptorPath(descriptor).c_str(), list, size);
}

ssize_t GetValue(int descriptor, const char* name, void* value, size_t size) {
  const ssize_t length = fgetxattr(descriptor, name, value, size);
  if (length >= 0 || errno != EBADF) return length;
  return getxattr(DescriptorPath(descriptor).c_str(), name, value, size);
}

// Calls `read` with ever enough room. False with errno set if that fails.
template <typename Read>
bool ReadAll(Read read, std::vector<char>* result) {
  for (int tries = 0; tries < kTriesMax; tries++) {
    const ssize_t needed = read(nullptr, 0);
    if (needed < 0) return false;
    result->resize(static_cast<size_t>(needed));
    if (needed == 0) return true;
    const ssize_t length = read(result->data(), result->size());
    if (length >= 0) {
      result->resize(static_cast<size_t>(length));
      return true;
    }
    if (errno != ERANGE) return false;
  }
  errno = ERANGE;
  return false;
}

Napi::Value ListXattrs(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int descriptor = arguments.Descriptor();
  if (arguments.failed()) return info.Env().Undefined();
  std::vector<char> list;
  const auto read = [&](char* data, size_t size) { return ListNames(descriptor, data, size); };
  auto names = Napi::Array::New(info.Env());
  if (!ReadAll(read, &list)) {
    if (errno == ENOTSUP) return names;  // the file system has none
    return ThrowSystemError(info.Env(), errno, "flistxattr");
  }
  uint32_t count = 0;
  for (size_t start = 0; start < list.size();) {
    const std::string name(&list[start]);
    napi_value text = nullptr;
    napi_create_string_latin1(info.Env(), name.data(), name.size(), &text);
    names.Set(count++, Napi::Value(info.Env(), text));
    start += name.size() + 1;
  }
  return names;
}

Napi::Value GetXattr(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int descriptor = arguments.Descriptor();
  const std::string name = arguments.ByteText();
  if (arguments.failed()) return info.Env().Undefined();
  std::vector<char> value;
  const auto read = [&](char* data, size_t size) { return GetValue(descriptor, name.c_str(), data, size); };
  if (!ReadAll(read, &value)) return ThrowSystemError(info.Env(), errno, "fgetxattr", name);
  return Napi::Buffer<char>::Copy(info.Env(), value.data(), value.size());
}

Napi::Value SetXattr(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int descriptor = arguments.Descriptor();
  const std::string name = arguments.ByteText();
  const ByteView value = arguments.Bytes();
  if (arguments.failed()) return info.Env().Undefined();
  int result = fsetxattr(descriptor, name.c_str(), value.data, value.size, 0);
  if (result != 0 && errno == EBADF) {
    result = setxattr(DescriptorPath(descriptor).c_str(), name.c_str(), value.data, value.size, 0);
  }
  if (result != 0) return ThrowSystemError(info.Env(), errno, "fsetxattr", name);
  return info.Env().Undefined();
}

// In libuv's pool: on a file system that is frozen it waits until that ends.
Napi::Value SetXattrInPool(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int descriptor = arguments.Descriptor();
  const std::string name = arguments.ByteText();
  const ByteView given = arguments.Bytes();
  if (arguments.failed()) return info.Env().Undefined();
  const std::vector<uint8_t> value(given.data, given.data + given.size);
  const auto work = [descriptor, name, value] {
    if (fsetxattr(descriptor, name.c_str(), value.data(), value.size(), 0) == 0) return Outcome<Nothing>::Of({});
    return Outcome<Nothing>::Failed(errno, "fsetxattr", name);
  };
  return PoolWork<Nothing>::Start(info.Env(), "dunnage:setXattr", work, ToUndefined);
}

Napi::Value RemoveXattr(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int descriptor = arguments.Descriptor();
  const std::string name = arguments.ByteText();
  if (arguments.failed()) return info.Env().Undefined();
  int result = fremovexattr(descriptor, name.c_str());
  if (result != 0 && errno == EBADF) result = removexattr(DescriptorPath(descriptor).c_str(), name.c_str());
  if (result != 0) return ThrowSystemError(info.Env(), errno, "fremovexattr", name);
  return info.Env().Undefined();
}

// ENXIO, "nothing of it from there on", is an answer and not a failure.
Napi::Value Seek(const Napi::CallbackInfo& info, int whence) {
  Arguments arguments(info);
  const int descriptor = arguments.Descriptor();
  const int64_t offset = arguments.Long();
  if (arguments.failed()) return info.Env().Undefined();
  const off_t found = lseek(descriptor, static_cast<off_t>(offset), whence);
  if (found < 0 && errno != ENXIO) return ThrowSystemError(info.Env(), errno, "lseek");
  return Napi::Number::New(info.Env(), static_cast<double>(found));
}

Napi::Value SeekData(const Napi::CallbackInfo& info) { return Seek(info, SEEK_DATA); }
Napi::Value SeekHole(const Napi::CallbackInfo& info) { return Seek(info, SEEK_HOLE); }

}  // namespace

void ExportXattrs(Napi::Env env, Napi::Object exports) {
  exports.Set("listXattrs", Napi::Function::New(env, ListXattrs, "listXattrs"));
  exports.Set("getXattr", Napi::Function::New(env, GetXattr, "getXattr"));
  exports.Set("setXattr", Napi::Function::New(env, SetXattr, "setXattr"));
  exports.Set("setXattrInPool", Napi::Function::New(env, SetXattrInPool, "setXattrInPool"));
  exports.Set("removeXattr", Napi::Function::New(env, RemoveXattr, "removeXattr"));
  exports.Set("seekData", Napi::Function::New(env, SeekData, "seekData"));
  exports.Set("seekHole", Napi::Function::New(env, SeekHole, "seekHole"));
}

}  // namespace dunnage
