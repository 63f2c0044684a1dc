// Attributes: read and changed.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "calls.h"

namespace syscalls {
namespace {

char type_letter(mode_t mode) {
  if (S_ISREG(mode)) return 'f';
  if (S_ISDIR(mode)) return 'd';
  if (S_ISLNK(mode)) return 'l';
  if (S_ISFIFO(mode)) return 'p';
  if (S_ISSOCK(mode)) return 's';
  if (S_ISCHR(mode)) return 'c';
  return S_ISBLK(mode) ? 'b' : '?';
}

std::string describe(const struct stat& st) {
  char text[512];
  std::snprintf(text, sizeof text,
                "type=%c mode=0%o nlink=%lu uid=%u gid=%u size=%lld blocks=%lld blksize=%ld ino=%llu dev=%llx rdev=%u:%u "
                "atime=%lld.%09ld mtime=%lld.%09ld ctime=%lld.%09ld",
                type_letter(st.st_mode), st.st_mode & 07777, static_cast<unsigned long>(st.st_nlink), st.st_uid, st.st_gid,
                static_cast<long long>(st.st_size), static_cast<long long>(st.st_blocks), static_cast<long>(st.st_blksize),
                static_cast<unsigned long long>(st.st_ino), static_cast<unsigned long long>(st.st_dev), major(st.st_rdev),
                minor(st.st_rdev), static_cast<long long>(st.st_atim.tv_sec), st.st_atim.tv_nsec,
                static_cast<long long>(st.st_mtim.tv_sec), st.st_mtim.tv_nsec, static_cast<long long>(st.st_ctim.tv_sec),
                st.st_ctim.tv_nsec);
  return text;
}

std::string stat_path(const Words& words, int flags) {
  const Path path = words.path(0);
  struct stat st;
  if (fstatat(path.directory, path.c_str(), &st, flags | (path.text.empty() && path.directory >= 0 ? AT_EMPTY_PATH : 0)) != 0)
    return error_name();
  return describe(st);
}

// `@7` means the descriptor itself: fchmod, fchown, ftruncate, futimens.
bool is_descriptor(const Path& path) { return path.directory >= 0 && path.text.empty(); }

std::string change_mode(const Words& words) {
  const Path path = words.path(0);
  const auto mode = static_cast<mode_t>(words.number(1));
  return result(is_descriptor(path) ? fchmod(path.directory, mode) : fchmodat(path.directory, path.c_str(), mode, 0));
}

std::string change_owner(const Words& words, int flags) {
  const Path path = words.path(0);
  const auto user = static_cast<uid_t>(words.number(1));
  const auto group = static_cast<gid_t>(words.number(2));
  return result(is_descriptor(path) ? fchown(path.directory, user, group)
                                    : fchownat(path.directory, path.c_str(), user, group, flags));
}

// truncate knows no directory descriptors: `@7/name` is not for it.
std::string truncate_path(const Words& words) {
  const Path path = words.path(0);
  const off_t size = words.number(1);
  return result(is_descriptor(path) ? ftruncate(path.directory, size) : truncate(path.c_str(), size));
}

timespec time_of(const std::string& text) {
  if (text == "now") return {0, UTIME_NOW};
  if (text == "omit") return {0, UTIME_OMIT};
  const std::size_t dot = text.find('.');
  return {std::atoll(text.c_str()), dot == std::string::npos ? 0 : std::atol(text.c_str() + dot + 1)};
}

// utimens PATH ATIME MTIME [FLAGS]: seconds[.nnnnnnnnn], `now` or `omit`. `utimens PATH` gives no times at all.
std::string set_times(const Words& words) {
  const Path path = words.path(0);
  const timespec times[2] = {time_of(words.raw(1)), time_of(words.raw(2))};
  const timespec* const given = words.has(1) ? times : nullptr;
  return result(is_descriptor(path) ? futimens(path.directory, given)
                                    : utimensat(path.directory, path.c_str(), given, words.integer(3)));
}

std::string may(const Words& words) {
  const Path path = words.path(0);
  return result(syscall(SYS_faccessat2, path.directory, path.c_str(), words.integer(1), words.integer(2)));
}

std::string file_system(const Words& words) {
  const Path path = words.path(0);
  struct statvfs st;
  const int failed = is_descriptor(path) ? fstatvfs(path.directory, &st) : statvfs(path.c_str(), &st);
  if (failed != 0) return error_name();
  char text[256];
  std::snprintf(text, sizeof text, "bsize=%lu frsize=%lu blocks=%llu files=%llu namemax=%lu free=%d flag=%lu", st.f_bsize,
                st.f_frsize, static_cast<unsigned long long>(st.f_blocks), static_cast<unsigned long long>(st.f_files),
                st.f_namemax, st.f_bavail > 0 && st.f_bfree >= st.f_bavail && st.f_ffree > 0, st.f_flag);
  return text;
}

// statx PATH: the parts that stat lacks.
std::string extended_stat(const Words& words) {
  const Path path = words.path(0);
  struct statx st;
  const int flags = AT_SYMLINK_NOFOLLOW | (path.text.empty() ? AT_EMPTY_PATH : 0);
  if (statx(path.directory, path.c_str(), flags, STATX_BASIC_STATS | STATX_BTIME, &st) != 0) return error_name();
  char text[128];
  std::snprintf(text, sizeof text, "basic=%d size=%llu mode=0%o", (st.stx_mask & STATX_BASIC_STATS) == STATX_BASIC_STATS,
                static_cast<unsigned long long>(st.stx_size), st.stx_mode & 07777);
  return text;
}

}  // namespace

void add_attribute_calls(CallTable& table) {
  table["stat"] = [](const Words& words) { return stat_path(words, 0); };
  table["lstat"] = [](const Words& words) { return stat_path(words, AT_SYMLINK_NOFOLLOW); };
  table["statx"] = extended_stat;
  table["chmod"] = change_mode;
  // The real call with flags (Linux 6.6): glibc's own goes through /proc.
  table["lchmod"] = [](const Words& words) {
    const Path path = words.path(0);
    return result(syscall(452, path.directory, path.c_str(), words.integer(1), AT_SYMLINK_NOFOLLOW));
  };
  table["chown"] = [](const Words& words) { return change_owner(words, 0); };
  table["lchown"] = [](const Words& words) { return change_owner(words, AT_SYMLINK_NOFOLLOW); };
  table["truncate"] = truncate_path;
  table["utimens"] = set_times;
  table["access"] = may;
  table["statvfs"] = file_system;
}

}  // namespace syscalls
