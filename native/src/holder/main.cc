// dunnage-holder SOCKET TIMEOUT_SECONDS MOUNT_POINT: keeps descriptors while no daemon runs.
//
// As long as it has a /dev/fuse open, the death of the daemon does not end that connection: callers wait. The next
// daemon attaches and gets everything back. If none comes in time, the holder closes all (which aborts the connections
// and so ends the waiting) and detaches the mount. Before that it never touches the mount: it would wait for itself.
// One thread, one poll(2) loop. The messages are in native/README.md.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "../file-descriptor.h"
#include "../kernel-abi.h"
#include "abort.h"
#include "entries.h"
#include "messages.h"
#include "peer.h"

namespace dunnage::holder {
namespace {

constexpr size_t kConnectionsMax = 16;
// How often it is looked whether the attached daemon has died without hanging up.
constexpr int kLookAfterDaemonMs = 5000;

[[noreturn]] void Die(const char* what) {
  fprintf(stderr, "dunnage-holder: %s: %s\n", what, strerror(errno));
  _exit(2);
}

int64_t NowMs() {
  timespec now;
  // Counts suspended time too: a laptop that slept must not keep callers waiting longer.
  clock_gettime(CLOCK_BOOTTIME, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct Connection {
  FileDescriptor socket;
  pid_t peer;
};

class Holder {
 public:
  Holder(const char* socket_path, int64_t timeout_ms, const char* mount_point)
      : socket_path_(socket_path), timeout_ms_(timeout_ms), mount_point_(mount_point) {}

  void Listen();
  [[noreturn]] void Serve();

 private:
  enum class Next { kStay, kDrop, kRelease, kAbort };

  bool Accept();
  bool ServeConnection(Connection* connection);
  Next Answer(Connection* connection, Message* message);
  Next Attach(Connection* connection);
  void NoticeEndOfAttached();
  void NoticeDeathOfAttached();
  Next Put(Connection* connection, Message* message);
  Next Get(Connection* connection);
  void Drop(size_t index);
  bool IsAttached(const Connection& connection) const { return connection.socket.get() == attached_; }
  int WaitMs() const;
  [[noreturn]] void Finish(bool abort);

  const char* socket_path_;
  int64_t timeout_ms_;
  const char* mount_point_;
  FileDescriptor listener_;
  FileDescriptor signals_;
  dev_t socket_device_ = 0;
  ino_t socket_inode_ = 0;
  std::vector<Connection> connections_;
  int attached_ = -1;
  int64_t deadline_ms_ = 0;
  Entries entries_;
};

void Holder::Listen() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (strlen(socket_path_) >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    Die(socket_path_);
  }
  strcpy(address.sun_path, socket_path_);
  listener_ = FileDescriptor(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener_.valid()) Die("socket");
  // A socket that nobody listens on is what a holder that was killed left behind.
  const bool alive = connect(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  if (alive || errno == EAGAIN) {
    errno = EADDRINUSE;
    Die(socket_path_);
  }
  unlink(socket_path_);
  umask(0177);
  if (bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) Die(socket_path_);
  struct stat status;
  if (lstat(socket_path_, &status) == 0) {
    socket_device_ = status.st_dev;
    socket_inode_ = status.st_ino;
  }
  if (listen(listener_.get(), kConnectionsMax) != 0) Die("listen");

  sigset_t terminate;
  sigemptyset(&terminate);
  sigaddset(&terminate, SIGTERM);
  sigprocmask(SIG_BLOCK, &terminate, nullptr);
  signals_ = FileDescriptor(signalfd(-1, &terminate, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_.valid()) Die("signalfd");
  deadline_ms_ = NowMs() + timeout_ms_;
}

int Holder::WaitMs() const {
  if (attached_ >= 0) return kLookAfterDaemonMs;
  const int64_t left = deadline_ms_ - NowMs();
  return left < 0 ? 0 : static_cast<int>(left < 3600000 ? left : 3600000);
}

void Holder::Serve() {
  for (;;) {
    std::vector<pollfd> wanted{{listener_.get(), POLLIN, 0}, {signals_.get(), POLLIN, 0}};
    for (const Connection& connection : connections_) wanted.push_back({connection.socket.get(), POLLIN, 0});
    if (poll(wanted.data(), wanted.size(), WaitMs()) < 0 && errno != EINTR) Die("poll");
    if ((wanted[1].revents & POLLIN) != 0) Finish(true);
    // Connections before the deadline: a daemon that attaches in the last moment is served.
    for (size_t index = connections_.size(); index-- > 0;) {
      if (wanted[index + 2].revents != 0 && !ServeConnection(&connections_[index])) Drop(index);
    }
    if ((wanted[0].revents & POLLIN) != 0 && Accept()) continue;
    NoticeDeathOfAttached();
    if (attached_ < 0 && NowMs() >= deadline_ms_) Finish(true);
  }
}

// False if nobody (or nobody we talk to) came.
bool Holder::Accept() {
  FileDescriptor socket(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket.valid() || connections_.size() >= kConnectionsMax) return false;
  ucred peer{};
  socklen_t size = sizeof peer;
  if (getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  if (peer.uid != geteuid() && peer.uid != 0) return false;
  connections_.push_back({std::move(socket), peer.pid});
  return true;
}

void Holder::Drop(size_t index) {
  if (IsAttached(connections_[index])) {
    attached_ = -1;
    deadline_ms_ = NowMs() + timeout_ms_;
  }
  connections_.erase(connections_.begin() + static_cast<ptrdiff_t>(index));
}

// False if the connection is over.
bool Holder::ServeConnection(Connection* connection) {
  for (;;) {
    std::optional<Message> message = Receive(connection->socket.get());
    if (!message) return true;
    if (message->bytes.empty()) return false;
    switch (Answer(connection, &*message)) {
      case Next::kStay:
        break;
      case Next::kDrop:
        return false;
      case Next::kRelease:
        Finish(false);
      case Next::kAbort:
        Finish(true);
    }
  }
}

Holder::Next Holder::Answer(Connection* connection, Message* message) {
  const int socket = connection->socket.get();
  switch (message->bytes[0]) {
    case 'A':
      return Attach(connection);
    case 'P':
      return Put(connection, message);
    case 'G':
      return Get(connection);
    case 'R':
      if (!IsAttached(*connection)) return Next::kDrop;
      Send(socket, "r");
      return Next::kRelease;
    case 'X':
      // From anybody we talk to, attached or not: it is what SIGTERM does, and how a hung daemon is got rid of.
      Send(socket, "x");
      return Next::kAbort;
    default:
      return Next::kDrop;
  }
}

// The daemon before may have hung up in the same moment: its end comes first, with what it said before.
void Holder::NoticeEndOfAttached() {
  for (Connection& connection : connections_) {
    if (!IsAttached(connection)) continue;
    pollfd wanted{connection.socket.get(), POLLRDHUP, 0};
    if (poll(&wanted, 1, 0) > 0 && !ServeConnection(&connection)) attached_ = -1;  // dropped in its turn
    return;
  }
}

// A killed daemon may be unable to hang up (see peer.h). It is no daemon any more, whenever its connection ends.
void Holder::NoticeDeathOfAttached() {
  for (const Connection& connection : connections_) {
    if (!IsAttached(connection) || !HasEnded(connection.peer)) continue;
    attached_ = -1;
    deadline_ms_ = NowMs() + timeout_ms_;
    return;
  }
}

Holder::Next Holder::Attach(Connection* connection) {
  const int socket = connection->socket.get();
  if (!IsAttached(*connection)) {
    NoticeEndOfAttached();
    NoticeDeathOfAttached();
  }
  if (attached_ < 0 || IsAttached(*connection)) {
    attached_ = socket;
    return Send(socket, "a" + std::to_string(getpid())) ? Next::kStay : Next::kDrop;
  }
  for (const Connection& other : connections_) {
    if (!IsAttached(other)) continue;
    return Send(socket, "b" + std::to_string(other.peer)) ? Next::kStay : Next::kDrop;
  }
  return Next::kDrop;
}

Holder::Next Holder::Put(Connection* connection, Message* message) {
  const size_t end = message->bytes.find('\0');
  if (!IsAttached(*connection) || end == std::string::npos || message->descriptor_count != 1) return Next::kDrop;
  const std::string name = message->bytes.substr(1, end - 1);
  if (!entries_.Put(name, message->bytes.substr(end + 1), std::move(message->descriptor))) return Next::kDrop;
  return Send(connection->socket.get(), "p") ? Next::kStay : Next::kDrop;
}

// Descriptors of the tree are for the one that serves it.
Holder::Next Holder::Get(Connection* connection) {
  if (!IsAttached(*connection)) return Next::kDrop;
  for (const auto& [name, entry] : entries_.all()) {
    const std::string bytes = "e" + name + '\0' + entry.record;
    if (!Send(connection->socket.get(), bytes, entry.descriptor.get())) return Next::kDrop;
  }
  return Send(connection->socket.get(), "z") ? Next::kStay : Next::kDrop;
}

void Holder::Finish(bool abort) {
  entries_.CloseAll();
  struct stat status;
  // Another holder may have put its own socket there meanwhile.
  if (lstat(socket_path_, &status) == 0 && status.st_dev == socket_device_ && status.st_ino == socket_inode_) {
    unlink(socket_path_);
  }
  if (abort) DetachMounts(mount_point_);
  _exit(0);
}

void DetachFromCaller() {
  setsid();
  if (chdir("/") != 0) Die("/");
  for (const int number : {SIGHUP, SIGPIPE, SIGINT, SIGQUIT}) signal(number, SIG_IGN);
  kernel::CloseInherited();
}

// The end of stdout tells the caller that the socket accepts connections. stderr stays: it is where the daemon's log
// goes, and the holder says nothing unless it cannot start.
void CloseOutput() {
  const FileDescriptor null(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null.valid() || dup2(null.get(), STDIN_FILENO) < 0 || dup2(null.get(), STDOUT_FILENO) < 0) Die("/dev/null");
}

// The last process the kernel should pick when memory runs out: it is tiny, and its death ends every mount.
void AskToBeSpared() {
  const int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (file < 0) return;
  if (write(file, "-900", 4) < 0) {
    // Needs CAP_SYS_RESOURCE; without it the holder runs like everybody else.
  }
  close(file);
}

}  // namespace
}  // namespace dunnage::holder

int main(int count, char** arguments) {
  using namespace dunnage::holder;
  char* end = nullptr;
  const long timeout_seconds = count == 4 ? strtol(arguments[2], &end, 10) : -1;
  if (timeout_seconds < 0 || timeout_seconds > 86400 * 365 || *end != '\0' || arguments[1][0] != '/' ||
      arguments[3][0] != '/') {
    fprintf(stderr, "usage: dunnage-holder SOCKET TIMEOUT_SECONDS MOUNT_POINT, the paths absolute\n");
    return 2;
  }
  DetachFromCaller();
  AskToBeSpared();
  Holder holder(arguments[1], timeout_seconds * 1000, arguments[3]);
  holder.Listen();
  CloseOutput();
  holder.Serve();
}
