// mount(2) and its relatives. Nothing here waits for an answer of the FUSE server, except the kernel's own walk to the
// target: never call this from the thread that serves the tree the target lies in.
#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "arguments.h"
#include "exports.h"
#include "kernel-abi.h"
#include "system-error.h"

namespace dunnage {
namespace {

constexpr size_t kMountDataBytesMax = 4095;

Napi::Value OpenFuseDevice(const Napi::CallbackInfo& info) {
  const int device = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);
  if (device < 0) return ThrowSystemError(info.Env(), errno, "open", "/dev/fuse");
  return Napi::Number::New(info.Env(), device);
}

struct FuseMountRequest {
  double device = 0, root_mode = 0, user_id = 0, group_id = 0;
  std::string target, source, subtype, extra_options;
  bool allow_other = false;

  bool Read(const Napi::Object& object) {
    return ReadSize(object, "device", 0, 2147483647.0, &device) && ReadText(object, "target", &target) &&
           ReadText(object, "source", &source) && ReadText(object, "subtype", &subtype) &&
           ReadSize(object, "rootMode", 0, 0177777, &root_mode) &&
           ReadSize(object, "userId", 0, 4294967294.0, &user_id) &&
           ReadSize(object, "groupId", 0, 4294967294.0, &group_id) &&
           ReadBoolean(object, "allowOther", &allow_other) && ReadText(object, "extraOptions", &extra_options);
  }

  std::string Data() const {
    char fixed[128];
    snprintf(fixed, sizeof fixed, "fd=%d,rootmode=%o,user_id=%u,group_id=%u,default_permissions",
             static_cast<int>(device), static_cast<unsigned>(root_mode), static_cast<unsigned>(user_id),
             static_cast<unsigned>(group_id));
    std::string data = fixed;
    if (allow_other) data += ",allow_other";
    if (!extra_options.empty()) data += "," + extra_options;
    return data;
  }
};

Napi::Value MountFuse(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const Napi::Object object = arguments.Object();
  FuseMountRequest request;
  if (arguments.failed() || !request.Read(object)) return info.Env().Undefined();
  const std::string data = request.Data();
  // The kernel would cut longer data at the page without a word.
  if (data.size() > kMountDataBytesMax) return ThrowSystemError(info.Env(), E2BIG, "mount", request.target);
  const std::string type = "fuse." + request.subtype;
  if (mount(request.source.c_str(), request.target.c_str(), type.c_str(), MS_NODEV | MS_NOSUID, data.c_str()) != 0) {
    return ThrowSystemError(info.Env(), errno, "mount", request.target);
  }
  return info.Env().Undefined();
}

Napi::Value Unmount(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const std::string target = arguments.Text();
  const bool detach = arguments.Boolean();
  if (arguments.failed()) return info.Env().Undefined();
  if (umount2(target.c_str(), UMOUNT_NOFOLLOW | (detach ? MNT_DETACH : 0)) != 0) {
    return ThrowSystemError(info.Env(), errno, "umount2", target);
  }
  return info.Env().Undefined();
}

Napi::Value BindMount(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const std::string source = arguments.Text();
  const std::string target = arguments.Text();
  const bool recursive = arguments.Boolean();
  if (arguments.failed()) return info.Env().Undefined();
  if (mount(source.c_str(), target.c_str(), nullptr, MS_BIND | (recursive ? MS_REC : 0), nullptr) != 0) {
    return ThrowSystemError(info.Env(), errno, "mount", target);
  }
  return info.Env().Undefined();
}

Napi::Value SetMountReadOnly(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const std::string target = arguments.Text();
  const bool read_only = arguments.Boolean();
  if (arguments.failed()) return info.Env().Undefined();
  kernel::MountAttributes attributes{};
  (read_only ? attributes.set : attributes.clear) = kernel::kMountAttributeReadOnly;
  if (kernel::MountSetattr(AT_FDCWD, target.c_str(), AT_SYMLINK_NOFOLLOW, &attributes) != 0) {
    return ThrowSystemError(info.Env(), errno, "mount_setattr", target);
  }
  return info.Env().Undefined();
}

Napi::Value SetPropagation(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const std::string target = arguments.Text();
  const std::string propagation = arguments.Text();
  const bool recursive = arguments.Boolean();
  if (arguments.failed()) return info.Env().Undefined();
  unsigned long flags = recursive ? MS_REC : 0;
  if (propagation == "shared") {
    flags |= MS_SHARED;
  } else if (propagation == "private") {
    flags |= MS_PRIVATE;
  } else if (propagation == "slave") {
    flags |= MS_SLAVE;
  } else {
    return ThrowSystemError(info.Env(), EINVAL, "mount", propagation);
  }
  if (mount(nullptr, target.c_str(), nullptr, flags, nullptr) != 0) {
    return ThrowSystemError(info.Env(), errno, "mount", target);
  }
  return info.Env().Undefined();
}

}  // namespace

void ExportMount(Napi::Env env, Napi::Object exports) {
  exports.Set("openFuseDevice", Napi::Function::New(env, OpenFuseDevice, "openFuseDevice"));
  exports.Set("mountFuse", Napi::Function::New(env, MountFuse, "mountFuse"));
  exports.Set("unmount", Napi::Function::New(env, Unmount, "unmount"));
  exports.Set("bindMount", Napi::Function::New(env, BindMount, "bindMount"));
  exports.Set("setMountReadOnly", Napi::Function::New(env, SetMountReadOnly, "setMountReadOnly"));
  exports.Set("setPropagation", Napi::Function::New(env, SetPropagation, "setPropagation"));
}

}  // namespace dunnage
