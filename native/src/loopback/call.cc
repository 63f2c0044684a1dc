#include "call.h"

#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>

namespace dunnage::loopback {

Call::Call(Engine& engine, Identity& identity, RequestSlot* slot, uint8_t* room, size_t room_bytes, bool is_repeated)
    : engine(engine),
      identity(identity),
      header(*reinterpret_cast<const InHeader*>(slot->request)),
      is_repeated(is_repeated),
      room(room),
      room_bytes(room_bytes),
      slot_(slot),
      at_(slot->request + sizeof(InHeader)),
      end_(slot->request + header.length - header.extension_words * 8) {}

const char* Call::TakeText() {
  if (at_ >= end_) return nullptr;
  const auto* nul = static_cast<const uint8_t*>(std::memchr(at_, 0, static_cast<size_t>(end_ - at_)));
  if (nul == nullptr) return nullptr;
  const char* text = reinterpret_cast<const char*>(at_);
  at_ = nul + 1;
  return text;
}

const char* Call::TakeName() {
  const char* name = TakeText();
  if (name == nullptr || *name == 0 || std::strchr(name, '/') != nullptr) return nullptr;
  if (std::strcmp(name, ".") == 0 || std::strcmp(name, "..") == 0) return nullptr;
  return name;
}

const uint8_t* Call::TakeBytes(size_t size) {
  if (static_cast<size_t>(end_ - at_) < size) return nullptr;
  const uint8_t* bytes = at_;
  at_ += size;
  return bytes;
}

bool Call::Answer(int device, int error) {
  auto* out = reinterpret_cast<OutHeader*>(slot_->reply);
  out->error = -error;
  // With the mark of a request that is sent again, by which the kernel finds it.
  out->unique = header.unique;
  const size_t body = error == 0 ? reply_bytes_ : 0;
  const size_t data = error == 0 ? data_bytes_ : 0;
  out->length = static_cast<uint32_t>(sizeof(OutHeader) + body + data);
  if (data == 0) {
    slot_->reply_bytes = out->length;
    slot_->state.store(RequestSlot::kAnswered, std::memory_order_release);
  }
  const iovec parts[2] = {{slot_->reply, sizeof(OutHeader) + body}, {const_cast<void*>(data_), data}};
  for (;;) {
    if (writev(device, parts, data == 0 ? 1 : 2) >= 0) {
      was_taken_ = true;
      return true;
    }
    // ENOENT: the kernel does not wait any more (interrupted, or answered by the daemon before).
    if (errno == ENOENT) return true;
    if (errno != EINTR) return errno != ENODEV && errno != ECONNABORTED;
  }
}

}  // namespace dunnage::loopback
