// Messages of one SOCK_SEQPACKET socket, each with at most one descriptor.
#pragma once

#include <optional>
#include <string>

#include "../file-descriptor.h"

namespace dunnage::holder {

constexpr size_t kMessageBytesMax = 8192;

struct Message {
  std::string bytes;  // empty at the end of the connection
  FileDescriptor descriptor;
  int descriptor_count = 0;  // more than one arrived: the others are closed already
};

// Empty if nothing is there yet. A connection in trouble, or a message that was cut off, reads as its end.
std::optional<Message> Receive(int connection);

// A peer that does not read its replies is given up after a second. False then, and if it is gone.
bool Send(int connection, const std::string& bytes, int descriptor = -1);

}  // namespace dunnage::holder
