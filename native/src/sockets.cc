// Unix sockets that carry descriptors: to the holder, and from fusermount3.
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <vector>

#include "arguments.h"
#include "exports.h"
#include "file-descriptor.h"
#include "system-error.h"

namespace dunnage {
namespace {

constexpr size_t kDescriptorsMax = 253;  // SCM_MAX_FD of the kernel
constexpr size_t kMessageBytesMax = 1024 * 1024;

Napi::Value SocketPair(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const std::string type = arguments.Text();
  if (arguments.failed()) return info.Env().Undefined();
  if (type != "stream" && type != "seqpacket") return ThrowSystemError(info.Env(), EINVAL, "socketpair", type);
  int pair[2];
  if (socketpair(AF_UNIX, (type == "stream" ? SOCK_STREAM : SOCK_SEQPACKET) | SOCK_CLOEXEC, 0, pair) != 0) {
    return ThrowSystemError(info.Env(), errno, "socketpair");
  }
  Napi::Array result = Napi::Array::New(info.Env(), 2);
  result.Set(uint32_t{0}, pair[0]);
  result.Set(uint32_t{1}, pair[1]);
  return result;
}

Napi::Value ConnectSeqpacket(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const std::string path = arguments.Text();
  if (arguments.failed()) return info.Env().Undefined();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return ThrowSystemError(info.Env(), ENAMETOOLONG, "connect", path);
  memcpy(address.sun_path, path.c_str(), path.size());
  FileDescriptor connection(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!connection.valid()) return ThrowSystemError(info.Env(), errno, "socket");
  if (connect(connection.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    return ThrowSystemError(info.Env(), errno, "connect", path);
  }
  return Napi::Number::New(info.Env(), connection.Release());
}

Napi::Value SendMessage(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int socket = arguments.Descriptor();
  const ByteView data = arguments.Bytes();
  const std::vector<int> descriptors = arguments.DescriptorList();
  if (arguments.failed()) return info.Env().Undefined();
  if (descriptors.size() > kDescriptorsMax) return ThrowSystemError(info.Env(), EINVAL, "sendmsg");
  iovec part{const_cast<uint8_t*>(data.data), data.size};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  std::vector<char> control;
  if (!descriptors.empty()) {
    const size_t bytes = descriptors.size() * sizeof(int);
    control.resize(CMSG_SPACE(bytes));
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(bytes);
    memcpy(CMSG_DATA(header), descriptors.data(), bytes);
  }
  ssize_t sent;
  do {
    sent = sendmsg(socket, &message, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) return ThrowSystemError(info.Env(), errno, "sendmsg");
  // A stream may take a part; none of ours sends enough for that, and half a message must not look like a whole one.
  if (static_cast<size_t>(sent) != data.size) return ThrowSystemError(info.Env(), EMSGSIZE, "sendmsg");
  return info.Env().Undefined();
}

// 0 when a message or the end of the stream can be read, otherwise an errno.
int WaitReadable(int socket, uint32_t timeout_ms) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  for (;;) {
    const auto left = deadline - std::chrono::steady_clock::now();
    const auto left_ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    pollfd wanted{socket, POLLIN, 0};
    const int ready = poll(&wanted, 1, left_ms > 0 ? static_cast<int>(left_ms) : 0);
    if (ready > 0) return (wanted.revents & POLLNVAL) != 0 ? EBADF : 0;
    if (ready == 0) return ETIMEDOUT;
    if (errno != EINTR) return errno;
  }
}

std::vector<FileDescriptor> TakeDescriptors(msghdr* message) {
  std::vector<FileDescriptor> result;
  for (cmsghdr* header = CMSG_FIRSTHDR(message); header != nullptr; header = CMSG_NXTHDR(message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t index = 0; index < count; index++) {
      int descriptor;
      memcpy(&descriptor, CMSG_DATA(header) + index * sizeof(int), sizeof descriptor);
      result.emplace_back(descriptor);
    }
  }
  return result;
}

Napi::Value ReceiveMessage(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int socket = arguments.Descriptor();
  const size_t bytes_max = arguments.Size();
  const uint32_t timeout_ms = arguments.Unsigned();
  if (arguments.failed()) return info.Env().Undefined();
  if (bytes_max == 0 || bytes_max > kMessageBytesMax || timeout_ms > INT32_MAX) {
    return ThrowSystemError(info.Env(), EINVAL, "recvmsg");
  }
  const int error = WaitReadable(socket, timeout_ms);
  if (error != 0) return ThrowSystemError(info.Env(), error, "recvmsg");

  std::vector<uint8_t> data(bytes_max);
  alignas(cmsghdr) char control[CMSG_SPACE(kDescriptorsMax * sizeof(int))];
  iovec part{data.data(), data.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t length;
  do {
    length = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  } while (length < 0 && errno == EINTR);
  if (length < 0) return ThrowSystemError(info.Env(), errno, "recvmsg");
  std::vector<FileDescriptor> descriptors = TakeDescriptors(&message);
  // Cut off: the rest is lost, so what did arrive is worth nothing. The descriptors are closed on the way out.
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) return ThrowSystemError(info.Env(), EMSGSIZE, "recvmsg");

  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("data", Napi::Buffer<uint8_t>::Copy(info.Env(), data.data(), static_cast<size_t>(length)));
  Napi::Array numbers = Napi::Array::New(info.Env(), descriptors.size());
  for (uint32_t index = 0; index < descriptors.size(); index++) numbers.Set(index, descriptors[index].Release());
  result.Set("descriptors", numbers);
  return result;
}

}  // namespace

void ExportSockets(Napi::Env env, Napi::Object exports) {
  exports.Set("socketPair", Napi::Function::New(env, SocketPair, "socketPair"));
  exports.Set("connectSeqpacket", Napi::Function::New(env, ConnectSeqpacket, "connectSeqpacket"));
  exports.Set("sendMessage", Napi::Function::New(env, SendMessage, "sendMessage"));
  exports.Set("receiveMessage", Napi::Function::New(env, ReceiveMessage, "receiveMessage"));
}

}  // namespace dunnage
