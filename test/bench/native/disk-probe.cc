// What a program pays for its files, without a run-time system between: both sides of a ratio run this very program. Prints
// nanoseconds; what is needed before and after is not counted.
//
//   disk-probe seq-read FILE             reads the file once, 128 KiB at a time, from the cache
//   disk-probe seq-write FILE BYTES      writes so many, 128 KiB at a time, into an empty file, which is flushed afterwards
//   disk-probe rand-read FILE COUNT      reads 4 KiB at random places, from the cache
//   disk-probe rand-write FILE COUNT     writes 4 KiB at random places, flushed afterwards
//   disk-probe create FOLDER COUNT       makes files of 4 KiB in a new folder, which is removed afterwards
//   disk-probe stat FOLDER ROUNDS        stats every file of a folder
//   disk-probe walk FOLDER               goes through a tree: every folder read, every file looked at
//
// Files are named from their folder on: the way to it is not what is measured, and in a container there is hardly one.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

constexpr std::size_t block_bytes = 128 * 1024;
constexpr std::size_t page_bytes = 4096;

alignas(page_bytes) char buffer[block_bytes];

[[noreturn]] void fail(const char* what, const std::string& path) {
  std::fprintf(stderr, "disk-probe: %s %s: %s\n", what, path.c_str(), std::strerror(errno));
  std::exit(1);
}

long long now_ns() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int open_or_fail(const std::string& path, int flags) {
  const int fd = open(path.c_str(), flags | O_CLOEXEC, 0644);
  if (fd < 0) fail("open", path);
  return fd;
}

void close_flushed(int fd, const std::string& path) {
  if (fsync(fd) != 0 || close(fd) != 0) fail("fsync", path);
}

long long read_through(const std::string& path) {
  const int fd = open_or_fail(path, O_RDONLY);
  const long long start = now_ns();
  ssize_t got;
  while ((got = read(fd, buffer, block_bytes)) > 0) {
  }
  if (got < 0) fail("read", path);
  const long long took = now_ns() - start;
  close(fd);
  return took;
}

long long write_through(const std::string& path, long long bytes) {
  std::memset(buffer, 'w', sizeof buffer);
  const int fd = open_or_fail(path, O_WRONLY | O_CREAT | O_TRUNC);
  const long long start = now_ns();
  for (long long left = bytes; left > 0; left -= static_cast<long long>(block_bytes)) {
    if (write(fd, buffer, block_bytes) != static_cast<ssize_t>(block_bytes)) fail("write", path);
  }
  const long long took = now_ns() - start;
  close_flushed(fd, path);
  return took;
}

// The same places for both sides.
template <typename Act>
long long at_random(const std::string& path, int flags, long count, const Act& act) {
  const int fd = open_or_fail(path, flags);
  struct stat st;
  if (fstat(fd, &st) != 0) fail("fstat", path);
  const auto pages = static_cast<std::uint64_t>(st.st_size) / page_bytes;
  if (pages == 0) fail("too short", path);
  std::uint64_t state = 88172645463325252ULL;
  const long long start = now_ns();
  for (long i = 0; i < count; ++i) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    if (act(fd, static_cast<off_t>(state % pages * page_bytes)) != static_cast<ssize_t>(page_bytes)) fail("pread or pwrite", path);
  }
  const long long took = now_ns() - start;
  if ((flags & O_ACCMODE) == O_RDONLY) {
    close(fd);
  } else {
    close_flushed(fd, path);
  }
  return took;
}

long long create_files(const std::string& folder, long count) {
  if (mkdir(folder.c_str(), 0755) != 0 || chdir(folder.c_str()) != 0) fail("mkdir", folder);
  std::vector<std::string> paths;
  for (long i = 0; i < count; ++i) paths.push_back("file-" + std::to_string(i));
  const long long start = now_ns();
  for (const std::string& path : paths) {
    const int fd = open_or_fail(path, O_WRONLY | O_CREAT | O_EXCL);
    if (write(fd, buffer, page_bytes) != static_cast<ssize_t>(page_bytes) || close(fd) != 0) fail("write", path);
  }
  const long long took = now_ns() - start;
  for (const std::string& path : paths) {
    if (unlink(path.c_str()) != 0) fail("unlink", path);
  }
  if (rmdir(folder.c_str()) != 0) fail("rmdir", folder);
  return took;
}

template <typename Visit>
void for_each(const std::string& folder, const Visit& visit) {
  DIR* const directory = opendir(folder.c_str());
  if (directory == nullptr) fail("opendir", folder);
  errno = 0;
  for (const dirent* entry; (entry = readdir(directory)) != nullptr; errno = 0) {
    if (entry->d_name[0] != '.') visit(*directory, entry->d_name);
  }
  if (errno != 0) fail("readdir", folder);
  closedir(directory);
}

long long stat_files(const std::string& folder, long rounds) {
  std::vector<std::string> paths;
  for_each(folder, [&](DIR&, const char* name) { paths.push_back(name); });
  if (chdir(folder.c_str()) != 0) fail("chdir", folder);
  struct stat st;
  const long long start = now_ns();
  for (long round = 0; round < rounds; ++round) {
    for (const std::string& path : paths) {
      if (stat(path.c_str(), &st) != 0) fail("stat", path);
    }
  }
  return now_ns() - start;
}

long walk_files(const std::string& folder) {
  long seen = 0;
  std::vector<std::string> folders;
  for_each(folder, [&](DIR& directory, const char* name) {
    struct stat st;
    if (fstatat(dirfd(&directory), name, &st, AT_SYMLINK_NOFOLLOW) != 0) fail("stat", name);
    ++seen;
    if (S_ISDIR(st.st_mode)) folders.push_back(folder + "/" + name);
  });
  for (const std::string& inner : folders) seen += walk_files(inner);
  return seen;
}

long long walk(const std::string& folder) {
  const long long start = now_ns();
  if (walk_files(folder) == 0) fail("nothing in", folder);
  return now_ns() - start;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string verb = argc > 2 ? argv[1] : "", path = argc > 2 ? argv[2] : "";
  const long long number = argc > 3 ? std::atoll(argv[3]) : 0;
  long long took = -1;
  if (verb == "seq-read") took = read_through(path);
  if (verb == "seq-write" && number > 0) took = write_through(path, number);
  if (verb == "rand-read" && number > 0)
    took = at_random(path, O_RDONLY, number, [](int fd, off_t at) { return pread(fd, buffer, page_bytes, at); });
  if (verb == "rand-write" && number > 0)
    took = at_random(path, O_WRONLY, number, [](int fd, off_t at) { return pwrite(fd, buffer, page_bytes, at); });
  if (verb == "create" && number > 0) took = create_files(path, number);
  if (verb == "stat" && number > 0) took = stat_files(path, number);
  if (verb == "walk") took = walk(path);
  if (took < 0) {
    std::fprintf(stderr, "usage: disk-probe seq-read|seq-write|rand-read|rand-write|create|stat|walk PATH [NUMBER]\n");
    return 2;
  }
  std::printf("%lld\n", took);
  return 0;
}
