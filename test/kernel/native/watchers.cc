// Many watchers of one directory, each an inotify instance of its own, as so many containers have.
//
//   watchers PROCESSES INSTANCES DIRECTORY SWAPS
//
// The kernel allows a user about a hundred instances, so each process is another user. Prints `ready` when all watch; then, when
// each of them has seen SWAPS times IN_MOVED_TO of `..data`: `WATCHERS LEAST MOST OVERFLOWS`, counted once more after the last.
#include <grp.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

constexpr unsigned kFirstUser = 61000;

// All that a swap makes: of IN_MOVED_TO alone the kernel would merge two that wait to be read one after another.
constexpr uint32_t kEvents = IN_CREATE | IN_MOVED_FROM | IN_MOVED_TO;

struct Count {
  int watchers = 0;
  int least = 0;
  int most = 0;
  int overflows = 0;
};

[[noreturn]] void Fail(const char* what) {
  std::fprintf(stderr, "watchers: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

// Reads what is there and returns how many times `..data` was moved into place.
int ReadEvents(int instance, int* overflows) {
  alignas(inotify_event) char buffer[1 << 14];
  int moved = 0;
  for (;;) {
    const ssize_t got = read(instance, buffer, sizeof buffer);
    if (got < 0 && errno == EAGAIN) return moved;
    if (got <= 0) Fail("read");
    for (const char* at = buffer; at < buffer + got;) {
      const auto* event = reinterpret_cast<const inotify_event*>(at);
      if ((event->mask & IN_Q_OVERFLOW) != 0) *overflows += 1;
      if ((event->mask & IN_MOVED_TO) != 0 && event->len > 0 && std::strcmp(event->name, "..data") == 0) moved += 1;
      at += sizeof(inotify_event) + event->len;
    }
  }
}

Count Watch(int instances, const char* directory, int swaps, int ready) {
  const int poll = epoll_create1(EPOLL_CLOEXEC);
  if (poll < 0) Fail("epoll_create1");
  std::vector<int> descriptors(instances);
  for (int i = 0; i < instances; i += 1) {
    descriptors[i] = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (descriptors[i] < 0) Fail("inotify_init1");
    if (inotify_add_watch(descriptors[i], directory, kEvents) < 0) Fail("inotify_add_watch");
    epoll_event interest{.events = EPOLLIN, .data = {.u32 = static_cast<uint32_t>(i)}};
    if (epoll_ctl(poll, EPOLL_CTL_ADD, descriptors[i], &interest) != 0) Fail("epoll_ctl");
  }
  if (write(ready, "1", 1) != 1) Fail("write");
  Count count{.watchers = instances};
  std::vector<int> seen(instances);
  while (*std::min_element(seen.begin(), seen.end()) < swaps) {
    epoll_event events[64];
    const int woken = epoll_wait(poll, events, 64, -1);
    if (woken < 0) Fail("epoll_wait");
    for (int e = 0; e < woken; e += 1) {
      const uint32_t i = events[e].data.u32;
      seen[i] += ReadEvents(descriptors[i], &count.overflows);
    }
  }
  for (int i = 0; i < instances; i += 1) seen[i] += ReadEvents(descriptors[i], &count.overflows);
  count.least = *std::min_element(seen.begin(), seen.end());
  count.most = *std::max_element(seen.begin(), seen.end());
  return count;
}

void BecomeUser(unsigned user) {
  // Nobody has to end them if this program is ended.
  if (setgroups(0, nullptr) != 0 || setgid(user) != 0 || setuid(user) != 0) Fail("setuid");
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) Fail("prctl");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  const int processes = std::atoi(argv[1]);
  int ready[2], counts[2];
  if (pipe(ready) != 0 || pipe(counts) != 0) Fail("pipe");
  for (int i = 0; i < processes; i += 1) {
    const pid_t child = fork();
    if (child < 0) Fail("fork");
    if (child > 0) continue;
    BecomeUser(kFirstUser + i);
    const Count count = Watch(std::atoi(argv[2]), argv[3], std::atoi(argv[4]), ready[1]);
    return write(counts[1], &count, sizeof count) == sizeof count ? 0 : 1;
  }
  close(ready[1]);
  close(counts[1]);
  char byte;
  for (int i = 0; i < processes; i += 1) {
    if (read(ready[0], &byte, 1) != 1) Fail("a watcher did not start");
  }
  std::puts("ready");
  std::fflush(stdout);
  Count total{.least = 1 << 30};
  for (int i = 0; i < processes; i += 1) {
    Count count;
    if (read(counts[0], &count, sizeof count) != sizeof count) Fail("a watcher ended early");
    total.watchers += count.watchers;
    total.least = std::min(total.least, count.least);
    total.most = std::max(total.most, count.most);
    total.overflows += count.overflows;
  }
  while (wait(nullptr) > 0) {
  }
  std::printf("%d %d %d %d\n", total.watchers, total.least, total.most, total.overflows);
  return 0;
}
