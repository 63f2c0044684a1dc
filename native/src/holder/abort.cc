#include "abort.h"

#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

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

struct Row {
  std::string mount_point;
  bool ours;
};

// The mount table, parents first. `ours`: of type fuse.dunnage; anything else is somebody else's.
std::vector<Row> ReadMountTable() {
  std::vector<Row> rows;
  FILE* table = fopen("/proc/self/mountinfo", "re");
  if (table == nullptr) return rows;
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
    rows.push_back({Unescape(field), strncmp(type + 3, "fuse.dunnage ", 13) == 0});
  }
  free(line);
  fclose(table);
  return rows;
}

// Whether the topmost mount there is ours.
bool IsOurs(const std::string& mount_point) {
  bool ours = false;
  for (const Row& row : ReadMountTable()) {
    if (row.mount_point == mount_point) ours = row.ours;
  }
  return ours;
}

// A daemon that hangs, or that was killed while a thread of it waits in the kernel for its own mount, still has
// /dev/fuse open: its connections do not end because ours are closed. MNT_FORCE ends them, also where it then fails with
// EBUSY. Outer ones first: the way to an inner one leads through them.
void AbortConnections(const std::string& mount_point) {
  for (const Row& row : ReadMountTable()) {
    const bool beneath = row.mount_point == mount_point || row.mount_point.starts_with(mount_point + "/");
    if (beneath && IsOurs(row.mount_point)) umount2(row.mount_point.c_str(), MNT_FORCE | UMOUNT_NOFOLLOW);
  }
}

[[noreturn]] void ExecHelper(const char* mount_point) {
  for (const char* helper : {"fusermount3", "fusermount"}) {
    execlp(helper, helper, "-u", "-z", "--", mount_point, static_cast<char*>(nullptr));
  }
  _exit(0);
}

}  // namespace

void DetachMounts(const char* mount_point) {
  AbortConnections(mount_point);
  for (int tries = 0; tries < kStackedMountsMax && IsOurs(mount_point); tries++) {
    if (umount2(mount_point, MNT_DETACH | UMOUNT_NOFOLLOW) == 0) continue;
    if (errno == EPERM) ExecHelper(mount_point);
    return;  // EINVAL, ENOENT: somebody was quicker
  }
}

}  // namespace dunnage::holder
