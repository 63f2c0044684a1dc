// One request while it is worked on: its fields, its reply, and what somebody must know who does it a second time.
#pragma once

#include <cstdint>
#include <cstring>

#include "identity.h"
#include "memory.h"
#include "wire.h"

namespace dunnage::loopback {

class Engine;

// What handlers return: 0 (the reply is in the call), a positive errno, or this: the kernel expects no answer.
constexpr int kNoReply = -1;

class Call {
 public:
  // `room`: for replies that may be done anew, READ above all.
  Call(Engine& engine, Identity& identity, RequestSlot* slot, uint8_t* room, size_t room_bytes, bool is_repeated);

  Engine& engine;
  Identity& identity;
  const InHeader& header;
  // Asked for the second time: it may have been done already, and is answered as if for the first time.
  const bool is_repeated;
  uint8_t* const room;
  const size_t room_bytes;

  // The next structure of the request; null if the request is too short.
  template <typename T>
  const T* Take() {
    if (end_ - at_ < static_cast<ptrdiff_t>(sizeof(T))) return nullptr;
    const auto* field = reinterpret_cast<const T*>(at_);
    at_ += sizeof(T);
    return field;
  }
  // The next text; null if it does not end.
  const char* TakeText();
  // A text that is one component of a path: nothing else ever reaches a system call.
  const char* TakeName();
  const uint8_t* TakeBytes(size_t size);

  // The body of a reply that is recorded, so that what was done once is answered the same again.
  template <typename T>
  T* Reply() {
    static_assert(sizeof(OutHeader) + sizeof(T) <= RequestSlot::kReplyBytes);
    T* body = reinterpret_cast<T*>(slot_->reply + sizeof(OutHeader) + reply_bytes_);
    std::memset(body, 0, sizeof(T));
    reply_bytes_ += sizeof(T);
    return body;
  }
  // A reply of any length that is not recorded.
  void ReplyData(const void* data, size_t size) {
    data_ = data;
    data_bytes_ = size;
  }

  // 0: how many lookups were counted (how much was forgotten, of FORGET); 1: the open file; 2 and 3: what was there before.
  std::atomic<uint64_t>& note(int index) { return slot_->notes[index]; }

  // A lookup was counted for the node. There must be room.
  void Counted(uint64_t node) {
    const uint64_t index = note(0);
    slot_->counted[index] = node;
    note(0).store(index + 1, std::memory_order_release);
  }
  bool HasRoomToCount() const { return slot_->notes[0] < RequestSlot::kCountedMost; }

  RequestSlot* slot() const { return slot_; }

  // Writes the answer. False if the connection is over.
  bool Answer(int device, int error);
  // The kernel waited for the answer.
  bool was_taken() const { return was_taken_; }

 private:
  RequestSlot* slot_;
  const uint8_t* at_;
  const uint8_t* end_;
  size_t reply_bytes_ = 0;
  const void* data_ = nullptr;
  size_t data_bytes_ = 0;
  bool was_taken_ = false;
};

}  // namespace dunnage::loopback
