// Files that share their blocks (XFS, btrfs): clones, extents, holes, and calls on whole file systems. All in libuv's pool:
// each of them can take seconds, and writes to a frozen file system wait for its thaw.
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "arguments.h"
#include "exports.h"
#include "file-descriptor.h"
#include "pool-work.h"

namespace dunnage {
namespace {

constexpr uint32_t kExtentsAtOnce = 1024;
constexpr int kNoSource = -1;

// A file without a name: it is gone if the process dies before it gets one.
Outcome<double> CreateNameless(int directory, int source) {
  FileDescriptor file(openat(directory, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!file.valid()) return Outcome<double>::Failed(errno, "openat", "O_TMPFILE");
  if (source != kNoSource && ioctl(file.get(), FICLONE, source) != 0) {
    return Outcome<double>::Failed(errno, "ioctl", "FICLONE");
  }
  return Outcome<double>::Of(file.Release());
}

Napi::Value CreateUnnamedFile(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int directory = arguments.Descriptor();
  if (arguments.failed()) return info.Env().Undefined();
  return PoolWork<double>::Start(
      info.Env(), "dunnage:createUnnamedFile", [directory] { return CreateNameless(directory, kNoSource); }, ToNumber);
}

Napi::Value CloneToUnnamedFile(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int directory = arguments.Descriptor();
  const int source = arguments.Descriptor();
  if (arguments.failed()) return info.Env().Undefined();
  return PoolWork<double>::Start(
      info.Env(), "dunnage:cloneToUnnamedFile", [directory, source] { return CreateNameless(directory, source); }, ToNumber);
}

// Without AT_EMPTY_PATH's capability the way through /proc is open to everybody.
bool Link(int file, int directory, const std::string& name) {
  if (linkat(file, "", directory, name.c_str(), AT_EMPTY_PATH) == 0) return true;
  if (errno != ENOENT) return false;
  return linkat(AT_FDCWD, DescriptorPath(file).c_str(), directory, name.c_str(), AT_SYMLINK_FOLLOW) == 0;
}

// The first flush of a file takes what belongs to the others along, so those of many cost little more than one.
Outcome<std::vector<int>> NameDurably(const std::vector<int>& files, int directory, const std::vector<std::string>& names) {
  using Result = Outcome<std::vector<int>>;
  for (const int file : files) {
    if (fsync(file) != 0) return Result::Failed(errno, "fsync");
  }
  std::vector<int> errors;
  for (size_t index = 0; index < files.size(); index++) {
    errors.push_back(Link(files[index], directory, names[index]) ? 0 : errno);
  }
  if (fsync(directory) != 0) return Result::Failed(errno, "fsync");
  return Result::Of(std::move(errors));
}

Napi::Value NameFiles(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const std::vector<int> files = arguments.DescriptorList();
  const int directory = arguments.Descriptor();
  const std::vector<std::string> names = arguments.TextList();
  if (arguments.failed()) return info.Env().Undefined();
  if (files.size() != names.size()) {
    Napi::TypeError::New(info.Env(), "as many names as files are needed").ThrowAsJavaScriptException();
    return info.Env().Undefined();
  }
  return PoolWork<std::vector<int>>::Start(
      info.Env(), "dunnage:nameFiles", [=] { return NameDurably(files, directory, names); },
      [](Napi::Env env, const std::vector<int>& errors) -> Napi::Value {
        Napi::Array result = Napi::Array::New(env, errors.size());
        for (uint32_t index = 0; index < errors.size(); index++) result.Set(index, errors[index]);
        return result;
      });
}

struct ExtentTotals {
  double own_bytes = 0, shared_bytes = 0, extents = 0;
};

Outcome<ExtentTotals> CountExtents(int file) {
  // The kernel wants the header and the rows behind it in one piece, suitably aligned.
  std::vector<uint64_t> memory((sizeof(fiemap) + kExtentsAtOnce * sizeof(fiemap_extent)) / sizeof(uint64_t) + 1);
  auto* map = reinterpret_cast<fiemap*>(memory.data());
  ExtentTotals totals;
  for (uint64_t next = 0;;) {
    memset(map, 0, sizeof *map);
    map->fm_start = next;
    map->fm_length = UINT64_MAX - next;
    map->fm_flags = FIEMAP_FLAG_SYNC;
    map->fm_extent_count = kExtentsAtOnce;
    if (ioctl(file, FS_IOC_FIEMAP, map) != 0) return Outcome<ExtentTotals>::Failed(errno, "ioctl", "FS_IOC_FIEMAP");
    for (uint32_t index = 0; index < map->fm_mapped_extents; index++) {
      const fiemap_extent& extent = map->fm_extents[index];
      const bool is_shared = (extent.fe_flags & FIEMAP_EXTENT_SHARED) != 0;
      (is_shared ? totals.shared_bytes : totals.own_bytes) += static_cast<double>(extent.fe_length);
      totals.extents += 1;
      next = extent.fe_logical + extent.fe_length;
      if ((extent.fe_flags & FIEMAP_EXTENT_LAST) != 0) return Outcome<ExtentTotals>::Of(totals);
    }
    if (map->fm_mapped_extents == 0) return Outcome<ExtentTotals>::Of(totals);
  }
}

Napi::Value FileExtents(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int file = arguments.Descriptor();
  if (arguments.failed()) return info.Env().Undefined();
  return PoolWork<ExtentTotals>::Start(
      info.Env(), "dunnage:fileExtents", [file] { return CountExtents(file); },
      [](Napi::Env env, const ExtentTotals& totals) -> Napi::Value {
        Napi::Object result = Napi::Object::New(env);
        result.Set("ownBytes", totals.own_bytes);
        result.Set("sharedBytes", totals.shared_bytes);
        result.Set("extents", totals.extents);
        return result;
      });
}

Napi::Value AllocateSpace(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int file = arguments.Descriptor();
  const size_t length_bytes = arguments.Size();
  if (arguments.failed()) return info.Env().Undefined();
  return PoolWork<Nothing>::Start(
      info.Env(), "dunnage:allocateSpace",
      [file, length_bytes] {
        int result;
        do {
          result = fallocate(file, 0, 0, static_cast<off_t>(length_bytes));
        } while (result != 0 && errno == EINTR);
        return result == 0 ? Outcome<Nothing>::Of({}) : Outcome<Nothing>::Failed(errno, "fallocate");
      },
      ToUndefined);
}

Napi::Value ThawFileSystem(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int directory = arguments.Descriptor();
  if (arguments.failed()) return info.Env().Undefined();
  return PoolWork<bool>::Start(
      info.Env(), "dunnage:thawFileSystem",
      [directory] {
        if (ioctl(directory, FITHAW, 0) == 0) return Outcome<bool>::Of(true);
        // EINVAL: it is not frozen.
        return errno == EINVAL ? Outcome<bool>::Of(false) : Outcome<bool>::Failed(errno, "ioctl", "FITHAW");
      },
      [](Napi::Env env, const bool& thawed) -> Napi::Value { return Napi::Boolean::New(env, thawed); });
}

Napi::Value FlushFileSystem(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int directory = arguments.Descriptor();
  if (arguments.failed()) return info.Env().Undefined();
  return PoolWork<Nothing>::Start(
      info.Env(), "dunnage:flushFileSystem",
      [directory] {
        return syncfs(directory) == 0 ? Outcome<Nothing>::Of({}) : Outcome<Nothing>::Failed(errno, "syncfs");
      },
      ToUndefined);
}

}  // namespace

void ExportReflink(Napi::Env env, Napi::Object exports) {
  exports.Set("createUnnamedFile", Napi::Function::New(env, CreateUnnamedFile, "createUnnamedFile"));
  exports.Set("cloneToUnnamedFile", Napi::Function::New(env, CloneToUnnamedFile, "cloneToUnnamedFile"));
  exports.Set("nameFiles", Napi::Function::New(env, NameFiles, "nameFiles"));
  exports.Set("fileExtents", Napi::Function::New(env, FileExtents, "fileExtents"));
  exports.Set("allocateSpace", Napi::Function::New(env, AllocateSpace, "allocateSpace"));
  exports.Set("thawFileSystem", Napi::Function::New(env, ThawFileSystem, "thawFileSystem"));
  exports.Set("flushFileSystem", Napi::Function::New(env, FlushFileSystem, "flushFileSystem"));
}

}  // namespace dunnage
