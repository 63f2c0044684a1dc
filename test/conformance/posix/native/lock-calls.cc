// Locks: of open files (flock, F_OFD_*) and of processes (fcntl).
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "calls.h"

namespace syscalls {
namespace {

struct flock range(const Words& words) {
  struct flock lock {};
  lock.l_type = static_cast<short>(words.number(2));
  lock.l_whence = SEEK_SET;
  lock.l_start = words.number(3);
  lock.l_len = words.number(4);
  return lock;
}

// lock FD F_SETLK|F_SETLKW|F_OFD_... F_RDLCK|F_WRLCK|F_UNLCK START LENGTH
std::string lock_range(const Words& words) {
  struct flock lock = range(words);
  return result(fcntl(words.integer(0), words.integer(1), &lock));
}

// testlock FD F_GETLK|F_OFD_GETLK TYPE START LENGTH: `free`, or what is in the way.
std::string test_range(const Words& words) {
  struct flock lock = range(words);
  if (fcntl(words.integer(0), words.integer(1), &lock) != 0) return error_name();
  if (lock.l_type == F_UNLCK) return "free";
  return std::string(lock.l_type == F_RDLCK ? "read" : "write") + " start=" + std::to_string(lock.l_start) +
         " length=" + std::to_string(lock.l_len) + " pid=" + std::to_string(lock.l_pid);
}

}  // namespace

void add_lock_calls(CallTable& table) {
  table["flock"] = [](const Words& words) { return result(flock(words.integer(0), words.integer(1))); };
  table["lock"] = lock_range;
  table["testlock"] = test_range;
}

}  // namespace syscalls
