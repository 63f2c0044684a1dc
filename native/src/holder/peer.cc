#include "peer.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace dunnage::holder {

bool HasEnded(pid_t process) {
  // 0: of another pid namespace, about which nothing can be said.
  if (process <= 0) return false;
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/stat", static_cast<int>(process));
  FILE* file = fopen(path, "re");
  if (file == nullptr) return errno == ENOENT;
  char line[512];
  const char* read = fgets(line, sizeof line, file);
  const int error = errno;
  fclose(file);
  if (read == nullptr) return error == ESRCH;
  // `pid (name) state ...`, and the name may hold anything.
  const char* name_end = strrchr(line, ')');
  if (name_end == nullptr || name_end[1] != ' ') return false;
  return name_end[2] == 'Z' || name_end[2] == 'X';
}

}  // namespace dunnage::holder
