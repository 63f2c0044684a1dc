// Names: made, moved and taken away.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <climits>
#include <cstdio>

#include "calls.h"

namespace syscalls {
namespace {

mode_t mode_of(const Words& words, std::size_t index, mode_t otherwise) {
  return words.has(index) ? static_cast<mode_t>(words.number(index)) : otherwise;
}

// Writes nothing: `create a 0644` is open(O_CREAT|O_EXCL|O_WRONLY) and close. A third word is its content.
std::string create(const Words& words) {
  const Path path = words.path(0);
  const int fd = openat(path.directory, path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, mode_of(words, 1, 0644));
  if (fd < 0) return error_name();
  const std::string data = words.has(2) ? words.data(2) : "";
  const ssize_t written = write(fd, data.data(), data.size());
  const std::string answer = written == static_cast<ssize_t>(data.size()) ? "0" : error_name();
  close(fd);
  return answer;
}

std::string link_name(const Words& words) {
  const Path from = words.path(0), to = words.path(1);
  return result(linkat(from.directory, from.c_str(), to.directory, to.c_str(), words.integer(2)));
}

std::string read_link(const Words& words) {
  const Path path = words.path(0);
  char text[PATH_MAX];
  const ssize_t length = readlinkat(path.directory, path.c_str(), text, sizeof text);
  return length < 0 ? error_name() : encode({text, static_cast<std::size_t>(length)});
}

std::string rename_name(const Words& words) {
  const Path from = words.path(0), to = words.path(1);
  const auto flags = static_cast<unsigned>(words.number(2));
  return result(renameat2(from.directory, from.c_str(), to.directory, to.c_str(), flags));
}

// mknod PATH TYPE MODE MAJOR MINOR
std::string make_node(const Words& words) {
  const Path path = words.path(0);
  const auto mode = static_cast<mode_t>(words.number(1) | mode_of(words, 2, 0644));
  const dev_t device = makedev(static_cast<unsigned>(words.number(3)), static_cast<unsigned>(words.number(4)));
  return result(mknodat(path.directory, path.c_str(), mode, device));
}

}  // namespace

void add_name_calls(CallTable& table) {
  table["create"] = create;
  table["mkdir"] = [](const Words& words) {
    const Path path = words.path(0);
    return result(mkdirat(path.directory, path.c_str(), mode_of(words, 1, 0755)));
  };
  table["rmdir"] = [](const Words& words) {
    const Path path = words.path(0);
    return result(unlinkat(path.directory, path.c_str(), AT_REMOVEDIR));
  };
  table["unlink"] = [](const Words& words) {
    const Path path = words.path(0);
    return result(unlinkat(path.directory, path.c_str(), 0));
  };
  table["link"] = link_name;
  // symlink TEXT PATH
  table["symlink"] = [](const Words& words) {
    const Path path = words.path(1);
    const std::string text = words.raw(0) == "''" ? "" : words.text(0);
    return result(symlinkat(text.c_str(), path.directory, path.c_str()));
  };
  table["readlink"] = read_link;
  table["rename"] = rename_name;
  table["mknod"] = make_node;
  table["mkfifo"] = [](const Words& words) {
    const Path path = words.path(0);
    return result(mkfifoat(path.directory, path.c_str(), mode_of(words, 1, 0644)));
  };
}

}  // namespace syscalls
