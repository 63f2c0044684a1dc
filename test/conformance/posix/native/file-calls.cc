// Open files and their content.
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "calls.h"

namespace syscalls {
namespace {

constexpr std::size_t direct_alignment = 4096;

std::string open_file(const Words& words) {
  const Path path = words.path(0);
  return result(openat(path.directory, path.c_str(), words.integer(1) | O_CLOEXEC, static_cast<mode_t>(words.number(2))));
}

// Aligned, because the descriptor may be one with O_DIRECT.
struct Buffer {
  explicit Buffer(std::size_t size) : size(size) {
    if (posix_memalign(&memory, direct_alignment, std::max<std::size_t>(size, 1)) != 0) refuse("out of memory");
  }
  ~Buffer() { std::free(memory); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  char* bytes() const { return static_cast<char*>(memory); }
  void* memory = nullptr;
  std::size_t size;
};

// read FD COUNT [OFFSET]
std::string read_data(const Words& words) {
  const Buffer buffer(static_cast<std::size_t>(words.number(1)));
  const ssize_t got = words.has(2) ? pread(words.integer(0), buffer.memory, buffer.size, words.number(2))
                                   : read(words.integer(0), buffer.memory, buffer.size);
  return got < 0 ? error_name() : encode_data({buffer.bytes(), static_cast<std::size_t>(got)});
}

// write FD DATA [OFFSET]
std::string write_data(const Words& words) {
  const std::string data = words.data(1);
  const Buffer buffer(data.size());
  std::copy(data.begin(), data.end(), buffer.bytes());
  return result(words.has(2) ? pwrite(words.integer(0), buffer.memory, data.size(), words.number(2))
                             : write(words.integer(0), buffer.memory, data.size()));
}

// content PATH: opened, read to the end, closed.
std::string content(const Words& words) {
  const Path path = words.path(0);
  const int fd = openat(path.directory, path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return error_name();
  std::string all;
  Buffer buffer(1 << 16);
  ssize_t got;
  while ((got = read(fd, buffer.memory, buffer.size)) > 0) all.append(buffer.bytes(), static_cast<std::size_t>(got));
  const std::string answer = got < 0 ? error_name() : encode_data(all);
  close(fd);
  return answer;
}

// copy FROM TO: a program of the host, for one.
std::string copy_file(const Words& words) {
  const Path from = words.path(0), to = words.path(1);
  const int in = openat(from.directory, from.c_str(), O_RDONLY | O_CLOEXEC);
  const int out = in < 0 ? -1 : openat(to.directory, to.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
  if (out < 0) return error_name();
  const Buffer buffer(1 << 16);
  ssize_t got;
  while ((got = read(in, buffer.memory, buffer.size)) > 0) {
    if (write(out, buffer.memory, static_cast<std::size_t>(got)) != got) return error_name();
  }
  close(in);
  close(out);
  return got < 0 ? error_name() : "0";
}

// copy-range FROM FROM_OFFSET TO TO_OFFSET LENGTH
std::string copy_range(const Words& words) {
  loff_t from = words.number(1), to = words.number(3);
  return result(copy_file_range(words.integer(0), &from, words.integer(2), &to, static_cast<std::size_t>(words.number(4)), 0));
}

std::string send_file(const Words& words) {
  off_t from = words.number(1);
  return result(sendfile(words.integer(2), words.integer(0), &from, static_cast<std::size_t>(words.number(3))));
}

// splice FROM FROM_OFFSET TO TO_OFFSET LENGTH: through a pipe, as splice needs one.
std::string splice_data(const Words& words) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return error_name();
  loff_t from = words.number(1), to = words.number(3);
  ssize_t moved = splice(words.integer(0), &from, ends[1], nullptr, static_cast<std::size_t>(words.number(4)), 0);
  if (moved > 0) moved = splice(ends[0], nullptr, words.integer(2), &to, static_cast<std::size_t>(moved), 0);
  const int error = errno;
  close(ends[0]);
  close(ends[1]);
  errno = error;
  return result(moved);
}

// writev FD DATA DATA...
std::string write_vector(const Words& words) {
  std::vector<std::string> data;
  for (std::size_t i = 1; i < words.count(); ++i) data.push_back(words.data(i));
  std::vector<iovec> parts;
  for (std::string& part : data) parts.push_back({part.data(), part.size()});
  return result(writev(words.integer(0), parts.data(), static_cast<int>(parts.size())));
}

std::string posix_allocate(const Words& words) {
  errno = posix_fallocate(words.integer(0), words.number(1), words.number(2));
  return errno == 0 ? "0" : error_name();
}

}  // namespace

void add_file_calls(CallTable& table) {
  table["open"] = open_file;
  table["close"] = [](const Words& words) { return result(close(words.integer(0))); };
  table["dup"] = [](const Words& words) { return result(dup(words.integer(0))); };
  table["read"] = read_data;
  table["write"] = write_data;
  table["writev"] = write_vector;
  table["content"] = content;
  table["copy"] = copy_file;
  table["lseek"] = [](const Words& words) { return result(lseek(words.integer(0), words.number(1), words.integer(2))); };
  table["fsync"] = [](const Words& words) { return result(fsync(words.integer(0))); };
  table["fdatasync"] = [](const Words& words) { return result(fdatasync(words.integer(0))); };
  table["syncfs"] = [](const Words& words) { return result(syncfs(words.integer(0))); };
  table["sync-range"] = [](const Words& words) {
    return result(sync_file_range(words.integer(0), words.number(1), words.number(2), SYNC_FILE_RANGE_WRITE));
  };
  // fallocate FD MODE OFFSET LENGTH
  table["fallocate"] = [](const Words& words) {
    return result(fallocate(words.integer(0), words.integer(1), words.number(2), words.number(3)));
  };
  table["posix-fallocate"] = posix_allocate;
  table["copy-range"] = copy_range;
  // sendfile FROM FROM_OFFSET TO LENGTH
  table["sendfile"] = send_file;
  table["splice"] = splice_data;
  table["fcntl"] = [](const Words& words) {
    return result(fcntl(words.integer(0), words.integer(1), words.integer(2)));
  };
  table["advise"] = [](const Words& words) {
    errno = posix_fadvise(words.integer(0), 0, 0, POSIX_FADV_DONTNEED);
    return errno == 0 ? std::string("0") : error_name();
  };
}

}  // namespace syscalls
