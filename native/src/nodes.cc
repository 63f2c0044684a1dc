// Looking at a tree by descriptors: whole directories and whole small files in one call each, because what walks over a
// million files pays for every step from JavaScript. Names are bytes, one per character. No link is ever followed.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "arguments.h"
#include "exports.h"
#include "file-descriptor.h"
#include "kernel-abi.h"
#include "system-error.h"

namespace dunnage {
namespace {

constexpr int kWalkTriesMax = 16;
constexpr size_t kLinkBytesFirst = 256;
constexpr size_t kLinkBytesMax = 1 << 20;

// As `NODE_FIELDS` in src/native/node-status.ts counts them.
constexpr size_t kNodeFields = 20;
constexpr unsigned kStatxMountId = 0x1000;
constexpr uint64_t kStatxMountRoot = 0x2000;
constexpr unsigned kStatxWanted = STATX_BASIC_STATS | kStatxMountId;

void WriteStatus(const struct statx& status, double* fields) {
  const double values[kNodeFields] = {
      static_cast<double>(status.stx_mode),
      static_cast<double>(status.stx_nlink),
      static_cast<double>(status.stx_uid),
      static_cast<double>(status.stx_gid),
      static_cast<double>(status.stx_size),
      static_cast<double>(status.stx_blocks),
      static_cast<double>(status.stx_dev_major),
      static_cast<double>(status.stx_dev_minor),
      static_cast<double>(status.stx_ino >> 32),
      static_cast<double>(status.stx_ino & 0xffffffffU),
      static_cast<double>(status.stx_rdev_major),
      static_cast<double>(status.stx_rdev_minor),
      static_cast<double>(status.stx_mtime.tv_sec),
      static_cast<double>(status.stx_mtime.tv_nsec),
      static_cast<double>(status.stx_atime.tv_sec),
      static_cast<double>(status.stx_atime.tv_nsec),
      static_cast<double>(status.stx_ctime.tv_sec),
      static_cast<double>(status.stx_ctime.tv_nsec),
      (status.stx_mask & kStatxMountId) != 0 ? static_cast<double>(status.stx_mnt_id) : -1.0,
      (status.stx_attributes & kStatxMountRoot) != 0 ? 1.0 : 0.0,
  };
  for (size_t index = 0; index < kNodeFields; index++) fields[index] = values[index];
}

bool ReadStatus(int directory, const char* name, struct statx* status) {
  const int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (*name == '\0' ? AT_EMPTY_PATH : 0);
  return statx(directory, name, flags, kStatxWanted, status) == 0;
}

int OpenPlain(int directory, const char* path, uint64_t flags, uint64_t mode, bool same_mount) {
  kernel::OpenHow how{};
  how.flags = flags | O_CLOEXEC;
  how.mode = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE ? (mode & 07777) : 0;
  how.resolve = kernel::kResolveBeneath | kernel::kResolveNoMagicLinks | kernel::kResolveNoSymlinks;
  if (same_mount) how.resolve |= kernel::kResolveNoMounts;
  int tries = 0;
  int opened;
  do {
    opened = kernel::Openat2(directory, path, &how);
  } while (opened < 0 && (errno == EINTR || (errno == EAGAIN && ++tries < kWalkTriesMax)));
  return opened;
}

Napi::Value OpenNode(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int directory = arguments.Descriptor();
  const std::string path = arguments.ByteText();
  const uint32_t flags = arguments.Unsigned();
  const uint32_t mode = arguments.Unsigned();
  const bool same_mount = arguments.Boolean();
  if (arguments.failed()) return info.Env().Undefined();
  const int opened = OpenPlain(directory, path.empty() ? "." : path.c_str(), flags, mode, same_mount);
  if (opened < 0) return ThrowSystemError(info.Env(), errno, "openat2", path);
  return Napi::Number::New(info.Env(), opened);
}

Napi::Value StatNode(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int directory = arguments.Descriptor();
  const std::string name = arguments.ByteText();
  if (arguments.failed()) return info.Env().Undefined();
  struct statx status;
  if (!ReadStatus(directory, name.c_str(), &status)) return ThrowSystemError(info.Env(), errno, "statx", name);
  auto fields = Napi::Float64Array::New(info.Env(), kNodeFields);
  WriteStatus(status, fields.Data());
  return fields;
}

struct CloseDirectory {
  void operator()(DIR* directory) const { closedir(directory); }
};

Napi::Value ThrowListing(Napi::Env env, int error) { return ThrowSystemError(env, error, "readdir"); }

Napi::Value ListNodes(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int descriptor = arguments.Descriptor();
  if (arguments.failed()) return info.Env().Undefined();
  const int opened = openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (opened < 0) return ThrowListing(info.Env(), errno);
  const std::unique_ptr<DIR, CloseDirectory> directory(fdopendir(opened));
  if (directory == nullptr) {
    const int error = errno;
    close(opened);
    return ThrowListing(info.Env(), error);
  }
  std::vector<std::string> names;
  std::vector<double> fields;
  for (;;) {
    errno = 0;
    const dirent* entry = readdir(directory.get());
    if (entry == nullptr) break;
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    struct statx status;
    if (!ReadStatus(opened, name.c_str(), &status)) {
      if (errno == ENOENT) continue;  // removed meanwhile
      return ThrowSystemError(info.Env(), errno, "statx", name);
    }
    names.push_back(name);
    fields.resize(fields.size() + kNodeFields);
    WriteStatus(status, &fields[fields.size() - kNodeFields]);
  }
  if (errno != 0) return ThrowListing(info.Env(), errno);
  auto list = Napi::Array::New(info.Env(), names.size());
  for (size_t index = 0; index < names.size(); index++) {
    napi_value name = nullptr;
    napi_create_string_latin1(info.Env(), names[index].data(), names[index].size(), &name);
    list.Set(static_cast<uint32_t>(index), Napi::Value(info.Env(), name));
  }
  auto attributes = Napi::Float64Array::New(info.Env(), fields.size());
  std::copy(fields.begin(), fields.end(), attributes.Data());
  auto result = Napi::Object::New(info.Env());
  result.Set("names", list);
  result.Set("attributes", attributes);
  return result;
}

Napi::Value ReadLinkText(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int directory = arguments.Descriptor();
  const std::string name = arguments.ByteText();
  if (arguments.failed()) return info.Env().Undefined();
  for (size_t size = kLinkBytesFirst; size <= kLinkBytesMax; size *= 4) {
    std::string text(size, '\0');
    const ssize_t length = readlinkat(directory, name.c_str(), text.data(), size);
    if (length < 0) return ThrowSystemError(info.Env(), errno, "readlinkat", name);
    if (static_cast<size_t>(length) == size) continue;
    napi_value result = nullptr;
    napi_create_string_latin1(info.Env(), text.data(), static_cast<size_t>(length), &result);
    return Napi::Value(info.Env(), result);
  }
  return ThrowSystemError(info.Env(), ENAMETOOLONG, "readlinkat", name);
}

// Fills `into` from the beginning of the file. Negative with errno set if that fails.
ssize_t ReadWhole(int descriptor, ByteView into) {
  size_t done = 0;
  while (done < into.size) {
    const ssize_t count = read(descriptor, const_cast<uint8_t*>(into.data) + done, into.size - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return -1;
    if (count == 0) break;
    done += static_cast<size_t>(count);
  }
  return static_cast<ssize_t>(done);
}

// Opening a fifo or a device that has taken the place of the file must neither block nor have an effect: O_NONBLOCK, and it is
// looked at before it is read.
Napi::Value ReadSmallFile(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int directory = arguments.Descriptor();
  const std::string name = arguments.ByteText();
  const ByteView into = arguments.Bytes();
  const Napi::Value fields = info[3];
  if (arguments.failed()) return info.Env().Undefined();
  if (!fields.IsTypedArray() || fields.As<Napi::TypedArray>().TypedArrayType() != napi_float64_array ||
      fields.As<Napi::TypedArray>().ElementLength() < kNodeFields + 1) {
    Napi::TypeError::New(info.Env(), "argument 4 must be a Float64Array for the status").ThrowAsJavaScriptException();
    return info.Env().Undefined();
  }
  const FileDescriptor file(
      OpenPlain(directory, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0, /*same_mount=*/false));
  if (!file.valid()) return ThrowSystemError(info.Env(), errno, "openat2", name);
  struct statx status;
  if (!ReadStatus(file.get(), "", &status)) return ThrowSystemError(info.Env(), errno, "statx", name);
  double* numbers = fields.As<Napi::Float64Array>().Data();
  WriteStatus(status, numbers);
  numbers[kNodeFields] = flistxattr(file.get(), nullptr, 0) > 0 ? 1 : 0;
  if (!S_ISREG(status.stx_mode) || status.stx_size > into.size) return Napi::Number::New(info.Env(), -1);
  const ssize_t length = ReadWhole(file.get(), into);
  if (length < 0) return ThrowSystemError(info.Env(), errno, "read", name);
  return Napi::Number::New(info.Env(), static_cast<double>(length));
}

}  // namespace

void ExportNodes(Napi::Env env, Napi::Object exports) {
  exports.Set("openNode", Napi::Function::New(env, OpenNode, "openNode"));
  exports.Set("statNode", Napi::Function::New(env, StatNode, "statNode"));
  exports.Set("listNodes", Napi::Function::New(env, ListNodes, "listNodes"));
  exports.Set("readLinkText", Napi::Function::New(env, ReadLinkText, "readLinkText"));
  exports.Set("readSmallFile", Napi::Function::New(env, ReadSmallFile, "readSmallFile"));
}

}  // namespace dunnage
