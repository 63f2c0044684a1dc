// Sockets with names in the file system.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "calls.h"

namespace syscalls {
namespace {

bool address_of(const std::string& path, sockaddr_un& address) {
  address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return false;
  std::memcpy(address.sun_path, path.c_str(), path.size());
  return true;
}

using Attach = int (*)(int, const sockaddr*, socklen_t);

// bind PATH [dgram], connect PATH [dgram]: a new socket.
std::string attach(const Words& words, Attach how) {
  sockaddr_un address;
  if (!address_of(words.text(0), address)) refuse("path of a socket is too long");
  const int fd = socket(AF_UNIX, (words.raw(1) == "dgram" ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
  if (fd < 0) return error_name();
  if (how(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return std::to_string(fd);
  const int error = errno;
  close(fd);
  errno = error;
  return error_name();
}

}  // namespace

void add_socket_calls(CallTable& table) {
  table["bind"] = [](const Words& words) { return attach(words, bind); };
  table["connect"] = [](const Words& words) { return attach(words, connect); };
  table["listen"] = [](const Words& words) { return result(listen(words.integer(0), 8)); };
  table["accept"] = [](const Words& words) { return result(accept4(words.integer(0), nullptr, nullptr, SOCK_CLOEXEC)); };
}

}  // namespace syscalls
