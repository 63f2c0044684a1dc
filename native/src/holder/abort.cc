#include "abort.h"

#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace dunnage::holder {
namespace {

// One mount and, at worst, some that stale daemons left below it.
constexpr int kStackedMountsMax = 4;

// /proc/self/mountinfo writes blank, tab, newline, backslash and `#` as a backslash and three octal digits.
std::string Unescape(const char* field) {
  std::string result;
  for (const char* at = field; *at != '\0'; at++) {
    if (*at == '\\' && at[1] != '\0' && at[2] != '\0' && at[3] != '\0') {
      result.push_back(static_cast<char>((at[1] - '0') << 6 | (at[2] - '0') << 3 | (at[3] - '0')));
      at += 3;
    } else {
      result.push_back(*at);
    }
  }
  return result;
}

// True if the topmost mount there is of type fuse.dunnage: anything else is somebody else's.
bool IsOurs(const char* mount_point) {
  FILE* table = fopen("/proc/self/mountinfo", "re");
  if (table == nullptr) return false;
  bool ours = false;
  char* line = nullptr;
  size_t capacity = 0;
  while (getline(&line, &capacity, table) > 0) {
    char* type = strstr(line, " - ");
    if (type == nullptr) continue;
    *type = '\0';
    char* field = line;
    for (int skipped = 0; skipped < 4 && field != nullptr; skipped++) {
      field = strchr(field, ' ');
      if (field != nullptr) field++;
    }
    if (field == nullptr) continue;
    if (char* end = strchr(field, ' ')) *end = '\0';
    if (Unescape(field) == mount_point) ours = strncmp(type + 3, "fuse.dunnage ", 13) == 0;
  }
  free(line);
  fclose(table);
  return ours;
}

[[noreturn]] void ExecHelper(const char* mount_point) {
  for (const char* helper : {"fusermount3", "fusermount"}) {
    execlp(helper, helper, "-u", "-z", "--", mount_point, static_cast<char*>(nullptr));
  }
  _exit(0);
}

}  // namespace

void DetachMounts(const char* mount_point) {
  for (int tries = 0; tries < kStackedMountsMax && IsOurs(mount_point); tries++) {
    if (umount2(mount_point, MNT_DETACH | UMOUNT_NOFOLLOW) == 0) continue;
    if (errno == EPERM) ExecHelper(mount_point);
    return;  // EINVAL, ENOENT: somebody was quicker
  }
}

}  // namespace dunnage::holder
