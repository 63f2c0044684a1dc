// Loop devices: attached to an open file with direct I/O, looked at, grown, detached. All of it in libuv's pool, because
// opening, attaching and detaching wait for others that have the device open.
#include <dirent.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "arguments.h"
#include "exports.h"
#include "file-descriptor.h"
#include "pool-work.h"

namespace dunnage {
namespace {

constexpr unsigned kLoopMajor = 7;
// A number that was free can be taken by somebody else before it is configured. Until that is done, which takes milliseconds, the
// kernel tells everybody that same number; so of this process one after another attaches, and other processes are waited for.
constexpr int kAttachTriesMax = 64;
constexpr auto kAttachPause = std::chrono::milliseconds(2);
std::mutex attaching;
constexpr int kEmptyTriesMax = 16;
constexpr uint64_t kOffsetBehindAll = uint64_t{1} << 62;
constexpr size_t kBackingPathBytesMax = 8192;

std::string LoopPath(int number) { return "/dev/loop" + std::to_string(number); }

// Where nobody fills /dev (containers, early boot), the node is made here.
FileDescriptor OpenLoop(int number) {
  const std::string path = LoopPath(number);
  FileDescriptor device(open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (device.valid() || errno != ENOENT) return device;
  if (mknod(path.c_str(), S_IFBLK | 0600, makedev(kLoopMajor, number)) != 0 && errno != EEXIST) return device;
  return FileDescriptor(open(path.c_str(), O_RDWR | O_CLOEXEC));
}

struct Attached {
  int number = -1;
  int descriptor = -1;
  bool direct_io = false;
};

struct AttachRequest {
  int file = -1;
  uint32_t block_size_bytes = 0;
  bool auto_clear = false;
};

// EBUSY if somebody else was quicker.
Outcome<Attached> TryAttach(int control, const AttachRequest& request) {
  using Result = Outcome<Attached>;
  const int number = ioctl(control, LOOP_CTL_GET_FREE);
  if (number < 0) return Result::Failed(errno, "ioctl", "LOOP_CTL_GET_FREE");
  FileDescriptor device = OpenLoop(number);
  if (!device.valid()) return Result::Failed(errno, "open", LoopPath(number));
  loop_config config{};
  config.fd = static_cast<uint32_t>(request.file);
  config.block_size = request.block_size_bytes;
  config.info.lo_flags = LO_FLAGS_DIRECT_IO | (request.auto_clear ? LO_FLAGS_AUTOCLEAR : 0);
  if (ioctl(device.get(), LOOP_CONFIGURE, &config) != 0) return Result::Failed(errno, "ioctl", "LOOP_CONFIGURE");
  loop_info64 info{};
  if (ioctl(device.get(), LOOP_GET_STATUS64, &info) != 0) return Result::Failed(errno, "ioctl", "LOOP_GET_STATUS64");
  return Result::Of({number, device.Release(), (info.lo_flags & LO_FLAGS_DIRECT_IO) != 0});
}

Outcome<Attached> Attach(const AttachRequest& request) {
  using Result = Outcome<Attached>;
  const FileDescriptor control(open("/dev/loop-control", O_RDWR | O_CLOEXEC));
  if (!control.valid()) return Result::Failed(errno, "open", "/dev/loop-control");
  for (int tries = 0; tries < kAttachTriesMax; tries++) {
    if (tries > 0) std::this_thread::sleep_for(kAttachPause);
    const std::lock_guard lock(attaching);
    const Result attached = TryAttach(control.get(), request);
    if (attached.error != EBUSY) return attached;
  }
  return Result::Failed(EBUSY, "ioctl", "LOOP_CONFIGURE");
}

Napi::Value AttachLoop(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  AttachRequest request;
  request.file = arguments.Descriptor();
  request.block_size_bytes = arguments.Unsigned();
  request.auto_clear = arguments.Boolean();
  if (arguments.failed()) return info.Env().Undefined();
  return PoolWork<Attached>::Start(
      info.Env(), "dunnage:attachLoop", [request] { return Attach(request); },
      [](Napi::Env env, const Attached& attached) -> Napi::Value {
        Napi::Object result = Napi::Object::New(env);
        result.Set("number", attached.number);
        result.Set("descriptor", attached.descriptor);
        result.Set("directIo", attached.direct_io);
        return result;
      });
}

// The kernel tells device numbers in its 32-bit encoding, stat(2) in the C library's.
double DeviceNumber(uint64_t encoded) {
  const auto major = static_cast<unsigned>((encoded & 0xfff00) >> 8);
  const auto minor = static_cast<unsigned>((encoded & 0xff) | ((encoded >> 12) & 0xfff00));
  return static_cast<double>(makedev(major, minor));
}

Napi::Value LoopStatus(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int device = arguments.Descriptor();
  if (arguments.failed()) return info.Env().Undefined();
  return PoolWork<loop_info64>::Start(
      info.Env(), "dunnage:loopStatus",
      [device] {
        loop_info64 status{};
        if (ioctl(device, LOOP_GET_STATUS64, &status) == 0) return Outcome<loop_info64>::Of(status);
        return Outcome<loop_info64>::Failed(errno, "ioctl", "LOOP_GET_STATUS64");
      },
      [](Napi::Env env, const loop_info64& status) -> Napi::Value {
        Napi::Object result = Napi::Object::New(env);
        result.Set("number", status.lo_number);
        result.Set("backingDevice", DeviceNumber(status.lo_device));
        result.Set("backingInode", Napi::BigInt::New(env, static_cast<uint64_t>(status.lo_inode)));
        result.Set("offsetBytes", static_cast<double>(status.lo_offset));
        result.Set("directIo", (status.lo_flags & LO_FLAGS_DIRECT_IO) != 0);
        result.Set("autoClear", (status.lo_flags & LO_FLAGS_AUTOCLEAR) != 0);
        result.Set("readOnly", (status.lo_flags & LO_FLAGS_READ_ONLY) != 0);
        return result;
      });
}

struct LoopRow {
  int number = -1;
  std::string backing_file;
};

// False if the device is attached to nothing (any more).
bool ReadBackingFile(int number, std::string* path) {
  const std::string name = "/sys/block/loop" + std::to_string(number) + "/loop/backing_file";
  const FileDescriptor file(open(name.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return false;
  path->resize(kBackingPathBytesMax);
  const ssize_t length = read(file.get(), path->data(), path->size());
  if (length <= 0) return false;
  path->resize(static_cast<size_t>(length));
  if (path->back() == '\n') path->pop_back();
  return true;
}

Outcome<std::vector<LoopRow>> ListAttached() {
  using Result = Outcome<std::vector<LoopRow>>;
  DIR* directory = opendir("/sys/block");
  if (directory == nullptr) return Result::Failed(errno, "opendir", "/sys/block");
  std::vector<LoopRow> rows;
  while (const dirent* entry = readdir(directory)) {
    if (strncmp(entry->d_name, "loop", 4) != 0) continue;
    char* end = nullptr;
    const long number = strtol(entry->d_name + 4, &end, 10);
    LoopRow row{static_cast<int>(number), ""};
    if (end != entry->d_name + 4 && *end == '\0' && ReadBackingFile(row.number, &row.backing_file)) rows.push_back(row);
  }
  closedir(directory);
  return Result::Of(std::move(rows));
}

Napi::Value ListLoops(const Napi::CallbackInfo& info) {
  return PoolWork<std::vector<LoopRow>>::Start(
      info.Env(), "dunnage:listLoops", ListAttached, [](Napi::Env env, const std::vector<LoopRow>& rows) -> Napi::Value {
        Napi::Array result = Napi::Array::New(env, rows.size());
        for (uint32_t index = 0; index < rows.size(); index++) {
          Napi::Object row = Napi::Object::New(env);
          row.Set("number", rows[index].number);
          row.Set("backingFile", rows[index].backing_file);
          result.Set(index, row);
        }
        return result;
      });
}

// What LOOP_CLR_FD promised for the last close is taken back, unless that has happened.
Outcome<const char*> TakeBack(int device) {
  using Result = Outcome<const char*>;
  loop_info64 info{};
  if (ioctl(device, LOOP_GET_STATUS64, &info) == 0) {
    info.lo_flags &= ~static_cast<uint32_t>(LO_FLAGS_AUTOCLEAR);
    if (ioctl(device, LOOP_SET_STATUS64, &info) == 0) return Result::Of("busy");
  }
  if (errno == ENXIO) return Result::Of("detached");
  return Result::Failed(errno, "ioctl", "LOOP_SET_STATUS64");
}

// LOOP_CLR_FD detaches at once if nobody else has the device open, and otherwise when the last one closes it. The kernel
// tells no number of openers, so who wants no such promise has it taken back.
Outcome<const char*> Detach(int device, bool deferred) {
  using Result = Outcome<const char*>;
  if (ioctl(device, LOOP_CLR_FD, 0) != 0) {
    if (errno == ENXIO) return Result::Of("detached");
    return Result::Failed(errno, "ioctl", "LOOP_CLR_FD");
  }
  if (!deferred) return TakeBack(device);
  loop_info64 info{};
  if (ioctl(device, LOOP_GET_STATUS64, &info) == 0) return Result::Of("deferred");
  if (errno == ENXIO) return Result::Of("detached");
  return Result::Failed(errno, "ioctl", "LOOP_GET_STATUS64");
}

Napi::Value DetachLoop(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int device = arguments.Descriptor();
  const bool deferred = arguments.Boolean();
  if (arguments.failed()) return info.Env().Undefined();
  return PoolWork<const char*>::Start(
      info.Env(), "dunnage:detachLoop", [device, deferred] { return Detach(device, deferred); },
      [](Napi::Env env, const char* const& how) -> Napi::Value { return Napi::String::New(env, how); });
}

Napi::Value KeepLoop(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int device = arguments.Descriptor();
  if (arguments.failed()) return info.Env().Undefined();
  return PoolWork<bool>::Start(
      info.Env(), "dunnage:keepLoop",
      [device] {
        const Outcome<const char*> kept = TakeBack(device);
        if (kept.error != 0) return Outcome<bool>::Failed(kept.error, kept.call, kept.subject);
        return Outcome<bool>::Of(strcmp(kept.value, "busy") == 0);
      },
      [](Napi::Env env, const bool& kept) -> Napi::Value { return Napi::Boolean::New(env, kept); });
}

// A device whose offset lies behind the end of its file has no blocks: whatever is asked of it fails. The kernel refuses as long
// as pages of the device are in use, e.g. by a mounted file system.
Napi::Value EmptyLoop(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int device = arguments.Descriptor();
  if (arguments.failed()) return info.Env().Undefined();
  return PoolWork<bool>::Start(
      info.Env(), "dunnage:emptyLoop",
      [device] {
        loop_info64 status{};
        for (int tries = 0; tries < kEmptyTriesMax; tries++) {
          if (ioctl(device, LOOP_GET_STATUS64, &status) != 0) break;
          status.lo_offset = kOffsetBehindAll;
          if (ioctl(device, LOOP_SET_STATUS64, &status) == 0) return Outcome<bool>::Of(true);
          if (errno != EAGAIN) break;
        }
        if (errno == EAGAIN) return Outcome<bool>::Of(false);
        return Outcome<bool>::Failed(errno, "ioctl", "LOOP_SET_STATUS64");
      },
      [](Napi::Env env, const bool& empty) -> Napi::Value { return Napi::Boolean::New(env, empty); });
}

Napi::Value GrowLoop(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int device = arguments.Descriptor();
  if (arguments.failed()) return info.Env().Undefined();
  return PoolWork<Nothing>::Start(
      info.Env(), "dunnage:growLoop",
      [device] {
        if (ioctl(device, LOOP_SET_CAPACITY, 0) == 0) return Outcome<Nothing>::Of({});
        return Outcome<Nothing>::Failed(errno, "ioctl", "LOOP_SET_CAPACITY");
      },
      ToUndefined);
}

}  // namespace

void ExportLoopDevices(Napi::Env env, Napi::Object exports) {
  exports.Set("attachLoop", Napi::Function::New(env, AttachLoop, "attachLoop"));
  exports.Set("loopStatus", Napi::Function::New(env, LoopStatus, "loopStatus"));
  exports.Set("listLoops", Napi::Function::New(env, ListLoops, "listLoops"));
  exports.Set("detachLoop", Napi::Function::New(env, DetachLoop, "detachLoop"));
  exports.Set("keepLoop", Napi::Function::New(env, KeepLoop, "keepLoop"));
  exports.Set("emptyLoop", Napi::Function::New(env, EmptyLoop, "emptyLoop"));
  exports.Set("growLoop", Napi::Function::New(env, GrowLoop, "growLoop"));
}

}  // namespace dunnage
