// Block devices: their nodes, their size, and giving their blocks back.
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <string>

#include "arguments.h"
#include "exports.h"
#include "pool-work.h"

namespace dunnage {
namespace {

Napi::Value MakeDeviceNode(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const std::string path = arguments.Text();
  const uint32_t mode = arguments.Unsigned();
  const uint32_t major_number = arguments.Unsigned();
  const uint32_t minor_number = arguments.Unsigned();
  if (arguments.failed()) return info.Env().Undefined();
  // Whatever the umask is: the node is made for nobody and then gets its bits.
  const bool made = mknod(path.c_str(), S_IFBLK, makedev(major_number, minor_number)) == 0;
  if (!made) return ThrowSystemError(info.Env(), errno, "mknod", path);
  if (chmod(path.c_str(), mode & 07777) != 0) return ThrowSystemError(info.Env(), errno, "chmod", path);
  return info.Env().Undefined();
}

Napi::Value BlockDeviceSize(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int device = arguments.Descriptor();
  if (arguments.failed()) return info.Env().Undefined();
  uint64_t size_bytes = 0;
  if (ioctl(device, BLKGETSIZE64, &size_bytes) != 0) return ThrowSystemError(info.Env(), errno, "ioctl", "BLKGETSIZE64");
  return Napi::Number::New(info.Env(), static_cast<double>(size_bytes));
}

Napi::Value DiscardBlocks(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int device = arguments.Descriptor();
  const uint64_t offset_bytes = arguments.Size();
  const uint64_t length_bytes = arguments.Size();
  if (arguments.failed()) return info.Env().Undefined();
  return PoolWork<Nothing>::Start(
      info.Env(), "dunnage:discardBlocks",
      [device, offset_bytes, length_bytes] {
        uint64_t range[2] = {offset_bytes, length_bytes};
        if (ioctl(device, BLKDISCARD, range) != 0) return Outcome<Nothing>::Failed(errno, "ioctl", "BLKDISCARD");
        return Outcome<Nothing>::Of({});
      },
      ToUndefined);
}

}  // namespace

void ExportBlockDevices(Napi::Env env, Napi::Object exports) {
  exports.Set("makeDeviceNode", Napi::Function::New(env, MakeDeviceNode, "makeDeviceNode"));
  exports.Set("blockDeviceSize", Napi::Function::New(env, BlockDeviceSize, "blockDeviceSize"));
  exports.Set("discardBlocks", Napi::Function::New(env, DiscardBlocks, "discardBlocks"));
}

}  // namespace dunnage
