// The FUSE protocol as the loopback engine speaks it: numbers and structures of version 7.45 (older headers stop earlier).
// All fields are in the byte order of the host.
#pragma once

#include <sys/ioctl.h>

#include <cstdint>

namespace dunnage::loopback {

enum Opcode : uint32_t {
  kLookup = 1,
  kForget = 2,
  kGetattr = 3,
  kSetattr = 4,
  kReadlink = 5,
  kSymlink = 6,
  kMknod = 8,
  kMkdir = 9,
  kUnlink = 10,
  kRmdir = 11,
  kRename = 12,
  kLink = 13,
  kOpen = 14,
  kRead = 15,
  kWrite = 16,
  kStatfs = 17,
  kRelease = 18,
  kFsync = 20,
  kSetxattr = 21,
  kGetxattr = 22,
  kListxattr = 23,
  kRemovexattr = 24,
  kInit = 26,
  kOpendir = 27,
  kReaddir = 28,
  kReleasedir = 29,
  kFsyncdir = 30,
  kCreate = 35,
  kInterrupt = 36,
  kDestroy = 38,
  kNotifyReply = 41,
  kBatchForget = 42,
  kFallocate = 43,
  kReaddirplus = 44,
  kRename2 = 45,
  kLseek = 46,
  kCopyFileRange = 47,
  kSyncfs = 50,
  kTmpfile = 51,
  kStatx = 52,
  kCopyFileRange64 = 53,
};
// One more than the largest opcode known.
constexpr uint32_t kOpcodeCount = 54;

// Set in the unique of a request that the kernel sends again.
constexpr uint64_t kUniqueResend = uint64_t{1} << 63;
constexpr uint64_t kRootId = 1;
// In the header of a request that came through an id-mapped mount and makes nothing.
constexpr uint32_t kInvalidId = ~uint32_t{0};

struct InHeader {
  uint32_t length;
  uint32_t opcode;
  uint64_t unique;
  uint64_t node;
  uint32_t user;
  uint32_t group;
  uint32_t process;
  uint16_t extension_words;
  uint16_t padding;
};

struct OutHeader {
  uint32_t length;
  int32_t error;
  uint64_t unique;
};

struct Attributes {
  uint64_t ino;
  uint64_t size;
  uint64_t blocks;
  uint64_t atime;
  uint64_t mtime;
  uint64_t ctime;
  uint32_t atime_ns;
  uint32_t mtime_ns;
  uint32_t ctime_ns;
  uint32_t mode;
  uint32_t nlink;
  uint32_t user;
  uint32_t group;
  uint32_t rdev;
  uint32_t block_size;
  uint32_t flags;
};

struct EntryOut {
  uint64_t node;
  uint64_t generation;
  uint64_t entry_valid;
  uint64_t attributes_valid;
  uint32_t entry_valid_ns;
  uint32_t attributes_valid_ns;
  Attributes attributes;
};

struct AttributesOut {
  uint64_t valid;
  uint32_t valid_ns;
  uint32_t padding;
  Attributes attributes;
};

struct OpenOut {
  uint64_t handle;
  uint32_t flags;
  int32_t backing;
};
constexpr uint32_t kOpenKeepCache = 1 << 1;
constexpr uint32_t kOpenCacheDirectory = 1 << 3;
constexpr uint32_t kOpenNoFlush = 1 << 5;
constexpr uint32_t kOpenPassthrough = 1 << 7;

struct ForgetIn { uint64_t lookups; };
struct ForgetOne { uint64_t node; uint64_t lookups; };
struct BatchForgetIn { uint32_t count; uint32_t padding; };
struct GetattrIn { uint32_t flags; uint32_t padding; uint64_t handle; };
struct MknodIn { uint32_t mode; uint32_t rdev; uint32_t umask; uint32_t padding; };
struct MkdirIn { uint32_t mode; uint32_t umask; };
struct RenameIn { uint64_t directory; };
struct Rename2In { uint64_t directory; uint32_t flags; uint32_t padding; };
struct LinkIn { uint64_t node; };
struct OpenIn { uint32_t flags; uint32_t open_flags; };
struct CreateIn { uint32_t flags; uint32_t mode; uint32_t umask; uint32_t open_flags; };
constexpr uint32_t kOpenKillSetid = 1;  // in `open_flags`
struct ReleaseIn { uint64_t handle; uint32_t flags; uint32_t release_flags; uint64_t owner; };
struct ReadIn { uint64_t handle; uint64_t offset; uint32_t size; uint32_t read_flags; uint64_t owner; uint32_t flags; uint32_t padding; };
struct WriteIn { uint64_t handle; uint64_t offset; uint32_t size; uint32_t write_flags; uint64_t owner; uint32_t flags; uint32_t padding; };
constexpr uint32_t kWriteKillSetid = 1 << 2;
struct WriteOut { uint32_t size; uint32_t padding; };
struct FsyncIn { uint64_t handle; uint32_t flags; uint32_t padding; };
constexpr uint32_t kFsyncDataOnly = 1;
struct SetxattrIn { uint32_t size; uint32_t flags; };
struct SetxattrExtendedIn { uint32_t size; uint32_t flags; uint32_t setxattr_flags; uint32_t padding; };
constexpr uint32_t kSetxattrAclKillSetgid = 1;
struct GetxattrIn { uint32_t size; uint32_t padding; };
struct GetxattrOut { uint32_t size; uint32_t padding; };
struct FallocateIn { uint64_t handle; uint64_t offset; uint64_t length; uint32_t mode; uint32_t padding; };
struct LseekIn { uint64_t handle; uint64_t offset; uint32_t whence; uint32_t padding; };
struct LseekOut { uint64_t offset; };
struct CopyFileRangeIn { uint64_t handle_in; uint64_t offset_in; uint64_t node_out; uint64_t handle_out; uint64_t offset_out; uint64_t length; uint64_t flags; };
struct CopyFileRangeOut64 { uint64_t size; };

struct SetattrIn {
  uint32_t valid;
  uint32_t padding;
  uint64_t handle;
  uint64_t size;
  uint64_t owner;
  uint64_t atime;
  uint64_t mtime;
  uint64_t ctime;
  uint32_t atime_ns;
  uint32_t mtime_ns;
  uint32_t ctime_ns;
  uint32_t mode;
  uint32_t unused4;
  uint32_t user;
  uint32_t group;
  uint32_t unused5;
};
constexpr uint32_t kSetMode = 1 << 0;
constexpr uint32_t kSetUser = 1 << 1;
constexpr uint32_t kSetGroup = 1 << 2;
constexpr uint32_t kSetSize = 1 << 3;
constexpr uint32_t kSetAtime = 1 << 4;
constexpr uint32_t kSetMtime = 1 << 5;
constexpr uint32_t kSetAtimeNow = 1 << 7;
constexpr uint32_t kSetMtimeNow = 1 << 8;
constexpr uint32_t kSetKillSetid = 1 << 11;

struct StatxIn { uint32_t getattr_flags; uint32_t reserved; uint64_t handle; uint32_t flags; uint32_t mask; };
struct StatxTime { int64_t seconds; uint32_t nanoseconds; int32_t reserved; };
struct StatxBody {
  uint32_t mask, block_size;
  uint64_t attributes;
  uint32_t nlink, user, group;
  uint16_t mode, spare0;
  uint64_t ino, size, blocks, attributes_mask;
  StatxTime atime, btime, ctime, mtime;
  uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
  uint64_t spare2[14];
};
struct StatxOut { uint64_t valid; uint32_t valid_ns; uint32_t flags; uint64_t spare[2]; StatxBody body; };

struct StatfsOut {
  uint64_t blocks, blocks_free, blocks_available, files, files_free;
  uint32_t block_size, name_bytes, fragment_size, padding;
  uint32_t spare[6];
};

struct Dirent {
  uint64_t ino;
  uint64_t offset;
  uint32_t name_bytes;
  uint32_t type;
  // The name follows, padded to a multiple of 8.
};

enum Notification : int32_t { kInvalidateInode = 2, kInvalidateEntry = 3, kResend = 7 };
struct InvalidateInodeOut { uint64_t node; int64_t offset; int64_t length; };
struct InvalidateEntryOut { uint64_t parent; uint32_t name_bytes; uint32_t flags; };
constexpr uint32_t kExpireOnly = 1;

struct BackingMap { int32_t descriptor; uint32_t flags; uint64_t padding; };
constexpr unsigned long kBackingOpenRequest = _IOW(229, 1, BackingMap);
constexpr unsigned long kBackingCloseRequest = _IOW(229, 2, uint32_t);

static_assert(sizeof(InHeader) == 40 && sizeof(OutHeader) == 16 && sizeof(Attributes) == 88);
static_assert(sizeof(EntryOut) == 128 && sizeof(AttributesOut) == 104 && sizeof(OpenOut) == 16);
static_assert(sizeof(SetattrIn) == 88 && sizeof(StatxBody) == 256 && sizeof(StatxOut) == 288 && sizeof(StatfsOut) == 80);
static_assert(sizeof(ReadIn) == 40 && sizeof(WriteIn) == 40 && sizeof(CopyFileRangeIn) == 56 && sizeof(StatxIn) == 24);

}  // namespace dunnage::loopback
