// dunnage-agent BASE: makes system calls beneath BASE, a mount of the tree, for the daemon.
//
// Four threads take turns in reading batches from stdin and run what they read, so that one which waits long holds up no
// other; replies are written to stdout in the order they are done. The agent ends when stdin does or when its parent dies; it never
// has /dev/fuse, so the death of the daemon ends the connection's requests and these calls with them.
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "../kernel-abi.h"
#include "batch.h"

namespace dunnage::agent {
namespace {

constexpr int kThreads = 4;
constexpr size_t kFrameBytesMax = 16 * 1024 * 1024;

[[noreturn]] void Die(const char* what) {
  fprintf(stderr, "dunnage-agent: %s\n", what);
  _exit(2);
}

// False at the end of the stream.
bool ReadWhole(char* data, size_t size) {
  for (size_t done = 0; done < size;) {
    const ssize_t length = read(STDIN_FILENO, data + done, size - done);
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) Die("cannot read from the daemon");
    if (length == 0) return false;
    done += static_cast<size_t>(length);
  }
  return true;
}

void WriteWhole(const std::string& bytes) {
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t length = write(STDOUT_FILENO, bytes.data() + done, bytes.size() - done);
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) _exit(0);  // the daemon has closed its end
    done += static_cast<size_t>(length);
  }
}

Batch ReadBatch() {
  uint8_t header[4];
  if (!ReadWhole(reinterpret_cast<char*>(header), sizeof header)) _exit(0);
  const size_t length = header[0] | header[1] << 8 | header[2] << 16 | static_cast<size_t>(header[3]) << 24;
  if (length > kFrameBytesMax) Die("a batch is longer than 16 MiB");
  std::string payload(length, '\0');
  if (!ReadWhole(payload.data(), length)) _exit(0);
  std::optional<Batch> batch = DecodeBatch(payload);
  if (!batch) Die("a batch does not keep to the wire format");
  return std::move(*batch);
}

// Whoever reads a batch runs it, and another thread reads on meanwhile: no batch waits for a thread to wake up.
[[noreturn]] void Serve(const char* base) {
  static std::mutex input;
  static std::mutex output;
  static auto* const views = new ViewKeeper(base);
  const auto work = [base] {
    for (;;) {
      std::unique_lock reading(input);
      const Batch batch = ReadBatch();
      reading.unlock();
      const BatchRun run = RunBatch(batch, base, views);
      const std::string reply = EncodeReply(batch.id, run.outcomes);
      std::unique_lock writing(output);
      WriteWhole(reply);
      writing.unlock();
      LookAhead(batch, run);
    }
  };
  for (int thread = 1; thread < kThreads; thread++) std::thread(work).detach();
  work();
  _exit(0);
}

void DieWithParent() {
  const pid_t parent = getppid();
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  // It may have died before the kernel knew that we want to hear of it. A parent that died before the first line is
  // noticed by the end of stdin.
  if (getppid() != parent) _exit(0);
}

}  // namespace
}  // namespace dunnage::agent

int main(int count, char** arguments) {
  using namespace dunnage::agent;
  DieWithParent();
  dunnage::kernel::CloseInherited();
  if (count != 2 || arguments[1][0] != '/') Die("usage: dunnage-agent BASE, an absolute path");
  signal(SIGPIPE, SIG_IGN);
  // Ctrl-C in the daemon's terminal goes to the whole group; the daemon may still need us to finish a swap.
  signal(SIGINT, SIG_IGN);
  signal(SIGHUP, SIG_IGN);
  umask(0);
  if (chdir("/") != 0) Die("cannot change to /");
  Serve(arguments[1]);
}
