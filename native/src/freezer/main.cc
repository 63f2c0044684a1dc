// dunnage-freezer: freezes file systems for the daemon, and thaws them whatever becomes of it.
//
//   dunnage-freezer hold                    for a moment, for a snapshot: ends (and thaws) with its stdin
//   dunnage-freezer guard SOCKET DIRECTORY FREEZE_BELOW_BYTES THAW_ABOVE_BYTES
//                                           stops the writers of an overcommitted pool before it is full, with or without a daemon
//   dunnage-freezer trim                    gives back what the file system of the directory on stdin does not use
//
// It writes to no file system, so it cannot wait for one that it has frozen itself.
#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "../kernel-abi.h"
#include "modes.h"

namespace {

bool ReadBytes(const char* text, uint64_t* bytes) {
  char* end = nullptr;
  *bytes = strtoull(text, &end, 10);
  return *text >= '0' && *text <= '9' && *end == '\0';
}

}  // namespace

int main(int count, char** words) {
  dunnage::kernel::CloseInherited();
  // What waits for the thaw may be the very thing that would bring a page back in. Refused without CAP_IPC_LOCK: no harm.
  mlockall(MCL_CURRENT | MCL_FUTURE);
  if (count == 2 && strcmp(words[1], "hold") == 0) return dunnage::freezer::Hold();
  if (count == 2 && strcmp(words[1], "trim") == 0) return dunnage::freezer::Trim();
  if (count == 6 && strcmp(words[1], "guard") == 0) {
    dunnage::freezer::GuardOptions options{words[2], words[3], 0, 0};
    if (ReadBytes(words[4], &options.freeze_below_bytes) && ReadBytes(words[5], &options.thaw_above_bytes)) {
      return dunnage::freezer::Guard(options);
    }
  }
  fprintf(stderr, "usage: dunnage-freezer hold | trim | guard SOCKET DIRECTORY FREEZE_BELOW_BYTES THAW_ABOVE_BYTES\n");
  return 2;
}
