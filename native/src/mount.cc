// mount(2) and its relatives. Nothing here waits for an answer of the FUSE server, except the kernel's own walk to the
// target: never call this from the thread that serves the tree the target lies in.
#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "arguments.h"
#include "exports.h"
#include "file-descriptor.h"
#include "kernel-abi.h"
#include "system-error.h"

namespace dunnage {
namespace {

Napi::Value OpenFuseDevice(const Napi::CallbackInfo& info) {
  const int device = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);
  if (device < 0) return ThrowSystemError(info.Env(), errno, "open", "/dev/fuse");
  return Napi::Number::New(info.Env(), device);
}

struct FuseMountRequest {
  double device = 0, root_mode = 0, user_id = 0, group_id = 0;
  std::string target, source, subtype, extra_options;
  bool allow_other = false, read_only = false;

  bool Read(const Napi::Object& object) {
    return ReadSize(object, "device", 0, 2147483647.0, &device) && ReadText(object, "target", &target) &&
           ReadText(object, "source", &source) && ReadText(object, "subtype", &subtype) &&
           ReadSize(object, "rootMode", 0, 0177777, &root_mode) &&
           ReadSize(object, "userId", 0, 4294967294.0, &user_id) &&
           ReadSize(object, "groupId", 0, 4294967294.0, &group_id) &&
           ReadBoolean(object, "allowOther", &allow_other) && ReadBoolean(object, "readOnly", &read_only) &&
           ReadText(object, "extraOptions", &extra_options);
  }

  // Options as pairs of key and value; a flag has no value.
  std::vector<std::pair<std::string, std::string>> Options() const {
    char root_mode_octal[16];
    snprintf(root_mode_octal, sizeof root_mode_octal, "%o", static_cast<unsigned>(root_mode));
    std::vector<std::pair<std::string, std::string>> options = {
        {"source", source},
        {"subtype", subtype},
        {"fd", std::to_string(static_cast<int>(device))},
        {"rootmode", root_mode_octal},
        {"user_id", std::to_string(static_cast<uint32_t>(user_id))},
        {"group_id", std::to_string(static_cast<uint32_t>(group_id))},
        {"default_permissions", ""},
    };
    if (allow_other) options.emplace_back("allow_other", "");
    AppendExtra(&options);
    return options;
  }

 private:
  // mount(8)'s syntax: separated by commas, values may be quoted.
  void AppendExtra(std::vector<std::pair<std::string, std::string>>* options) const {
    std::string key, value;
    bool in_value = false, quoted = false;
    for (const char character : extra_options + ",") {
      if (character == '"') {
        quoted = !quoted;
      } else if (character == ',' && !quoted) {
        if (!key.empty()) options->emplace_back(key, value);
        key.clear();
        value.clear();
        in_value = false;
      } else if (character == '=' && !in_value) {
        in_value = true;
      } else {
        (in_value ? value : key).push_back(character);
      }
    }
  }
};

// The mount is made apart and attached when it has its attributes: copies that the kernel makes in other mount namespaces
// at that moment have them too. Returns the name of the call that failed (errno tells why), or null.
const char* MountApart(const FuseMountRequest& request) {
  const FileDescriptor context(kernel::Fsopen("fuse"));
  if (!context.valid()) return "fsopen";
  for (const auto& [key, value] : request.Options()) {
    const int result = value.empty() ? kernel::Fsconfig(context.get(), kernel::kFsconfigSetFlag, key.c_str(), nullptr)
                                     : kernel::Fsconfig(context.get(), kernel::kFsconfigSetString, key.c_str(), value.c_str());
    if (result != 0) return "fsconfig";
  }
  if (kernel::Fsconfig(context.get(), kernel::kFsconfigCreate, nullptr, nullptr) != 0) return "fsconfig";
  uint64_t attributes = kernel::kMountAttributeNoSetuid | kernel::kMountAttributeNoDevices;
  if (request.read_only) attributes |= kernel::kMountAttributeReadOnly;
  const FileDescriptor apart(kernel::Fsmount(context.get(), attributes));
  if (!apart.valid()) return "fsmount";
  return kernel::MoveMountTo(apart.get(), request.target.c_str()) == 0 ? nullptr : "move_mount";
}

Napi::Value MountFuse(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const Napi::Object object = arguments.Object();
  FuseMountRequest request;
  if (arguments.failed() || !request.Read(object)) return info.Env().Undefined();
  const char* failed = MountApart(request);
  if (failed != nullptr) return ThrowSystemError(info.Env(), errno, failed, request.target);
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
