#include "loopback.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "../arguments.h"
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

FileDescriptor OpenBeneath(int root, const std::string& path) {
  kernel::OpenHow how{};
  how.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
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
  uv_loop_t* loop = nullptr;
  napi_get_uv_event_loop(Env(), &loop);
  auto* wake = new LoopHandle<uv_async_t>;
  error = uv_async_init(loop, &wake->handle, OnWake);
  if (error != 0) {
    delete wake;
    ThrowSystemError(Env(), -error, "uv_async_init");
    return false;
  }
  wake->owner = this;
  wake->handle.data = wake;
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
  const FileDescriptor directory = OpenBeneath(server_->engine.root.get(), path);
  struct stat status;
  if (!directory.valid() || fstat(directory.get(), &status) != 0) {
    ThrowSystemError(Env(), errno, "openat2", path);
    return false;
  }
  if (!S_ISDIR(status.st_mode)) {
    ThrowSystemError(Env(), ENOTDIR, "openat2", path);
    return false;
  }
  identity->ino = status.st_ino;
  const int error = server_->engine.Identify(directory.get(), identity);
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
  struct stat status;
  if (!file.valid() || fstat(file.get(), &status) != 0) return 0;
  FileIdentity identity;
  identity.ino = status.st_ino;
  if (engine.Identify(file.get(), &identity) != 0) return 0;
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
  if (node == 0) {
    // The kernel does not know the directory, and so no name in it.
    const Napi::Promise::Deferred done(info.Env());
    done.Resolve(info.Env().Undefined());
    return done.Promise();
  }
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
  if (node == 0) {
    const Napi::Promise::Deferred done(info.Env());
    done.Resolve(info.Env().Undefined());
    return done.Promise();
  }
  return Notify(info.Env(), Message(kInvalidateInode, InvalidateInodeOut{node, 0, 0}));
}

// Resolves when it was written.
Napi::Value Loopback::Notify(Napi::Env env, std::vector<uint8_t> message) {
  const int error = notifier_->Queue(std::move(message));
  if (error != 0) return ThrowSystemError(env, error, "pthread_create");
  const Napi::Promise::Deferred deferred(env);
  drains_.emplace_back(notifier_->status().queued, deferred);
  notifier_->WakeAt(drains_.front().first, &wake_->handle);
  return deferred.Promise();
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
  const uint64_t written = notifier_->status().written;
  size_t due = 0;
  while (due < drains_.size() && drains_[due].first <= written) drains_[due++].second.Resolve(Env().Undefined());
  drains_.erase(drains_.begin(), drains_.begin() + static_cast<ptrdiff_t>(due));
  if (!drains_.empty()) notifier_->WakeAt(drains_.front().first, &wake_->handle);
  const int end = server_->TakeEnd();
  if (end != 0) TellEnd(end);
}

// An exception goes where uncaught ones go.
void Loopback::TellEnd(int error) {
  napi_value undefined, number, result;
  if (napi_get_undefined(Env(), &undefined) != napi_ok) return;
  if (napi_create_int32(Env(), error, &number) != napi_ok) return;
  if (napi_call_function(Env(), undefined, on_end_.Value(), 1, &number, &result) == napi_ok) return;
  bool pending = false;
  napi_value thrown;
  if (napi_is_exception_pending(Env(), &pending) != napi_ok || !pending) return;
  if (napi_get_and_clear_last_exception(Env(), &thrown) == napi_ok) napi_fatal_exception(Env(), thrown);
}

Napi::Value Loopback::Close(const Napi::CallbackInfo& info) {
  const Napi::Promise::Deferred deferred(info.Env());
  if (closed_) {
    deferred.Resolve(info.Env().Undefined());
    return deferred.Promise();
  }
  closers_.push_back(deferred);
  if (closing_) return deferred.Promise();
  for (auto& [ticket, drain] : std::exchange(drains_, {})) {
    drain.Reject(SystemError(info.Env(), ECANCELED, "close").Value());
  }
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
