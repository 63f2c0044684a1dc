// Measures what a file system costs a program, without a run-time system between them: both sides of a ratio run this
// very loop. Prints nanoseconds, one number for the whole run of the loop.
//
//   probe read ROUNDS DIRECTORY NAME...   open, read to the end, close each file
//   probe stat ROUNDS DIRECTORY NAME...   stat each file
//   probe list ROUNDS DIRECTORY NAME...   read all names of each directory
//
// Names are relative to DIRECTORY, where the program goes first: the way to the directory is not what is measured, and
// in a container there is hardly one.
//
//   probe events DIRECTORY                prints the monotonic clock (ns) at each IN_MOVED_TO of `..data`, until its input ends
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

[[noreturn]] void fail(const char* what, const char* path) {
  std::fprintf(stderr, "probe: %s %s: %s\n", what, path, std::strerror(errno));
  std::exit(1);
}

long long now_ns() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

void read_all(const char* path) {
  static char buffer[1 << 16];
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) fail("open", path);
  ssize_t got;
  while ((got = read(fd, buffer, sizeof buffer)) > 0) {
  }
  if (got < 0) fail("read", path);
  close(fd);
}

void stat_one(const char* path) {
  struct stat st;
  if (stat(path, &st) != 0) fail("stat", path);
}

void list_all(const char* path) {
  DIR* directory = opendir(path);
  if (directory == nullptr) fail("opendir", path);
  errno = 0;
  while (readdir(directory) != nullptr) {
  }
  if (errno != 0) fail("readdir", path);
  closedir(directory);
}

int loop(void (*step)(const char*), int argc, char** argv) {
  const long rounds = std::atol(argv[2]);
  if (chdir(argv[3]) != 0) fail("chdir", argv[3]);
  for (int i = 4; i < argc; ++i) step(argv[i]);  // warm, whatever ran before
  const long long start = now_ns();
  for (long round = 0; round < rounds; ++round) {
    for (int i = 4; i < argc; ++i) step(argv[i]);
  }
  std::printf("%lld\n", now_ns() - start);
  return 0;
}

// Prints a line for every publication of `..data`, at the moment the event could be read.
int watch(const char* directory) {
  const int notify = inotify_init1(IN_CLOEXEC);
  if (notify < 0 || inotify_add_watch(notify, directory, IN_MOVED_TO) < 0) fail("watch", directory);
  std::printf("ready\n");
  std::fflush(stdout);
  alignas(inotify_event) char buffer[8192];
  pollfd waits[2] = {{notify, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
  for (;;) {
    if (poll(waits, 2, -1) < 0) fail("poll", directory);
    if (waits[1].revents != 0) return 0;
    const ssize_t got = read(notify, buffer, sizeof buffer);
    const long long at = now_ns();
    if (got <= 0) fail("read", directory);
    for (char* p = buffer; p < buffer + got;) {
      const auto* event = reinterpret_cast<inotify_event*>(p);
      if (event->len > 0 && std::strcmp(event->name, "..data") == 0) std::printf("%lld\n", at);
      p += sizeof(inotify_event) + event->len;
    }
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string verb = argc > 1 ? argv[1] : "";
  if (verb == "read" && argc > 4) return loop(read_all, argc, argv);
  if (verb == "stat" && argc > 4) return loop(stat_one, argc, argv);
  if (verb == "list" && argc > 4) return loop(list_all, argc, argv);
  if (verb == "events" && argc == 3) return watch(argv[2]);
  std::fprintf(stderr, "usage: probe read|stat|list ROUNDS DIRECTORY NAME... | events DIRECTORY\n");
  return 2;
}
