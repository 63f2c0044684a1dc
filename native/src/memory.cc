// Shared memory that outlives the daemon, memory that is never written to disk, and how much of mapped files is resident.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <string>

#include "arguments.h"
#include "exports.h"
#include "file-descriptor.h"
#include "system-error.h"

namespace dunnage {
namespace {

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U
#endif

int OpenMemfd(const char* name) {
  const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  const int memory = memfd_create(name, flags | MFD_NOEXEC_SEAL);
  // Before Linux 6.3 the flag is unknown.
  return memory < 0 && errno == EINVAL ? memfd_create(name, flags) : memory;
}

Napi::Value CreateMemfd(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const std::string name = arguments.Text();
  const size_t size_bytes = arguments.Size();
  if (arguments.failed()) return info.Env().Undefined();
  FileDescriptor memory(OpenMemfd(name.c_str()));
  if (!memory.valid()) return ThrowSystemError(info.Env(), errno, "memfd_create", name);
  if (ftruncate(memory.get(), static_cast<off_t>(size_bytes)) != 0) {
    return ThrowSystemError(info.Env(), errno, "ftruncate", name);
  }
  // Whoever has it mapped would get SIGBUS if it shrank.
  if (fcntl(memory.get(), F_ADD_SEALS, F_SEAL_SHRINK) != 0) return ThrowSystemError(info.Env(), errno, "fcntl", name);
  return Napi::Number::New(info.Env(), memory.Release());
}

Napi::Value MapShared(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int descriptor = arguments.Descriptor();
  const size_t size_bytes = arguments.Size();
  if (arguments.failed()) return info.Env().Undefined();
  struct stat status;
  if (fstat(descriptor, &status) != 0) return ThrowSystemError(info.Env(), errno, "fstat");
  // Touching a page behind the end of the file is SIGBUS.
  if (size_bytes == 0 || (S_ISREG(status.st_mode) && static_cast<uint64_t>(status.st_size) < size_bytes)) {
    return ThrowSystemError(info.Env(), EINVAL, "mmap");
  }
  void* memory = mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  if (memory == MAP_FAILED) return ThrowSystemError(info.Env(), errno, "mmap");
  return Napi::ArrayBuffer::New(
      info.Env(), memory, size_bytes, [](Napi::BasicEnv, void* mapped, size_t* size) {
        munmap(mapped, *size);
        delete size;
      },
      new size_t(size_bytes));
}

// Keeps the pages of a mapping out of swap, core dumps and forked children. Only the lock may be refused to an ordinary process
// (RLIMIT_MEMLOCK): whoever calls decides what that means.
Napi::Value LockMemory(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const ByteView memory = arguments.Bytes();
  if (arguments.failed()) return info.Env().Undefined();
  void* start = const_cast<uint8_t*>(memory.data);
  for (const int advice : {MADV_DONTDUMP, MADV_DONTFORK}) {
    if (madvise(start, memory.size, advice) != 0) return ThrowSystemError(info.Env(), errno, "madvise");
  }
  return Napi::Number::New(info.Env(), mlock(start, memory.size) == 0 ? 0 : errno);
}

// Read-only shared mappings only: their pages are those of the page cache, so that nothing can be lost.
Napi::Value DropMappedPages(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const std::string path = arguments.Text();
  if (arguments.failed()) return info.Env().Undefined();
  std::ifstream maps("/proc/self/maps");
  if (!maps) return ThrowSystemError(info.Env(), errno == 0 ? EIO : errno, "open", "/proc/self/maps");
  // 7f00-7f10 r--s 00000000 fe:00 1234    /path/of the file
  for (std::string line; std::getline(maps, line);) {
    uintptr_t start = 0, end = 0;
    int path_at = 0;
    if (sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR " r-%*1cs %*s %*s %*s %n", &start, &end, &path_at) != 2) continue;
    if (path_at == 0 || line.compare(path_at, std::string::npos, path) != 0) continue;
    if (madvise(reinterpret_cast<void*>(start), end - start, MADV_DONTNEED) != 0) {
      return ThrowSystemError(info.Env(), errno, "madvise", path);
    }
  }
  return info.Env().Undefined();
}

}  // namespace

void ExportMemory(Napi::Env env, Napi::Object exports) {
  exports.Set("createMemfd", Napi::Function::New(env, CreateMemfd, "createMemfd"));
  exports.Set("mapShared", Napi::Function::New(env, MapShared, "mapShared"));
  exports.Set("dropMappedPages", Napi::Function::New(env, DropMappedPages, "dropMappedPages"));
  exports.Set("lockMemory", Napi::Function::New(env, LockMemory, "lockMemory"));
}

}  // namespace dunnage
