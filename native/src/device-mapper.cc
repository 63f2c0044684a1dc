// The device-mapper's ioctls: bytes in, bytes out. What the bytes mean is decided in src/thinpool/device-mapper/wire.ts.
#include <linux/dm-ioctl.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "arguments.h"
#include "exports.h"
#include "pool-work.h"

namespace dunnage {
namespace {

constexpr uint32_t kCommandMax = 0x1f;

using Bytes = std::vector<uint8_t>;

Napi::Value ToBuffer(Napi::Env env, const Bytes& bytes) {
  return Napi::Buffer<uint8_t>::Copy(env, bytes.data(), bytes.size());
}

// The kernel reads and writes as many bytes as the message says it has: it must not say more than it has.
bool IsWhole(const ByteView& message) {
  if (message.size < sizeof(dm_ioctl)) return false;
  dm_ioctl header;
  memcpy(&header, message.data, sizeof header);
  return header.data_size == message.size && header.data_start <= header.data_size;
}

// In libuv's pool: suspending waits for writes that are under way, messages to a pool wait for its next commit.
Napi::Value DeviceMapperCommand(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int control = arguments.Descriptor();
  const uint32_t command = arguments.Unsigned();
  const ByteView message = arguments.Bytes();
  if (arguments.failed()) return info.Env().Undefined();
  if (command > kCommandMax || !IsWhole(message)) return ThrowSystemError(info.Env(), EINVAL, "ioctl", "device-mapper");
  return PoolWork<Bytes>::Start(
      info.Env(), "dunnage:deviceMapperCommand",
      [control, command, bytes = Bytes(message.data, message.data + message.size)]() mutable {
        const unsigned long request = _IOC(_IOC_READ | _IOC_WRITE, DM_IOCTL, command, sizeof(dm_ioctl));
        if (ioctl(control, request, bytes.data()) != 0) return Outcome<Bytes>::Failed(errno, "ioctl", "device-mapper");
        return Outcome<Bytes>::Of(std::move(bytes));
      },
      ToBuffer);
}

}  // namespace

void ExportDeviceMapper(Napi::Env env, Napi::Object exports) {
  exports.Set("deviceMapperCommand", Napi::Function::New(env, DeviceMapperCommand, "deviceMapperCommand"));
}

}  // namespace dunnage
