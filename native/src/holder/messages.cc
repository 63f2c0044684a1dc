#include "messages.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace dunnage::holder {
namespace {

constexpr size_t kDescriptorsMax = 253;  // SCM_MAX_FD: room for all the kernel can pass, so that none gets lost
constexpr int kSendWaitMs = 1000;

bool WaitWritable(int connection) {
  pollfd wanted{connection, POLLOUT, 0};
  return poll(&wanted, 1, kSendWaitMs) > 0 && (wanted.revents & POLLOUT) != 0;
}

}  // namespace

std::optional<Message> Receive(int connection) {
  char data[kMessageBytesMax];
  alignas(cmsghdr) char control[CMSG_SPACE(kDescriptorsMax * sizeof(int))];
  iovec part{data, sizeof data};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t length;
  do {
    length = recvmsg(connection, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  } while (length < 0 && errno == EINTR);
  if (length < 0) return errno == EAGAIN ? std::nullopt : std::optional<Message>(Message{});

  Message result;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t index = 0; index < count; index++) {
      int number;
      memcpy(&number, CMSG_DATA(header) + index * sizeof(int), sizeof number);
      FileDescriptor descriptor(number);
      if (result.descriptor_count++ == 0) result.descriptor = std::move(descriptor);
    }
  }
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) return Message{};
  result.bytes.assign(data, static_cast<size_t>(length));
  return result;
}

bool Send(int connection, const std::string& bytes, int descriptor) {
  iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  if (descriptor >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
  }
  ssize_t sent;
  do {
    sent = sendmsg(connection, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (sent < 0 && (errno == EINTR || (errno == EAGAIN && WaitWritable(connection))));
  return sent == static_cast<ssize_t>(bytes.size());
}

}  // namespace dunnage::holder
