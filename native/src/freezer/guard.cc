// Watches the free space of an overcommitted pool's own file system and freezes it before it is full: whoever writes to a
// device of the pool waits then, and nothing that was acknowledged can be lost. It goes on when the daemon dies, because the
// writers do. One thread, one poll(2) loop; the free space is looked at the more often the less there is.
//
// The daemon connects to SOCKET (a stream; the newest connection counts). Lines from it:
//   open MS     thaw for at most MS milliseconds, to give space back -> opened AVAILABLE
//   watch       that is done: freeze again, unless there is enough space now -> frozen AVAILABLE | watching AVAILABLE
//   limits FREEZE_BELOW THAW_ABOVE   other figures from now on
//   quit        thaw and end
// Lines to it, also at the beginning and whenever it changes: frozen AVAILABLE | watching AVAILABLE
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "../file-descriptor.h"
#include "modes.h"

namespace dunnage::freezer {
namespace {

// No disk below a pool is filled faster than that.
constexpr uint64_t kBytesPerMs = 8 * 1024 * 1024;
constexpr int kLookMsMin = 2;
constexpr int kLookMsMax = 250;
constexpr long kOpenMsMax = 60'000;
constexpr size_t kLineBytesMax = 256;

int64_t NowMs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

[[noreturn]] void Die(const char* what) {
  fprintf(stderr, "dunnage-freezer: %s: %s\n", what, strerror(errno));
  _exit(2);
}

class SpaceGuard {
 public:
  explicit SpaceGuard(const GuardOptions& options) : options_(options) {}
  void Listen();
  void Serve();

 private:
  enum class State { kWatching, kFrozen, kOpen };

  bool Look();
  void Freeze();
  bool Thaw();
  void Settle();
  void Accept();
  void ReadClient();
  bool Obey(const std::string& line);
  void Tell(const char* what);
  int WaitMs() const;

  GuardOptions options_;
  dev_t device_ = 0;
  FileDescriptor listener_, signals_, client_;
  // What is frozen must not be unmounted: nobody could reach it any more to thaw it.
  FileDescriptor frozen_;
  std::string pending_;
  State state_ = State::kWatching;
  uint64_t available_bytes_ = 0;
  int64_t open_until_ms_ = 0;
  bool quits_ = false;
};

void SpaceGuard::Listen() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (strlen(options_.socket_path) >= sizeof address.sun_path) Die("the path of the socket is too long");
  strcpy(address.sun_path, options_.socket_path);
  listener_ = FileDescriptor(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // Who starts a guard has found that nobody answers at the socket.
  unlink(options_.socket_path);
  umask(0077);
  if (!listener_.valid() || bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      listen(listener_.get(), 4) != 0) {
    Die(options_.socket_path);
  }
  struct stat found;
  if (stat(options_.directory, &found) != 0) Die(options_.directory);
  device_ = found.st_dev;
  signal(SIGPIPE, SIG_IGN);
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigprocmask(SIG_BLOCK, &ends, nullptr);
  for (const int number : {SIGINT, SIGHUP, SIGQUIT}) signal(number, SIG_IGN);
  signals_ = FileDescriptor(signalfd(-1, &ends, SFD_CLOEXEC));
}

// False when the pool is not mounted there any more: the directory is not kept open while writers go on.
bool SpaceGuard::Look() {
  struct stat found;
  struct statfs space;
  if (stat(options_.directory, &found) != 0 || found.st_dev != device_) return false;
  if (statfs(options_.directory, &space) != 0) return false;
  available_bytes_ = static_cast<uint64_t>(space.f_bavail) * static_cast<uint64_t>(space.f_bsize);
  return true;
}

void SpaceGuard::Freeze() {
  FileDescriptor directory(open(options_.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // EBUSY: it is frozen already, by a guard that was killed.
  if (!directory.valid() || (ioctl(directory.get(), FIFREEZE, 0) != 0 && errno != EBUSY)) return;
  frozen_ = std::move(directory);
  state_ = State::kFrozen;
  Tell("frozen");
}

bool SpaceGuard::Thaw() {
  FileDescriptor directory = std::move(frozen_);
  if (!directory.valid()) directory = FileDescriptor(open(options_.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return directory.valid() && (ioctl(directory.get(), FITHAW, 0) == 0 || errno == EINVAL);
}

// After space was given back, or nobody wants to do so any more.
void SpaceGuard::Settle() {
  if (available_bytes_ < options_.thaw_above_bytes) {
    Freeze();
  } else {
    state_ = State::kWatching;
    Tell("watching");
  }
}

void SpaceGuard::Tell(const char* what) {
  if (!client_.valid()) return;
  const std::string line = std::string(what) + " " + std::to_string(available_bytes_) + "\n";
  // A daemon that reads nothing must not hold the guard up: it asks again when it reconnects.
  if (send(client_.get(), line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) client_.Close();
}

void SpaceGuard::Accept() {
  FileDescriptor newest(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!newest.valid()) return;
  client_ = std::move(newest);
  pending_.clear();
  if (state_ == State::kOpen) Settle();
  else Tell(state_ == State::kFrozen ? "frozen" : "watching");
}

bool SpaceGuard::Obey(const std::string& line) {
  if (line == "quit") {
    quits_ = true;
  } else if (line == "watch") {
    if (state_ == State::kOpen) Settle();
    else Tell(state_ == State::kFrozen ? "frozen" : "watching");
  } else if (line.starts_with("limits ")) {
    char* rest = nullptr;
    options_.freeze_below_bytes = strtoull(line.c_str() + 7, &rest, 10);
    options_.thaw_above_bytes = strtoull(rest, nullptr, 10);
    if (state_ == State::kFrozen && Thaw()) Settle();
  } else if (line.starts_with("open ")) {
    const long open_ms = strtol(line.c_str() + 5, nullptr, 10);
    if (open_ms <= 0 || !Thaw()) return false;
    state_ = State::kOpen;
    open_until_ms_ = NowMs() + std::min(open_ms, kOpenMsMax);
    Tell("opened");
  } else {
    return false;
  }
  return true;
}

void SpaceGuard::ReadClient() {
  char buffer[kLineBytesMax];
  const ssize_t length = recv(client_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
  if (length < 0 && (errno == EAGAIN || errno == EINTR)) return;
  bool stays = length > 0;
  if (stays) pending_.append(buffer, static_cast<size_t>(length));
  for (size_t end; stays && (end = pending_.find('\n')) != std::string::npos; pending_.erase(0, end + 1)) {
    stays = Obey(pending_.substr(0, end));
  }
  if (stays && pending_.size() <= kLineBytesMax) return;
  client_.Close();
  if (state_ == State::kOpen) Settle();
}

int SpaceGuard::WaitMs() const {
  if (state_ == State::kFrozen) return kLookMsMax;
  if (state_ == State::kOpen) return static_cast<int>(std::clamp<int64_t>(open_until_ms_ - NowMs(), 0, kLookMsMax));
  const uint64_t room = available_bytes_ - std::min(available_bytes_, options_.freeze_below_bytes);
  return static_cast<int>(std::clamp<uint64_t>(room / kBytesPerMs, kLookMsMin, kLookMsMax));
}

void SpaceGuard::Serve() {
  // One that was killed may have left it frozen.
  if (!Look()) Die(options_.directory);
  Thaw();
  while (!quits_ && Look()) {
    if (state_ == State::kWatching && available_bytes_ < options_.freeze_below_bytes) Freeze();
    if (state_ == State::kOpen && NowMs() >= open_until_ms_) Settle();
    pollfd watched[] = {{listener_.get(), POLLIN, 0}, {signals_.get(), POLLIN, 0}, {client_.get(), POLLIN, 0}};
    if (poll(watched, 3, WaitMs()) < 0) continue;
    if (watched[1].revents != 0) break;
    if (client_.valid() && watched[2].revents != 0 && Look()) ReadClient();
    if (watched[0].revents != 0) Accept();
  }
  // Elsewise something else is mounted there now, and none of ours.
  if (frozen_.valid() || Look()) Thaw();
  unlink(options_.socket_path);
}

}  // namespace

int Guard(const GuardOptions& options) {
  // Whoever fills the pool may need every processor for that; the guard needs little, and in time.
  const sched_param priority{.sched_priority = 1};
  if (sched_setscheduler(0, SCHED_RR, &priority) != 0) setpriority(PRIO_PROCESS, 0, -20);
  SpaceGuard guard(options);
  guard.Listen();
  guard.Serve();
  return 0;
}

}  // namespace dunnage::freezer
