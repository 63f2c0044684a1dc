// Whether the process at the other end of a connection is alive.
#pragma once

#include <sys/types.h>

namespace dunnage::holder {

// True for a process that is gone or whose main thread has ended. A process that is killed keeps all its descriptors open
// while one of its threads waits in the kernel: so a daemon may be dead and its connection not hung up.
bool HasEnded(pid_t process);

}  // namespace dunnage::holder
