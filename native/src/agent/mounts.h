// Mounts at and beneath the base: tmpfs, binds and their end. Targets are absolute; no symbolic link is followed in them, so
// that nobody who may write beneath the base leads a mount to somewhere else.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace dunnage::agent {

// Bits of the mode field of a bind.
constexpr uint32_t kBindReadOnly = 1;
constexpr uint32_t kBindRecursive = 2;
constexpr uint32_t kBindNoSetuid = 4;
constexpr uint32_t kBindNoExecute = 8;
constexpr uint32_t kBindNoDevices = 16;
constexpr uint32_t kBindNoAccessTime = 32;
// The source is taken as it is written, without following links, and `hidden` holds for it.
constexpr uint32_t kBindHostPath = 64;

// Bit of the mode field of a tmpfs: the one that is mounted there gets new options.
constexpr uint32_t kTmpfsReconfigure = 1;

constexpr uint32_t kUnmountDetach = 1;

// Each returns 0 or an errno. `options`: `size=1048576,mode=0777,uid=0,gid=0`.
int MountTmpfs(const char* base, const std::string& target, const std::string& options, uint32_t flags);

// `hidden`: absolute paths that are not shown in a bind of one of their parents. EXDEV if the source is in one of them.
int Bind(const char* base, const std::string& source, const std::string& target, uint32_t flags,
         const std::vector<std::string>& hidden);

// With `kUnmountDetach` it is gone for who comes by name, and lives on for who uses it.
int Unmount(const char* base, const std::string& target, uint32_t flags);

}  // namespace dunnage::agent
