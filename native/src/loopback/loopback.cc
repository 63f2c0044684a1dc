#include "loopback.h"

#include <fcntl.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "../arguments.h"
#include "../callback.h"
#include "../exports.h"
#include "../kernel-abi.h"
#include "../system-error.h"
#include "wire.h"

namespace dunnage::loopback {
namespace {

constexpr rlim_t kDescriptorsWanted = 65536;
constexpr uint32_t kDescriptorsMost = 8192;
// What the limit must leave for everything else of the daemon.
constexpr uint32_t kShareOfLimit = 4;

// Descriptors the engine may keep open: a part of what the process may have, which is raised as far as it goes.
uint32_t DescriptorsMost() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 256;
  if (limit.rlim_cur < kDescriptorsWanted && limit.rlim_cur < limit.rlim_max) {
    rlimit raised = limit;
    raised.rlim_cur = std::min<rlim_t>(limit.rlim_max, kDescriptorsWanted);
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  }
  return static_cast<uint32_t>(std::min<rlim_t>(limit.rlim_cur / kShareOfLimit, kDescriptorsMost));
}

template <typename Body>
std::vector<uint8_t> Message(int32_t code, const Body& body, const std::string& name = "") {
  const size_t name_bytes = name.empty() ? 0 : name.size() + 1;
  const OutHeader header{static_cast<uint32_t>(sizeof(OutHeader) + sizeof body + name_bytes), code, 0};
  std::vector<uint8_t> message;
  const auto append = [&](const void* data, size_t size) {
    const auto* bytes = static_cast<const uint8_t*>(data);
    message.insert(message.end(), bytes, bytes + size);
  };
  append(&header, sizeof header);
  append(&body, sizeof body);
  append(name.c_str(), name_bytes);
  return message;
}

bool HasFeature(const Napi::Array& features, const char* name) {
  for (uint32_t index = 0; index < features.Length(); index++) {
    const Napi::Value value = features.Get(index);
    if (value.IsString() && value.As<Napi::String>().Utf8Value() == name) return true;
  }
  return false;
}

// There is nothing to wait for.
Napi::Promise Done(Napi::Env env) {
  const Napi::Promise::Deferred done(env);
  done.Resolve(env.Undefined());
  return done.Promise();
}

FileDescriptor OpenBeneath(int root, const std::string& path, uint64_t more_flags = 0) {
  kernel::OpenHow how{};
  how.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC | more_flags;
  how.resolve = kernel::kResolveBeneath | kernel::kResolveNoSymlinks | kernel::kResolveNoMounts;
  return FileDescriptor(kernel::Openat2(root, path.empty() ? "." : path.c_str(), &how));
}

}  // namespace

Napi::Function Loopback::Define(Napi::Env env) {
  return DefineClass(env, "Loopback",
                     {InstanceMethod<&Loopback::Seal>("seal"), InstanceMethod<&Loopback::Unseal>("unseal"),
                      InstanceMethod<&Loopback::Forget>("forget"), InstanceMethod<&Loopback::Refresh>("refresh"),
                      InstanceMethod<&Loopback::Statistics>("statistics"), InstanceMethod<&Loopback::Close>("close")});
}

Loopback::Loopback(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Loopback>(info) {
  Arguments arguments(info);
  const Napi::Object options = arguments.Object();
  if (arguments.failed() || !StartServer(options)) return;
  notifier_ = std::make_unique<Notifier>(server_->engine.device);
  async_context_.emplace(Env(), "DunnageLoopback", info.This().As<Napi::Object>());
  cleanup_.emplace(Env(), [this] {
    environment_ends_ = true;
    StopServing();
  });
  closed_ = false;
  // Threads serve until it is closed.
  Ref();
}

Loopback::~Loopback() {
  if (notifier_ != nullptr) notifier_->Stop();
}

bool Loopback::StartServer(const Napi::Object& options) {
  double device = 0, root = 0, orphans = 0, memory = 0, threads = 0;
  bool is_takeover = false;
  constexpr double kDescriptorMost = 2147483647;
  Napi::Function on_end;
  if (!ReadSize(options, "device", 0, kDescriptorMost, &device) || !ReadSize(options, "root", 0, kDescriptorMost, &root) ||
      !ReadSize(options, "orphans", 0, kDescriptorMost, &orphans) ||
      !ReadSize(options, "memory", 0, kDescriptorMost, &memory) ||
      !ReadSize(options, "threads", 1, Memory::kSlots, &threads) || !ReadBoolean(options, "isTakeover", &is_takeover) ||
      !ReadFunction(options, "onEnd", &on_end)) {
    return false;
  }
  const Napi::Value features = options.Get("features");
  if (!features.IsArray()) {
    Napi::TypeError::New(Env(), "features must be an array").ThrowAsJavaScriptException();
    return false;
  }
  const auto list = features.As<Napi::Array>();
  has_expire_ = HasFeature(list, "HAS_EXPIRE_ONLY");
  EngineOptions engine{.device = static_cast<int>(device),
                       .root = static_cast<int>(root),
                       .orphans = static_cast<int>(orphans),
                       .memory = static_cast<int>(memory),
                       .has_passthrough = HasFeature(list, "PASSTHROUGH"),
                       .has_setxattr_extended = HasFeature(list, "SETXATTR_EXT"),
                       .has_resend = HasFeature(list, "HAS_RESEND"),
                       .is_takeover = is_takeover};
  server_ = std::make_shared<Server>(DescriptorsMost());
  const char* call = "";
  int error = server_->engine.Prepare(engine, &call);
  if (error != 0) {
    ThrowSystemError(Env(), error, call);
    return false;
  }
  // Its threads wait in read(2) instead of asking again and again.
  const int flags = fcntl(engine.device, F_GETFL);
  if (flags < 0 || fcntl(engine.device, F_SETFL, flags & ~O_NONBLOCK) != 0) {
    ThrowSystemError(Env(), errno, "fcntl");
    return false;
  }
  auto* wake = LoopHandle<uv_async_t>::Open(
      Env(), this, [](uv_loop_t* loop, uv_async_t* handle) { return uv_async_init(loop, handle, OnWake); }, &error);
  if (wake == nullptr) {
    ThrowSystemError(Env(), error, "uv_async_init");
    return false;
  }
  error = server_->Start(static_cast<uint32_t>(threads), &wake->handle);
  if (error != 0) {
    server_->Detach();
    wake->Close([] {});
    ThrowSystemError(Env(), error, "capset");
    return false;
  }
  wake_ = wake;
  on_end_ = Napi::Persistent(on_end);
  return true;
}

bool Loopback::SealedDirectory(const Napi::CallbackInfo& info, FileIdentity* identity) {
  Arguments arguments(info);
  const std::string path = arguments.Text();
  if (arguments.failed()) return false;
  if (closing_ || closed_) {
    ThrowSystemError(Env(), EBADF, "seal", path);
    return false;
  }
  const FileDescriptor directory = OpenBeneath(server_->engine.root.get(), path, O_DIRECTORY);
  if (!directory.valid()) {
    ThrowSystemError(Env(), errno, "openat2", path);
    return false;
  }
  const int error = server_->engine.IdentityOf(directory.get(), identity);
  if (error != 0) ThrowSystemError(Env(), error, "name_to_handle_at", path);
  return error == 0;
}

Napi::Value Loopback::Seal(const Napi::CallbackInfo& info) {
  FileIdentity identity;
  if (SealedDirectory(info, &identity) && !server_->engine.Seal(identity)) return ThrowSystemError(Env(), ENOSPC, "seal");
  return info.Env().Undefined();
}

Napi::Value Loopback::Unseal(const Napi::CallbackInfo& info) {
  FileIdentity identity;
  if (SealedDirectory(info, &identity)) server_->engine.Unseal(identity);
  return info.Env().Undefined();
}

uint64_t Loopback::NodeOfPath(const char* path) {
  Engine& engine = server_->engine;
  if (*path == 0 || std::strcmp(path, ".") == 0) return kRootId;
  const FileDescriptor file = OpenBeneath(engine.root.get(), path);
  FileIdentity identity;
  if (!file.valid() || engine.IdentityOf(file.get(), &identity) != 0) return 0;
  const Node* node = engine.nodes.FindFile(identity);
  return node == nullptr ? 0 : node->id.load();
}

// The kernel is to look the name up again; if it is gone it goes with everything below. What is there still must not lose what is
// mounted on it, so that it only expires, where the kernel knows that.
Napi::Value Loopback::Forget(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const std::string parent = arguments.Text();
  const std::string name = arguments.Text();
  if (arguments.failed()) return info.Env().Undefined();
  if (closing_ || closed_) return ThrowSystemError(info.Env(), EBADF, "forget", name);
  if (name.empty() || name.size() > 255 || name.find('/') != std::string::npos) {
    return ThrowSystemError(info.Env(), EINVAL, "forget", name);
  }
  const uint64_t node = NodeOfPath(parent.c_str());
  // The kernel does not know the directory, and so no name in it.
  if (node == 0) return Done(info.Env());
  const std::string path = parent.empty() ? name : parent + "/" + name;
  const bool is_there = OpenBeneath(server_->engine.root.get(), path).valid();
  const InvalidateEntryOut body{node, static_cast<uint32_t>(name.size()), is_there && has_expire_ ? kExpireOnly : 0};
  return Notify(info.Env(), Message(kInvalidateEntry, body, name));
}

Napi::Value Loopback::Refresh(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const std::string path = arguments.Text();
  if (arguments.failed()) return info.Env().Undefined();
  if (closing_ || closed_) return ThrowSystemError(info.Env(), EBADF, "refresh", path);
  const uint64_t node = NodeOfPath(path.c_str());
  if (node == 0) return Done(info.Env());
  return Notify(info.Env(), Message(kInvalidateInode, InvalidateInodeOut{node, 0, 0}));
}

// Resolves when it was written.
Napi::Value Loopback::Notify(Napi::Env env, std::vector<uint8_t> message) {
  const int error = notifier_->Queue(std::move(message));
  if (error != 0) return ThrowSystemError(env, error, "pthread_create");
  return drains_.Add(env, *notifier_, &wake_->handle);
}

Napi::Value Loopback::Statistics(const Napi::CallbackInfo& info) {
  if (closed_) return ThrowSystemError(info.Env(), EBADF, "statistics");
  Engine& engine = server_->engine;
  Napi::Object result = Napi::Object::New(info.Env());
  Napi::Array served = Napi::Array::New(info.Env(), kOpcodeCount + 1);
  for (uint32_t opcode = 0; opcode <= kOpcodeCount; opcode++) {
    served.Set(opcode, static_cast<double>(engine.served[opcode].load(std::memory_order_relaxed)));
  }
  Napi::Array ages = Napi::Array::New(info.Env());
  for (const double age : server_->Ages()) ages.Set(ages.Length(), age);
  const Notifier::Status notifications = notifier_->status();
  result.Set("served", served);
  result.Set("agesMs", ages);
  result.Set("nodes", static_cast<double>(engine.nodes.size()));
  result.Set("openFiles", engine.files.size());
  result.Set("descriptors", DescriptorCache::open());
  result.Set("isPassthrough", engine.has_passthrough.load());
  result.Set("failedReplies", static_cast<double>(engine.failed_replies.load()));
  result.Set("pendingNotifications", static_cast<double>(notifications.pending));
  result.Set("failedNotifications", static_cast<double>(notifications.failed));
  return result;
}

void Loopback::OnWake(uv_async_t* handle) {
  auto* wake = static_cast<LoopHandle<uv_async_t>*>(handle->data);
  if (wake->owner != nullptr) static_cast<Loopback*>(wake->owner)->Settle();
}

void Loopback::Settle() {
  if (closing_) {
    if (!server_->is_stopped()) return;
    server_->Detach();
    wake_->owner = nullptr;
    std::exchange(wake_, nullptr)->Close([this] { FinishClose(); });
    return;
  }
  const Napi::HandleScope handles(Env());
  const Napi::CallbackScope callbacks(Env(), *async_context_);
  drains_.Settle(Env(), *notifier_, &wake_->handle);
  const int end = server_->TakeEnd();
  if (end != 0) CallBack(Env(), on_end_.Value(), static_cast<uint32_t>(end));
}

Napi::Value Loopback::Close(const Napi::CallbackInfo& info) {
  if (closed_) return Done(info.Env());
  const Napi::Promise::Deferred deferred(info.Env());
  closers_.push_back(deferred);
  if (closing_) return deferred.Promise();
  drains_.Cancel(info.Env(), "close");
  StopServing();
  return deferred.Promise();
}

void Loopback::StopServing() {
  if (closing_ || closed_) return;
  closing_ = true;
  notifier_->Stop();
  server_->Stop();
}

void Loopback::FinishClose() {
  closed_ = true;
  if (!environment_ends_) {
    const Napi::HandleScope handles(Env());
    const Napi::CallbackScope callbacks(Env(), *async_context_);
    for (auto& closer : closers_) closer.Resolve(Env().Undefined());
    on_end_.Reset();
  } else {
    on_end_.SuppressDestruct();
  }
  closers_.clear();
  // Its descriptors go now, unless a thread is still inside of a call.
  server_.reset();
  cleanup_->Remove();
  if (!environment_ends_) Unref();
}

}  // namespace dunnage::loopback

namespace dunnage {

void ExportLoopback(Napi::Env env, Napi::Object exports) {
  auto* constructor = new Napi::FunctionReference(Napi::Persistent(loopback::Loopback::Define(env)));
  env.AddCleanupHook([constructor] { delete constructor; });
  exports.Set("createLoopback", Napi::Function::New(
                                    env, [constructor](const Napi::CallbackInfo& info) -> Napi::Value {
                                      return constructor->New({info[0]});
                                    },
                                    "createLoopback"));
  exports.Set("loopbackMemoryBytes", Napi::Function::New(
                                         env, [](const Napi::CallbackInfo& info) -> Napi::Value {
                                           return Napi::Number::New(info.Env(), static_cast<double>(loopback::Memory::SizeBytes()));
                                         },
                                         "loopbackMemoryBytes"));
}

}  // namespace dunnage
