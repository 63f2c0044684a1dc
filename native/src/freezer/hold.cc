// Freezes for a moment. One line on stdin is one command, one line on stdout one answer:
//
//   freeze TOKEN TIMEOUT_MS PATH   -> frozen TOKEN | failed TOKEN ERRNO
//   thaw TOKEN                     -> thawed TOKEN (it was frozen until now) | expired TOKEN (it was not)
//   (after the timeout)            -> expired TOKEN
//
// Each freeze has a thread, because FIFREEZE waits until what is dirty is written. Everything is thawed at the end of stdin,
// so also when the daemon is killed, and on SIGTERM, SIGINT and SIGHUP.
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "../file-descriptor.h"
#include "modes.h"

namespace dunnage::freezer {
namespace {

constexpr size_t kLineBytesMax = 8192;

struct Held {
  bool wants_thaw = false;
};

class Holds {
 public:
  void Start(std::string token, std::chrono::milliseconds timeout, std::string path);
  void Thaw(const std::string& token);
  // Returns when everything is thawed.
  void ThawAll();

 private:
  void Run(const std::string& token, std::chrono::milliseconds timeout, const std::string& path, Held* held);
  void Say(const std::string& line);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, std::unique_ptr<Held>> held_;
  size_t running_ = 0;
};

void Holds::Say(const std::string& line) {
  const std::string text = line + "\n";
  // One write(2): lines of several threads do not mix. Nobody listens any more: then nobody needs to know.
  while (write(STDOUT_FILENO, text.data(), text.size()) < 0 && errno == EINTR) {
  }
}

void Holds::Start(std::string token, std::chrono::milliseconds timeout, std::string path) {
  const std::lock_guard lock(mutex_);
  if (held_.contains(token)) return Say("failed " + token + " " + std::to_string(EEXIST));
  Held* held = held_.emplace(token, std::make_unique<Held>()).first->second.get();
  running_++;
  std::thread([=, this] { Run(token, timeout, path, held); }).detach();
}

void Holds::Run(const std::string& token, std::chrono::milliseconds timeout, const std::string& path, Held* held) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  const FileDescriptor directory(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const bool frozen = directory.valid() && ioctl(directory.get(), FIFREEZE, 0) == 0;
  const int error = errno;
  if (frozen) Say("frozen " + token);
  std::unique_lock lock(mutex_);
  bool in_time = false;
  if (frozen) {
    in_time = changed_.wait_until(lock, deadline, [held] { return held->wants_thaw; });
    lock.unlock();
    // Somebody else has thawed it meanwhile: then it was not frozen all the time.
    if (ioctl(directory.get(), FITHAW, 0) != 0) in_time = false;
    lock.lock();
  }
  held_.erase(token);
  running_--;
  Say(!frozen ? "failed " + token + " " + std::to_string(error) : (in_time ? "thawed " : "expired ") + token);
  changed_.notify_all();
}

void Holds::Thaw(const std::string& token) {
  const std::lock_guard lock(mutex_);
  const auto found = held_.find(token);
  if (found == held_.end()) return Say("expired " + token);
  found->second->wants_thaw = true;
  changed_.notify_all();
}

void Holds::ThawAll() {
  std::unique_lock lock(mutex_);
  for (const auto& [token, held] : held_) held->wants_thaw = true;
  changed_.notify_all();
  changed_.wait(lock, [this] { return running_ == 0; });
}

// The next word of the line; what is left of it stays in `line`.
std::string TakeWord(std::string* line) {
  const size_t blank = line->find(' ');
  const std::string word = line->substr(0, blank);
  line->erase(0, blank == std::string::npos ? line->size() : blank + 1);
  return word;
}

// False for a line that is no command.
bool Obey(Holds* holds, std::string line) {
  const std::string verb = TakeWord(&line);
  const std::string token = TakeWord(&line);
  if (token.empty()) return false;
  if (verb == "thaw" && line.empty()) {
    holds->Thaw(token);
    return true;
  }
  if (verb != "freeze") return false;
  const long timeout_ms = strtol(TakeWord(&line).c_str(), nullptr, 10);
  if (timeout_ms <= 0 || line.empty()) return false;
  holds->Start(token, std::chrono::milliseconds(timeout_ms), line);
  return true;
}

// False at the end of stdin, or when somebody speaks another language.
bool ReadCommands(Holds* holds, std::string* pending) {
  char buffer[kLineBytesMax];
  const ssize_t length = read(STDIN_FILENO, buffer, sizeof buffer);
  if (length < 0) return errno == EINTR || errno == EAGAIN;
  if (length == 0) return false;
  pending->append(buffer, static_cast<size_t>(length));
  for (size_t end; (end = pending->find('\n')) != std::string::npos; pending->erase(0, end + 1)) {
    if (!Obey(holds, pending->substr(0, end))) return false;
  }
  return pending->size() <= kLineBytesMax;
}

}  // namespace

int Hold() {
  signal(SIGPIPE, SIG_IGN);
  sigset_t ends;
  sigemptyset(&ends);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&ends, number);
  sigprocmask(SIG_BLOCK, &ends, nullptr);  // before the first thread, which inherits it
  const FileDescriptor signals(signalfd(-1, &ends, SFD_CLOEXEC));
  Holds holds;
  std::string pending;
  pollfd watched[] = {{STDIN_FILENO, POLLIN, 0}, {signals.get(), POLLIN, 0}};
  for (;;) {
    if (poll(watched, 2, -1) < 0 && errno != EINTR) break;
    if (watched[1].revents != 0) break;
    if (watched[0].revents != 0 && !ReadCommands(&holds, &pending)) break;
  }
  holds.ThawAll();
  _exit(0);
}

}  // namespace dunnage::freezer
