// Gives back what the file system of the directory on stdin does not use: FITRIM cannot be interrupted, and waits as long as the
// pool beneath is frozen. A process of its own may wait; the daemon, which must be able to end, does not.
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "modes.h"

namespace dunnage::freezer {

// The bytes that are free there on stdout, or an error on stderr and 1; 3 for a file system that cannot do this.
int Trim() {
  fstrim_range range{0, UINT64_MAX, 0};
  if (ioctl(STDIN_FILENO, FITRIM, &range) == 0) {
    printf("%llu\n", static_cast<unsigned long long>(range.len));
    return fflush(stdout) == 0 ? 0 : 1;
  }
  const bool is_unknown = errno == EOPNOTSUPP || errno == ENOTTY;
  fprintf(stderr, "FITRIM: %s\n", strerror(errno));
  return is_unknown ? 3 : 1;
}

}  // namespace dunnage::freezer
