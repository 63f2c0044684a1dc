#include "memory.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>

namespace dunnage::loopback {
namespace {

constexpr uint64_t kHeaderBytes = 4096;
constexpr uint64_t kSealedAt = kHeaderBytes;
constexpr uint64_t kSealedHandlesAt = kSealedAt + Memory::kSealed * sizeof(uint64_t);
constexpr uint64_t kSlotsAt = kSealedHandlesAt + Memory::kSealed * sizeof(FileHandle);
constexpr uint64_t kOpenFilesAt = kSlotsAt + Memory::kSlots * sizeof(RequestSlot);
constexpr uint64_t kNodesAt = kOpenFilesAt + Memory::kOpenFiles * sizeof(OpenFile);
constexpr uint64_t kPlacesAt = kNodesAt + Memory::kNodes * sizeof(Node);
constexpr uint64_t kEnd = kPlacesAt + Memory::kNodes * sizeof(Place);
// Another number for every change of what the memory means.
constexpr uint64_t kLayout = 0x64756e6e'00000003;

}  // namespace

Memory::~Memory() {
  if (base_ != nullptr) munmap(base_, kEnd);
}

uint64_t Memory::SizeBytes() { return kEnd; }

int Memory::Map(int descriptor, bool is_takeover) {
  struct stat status;
  if (fstat(descriptor, &status) != 0) return errno;
  // Touching a page behind the end is SIGBUS.
  if (status.st_size < 0 || static_cast<uint64_t>(status.st_size) < kEnd) return EINVAL;
  void* memory = mmap(nullptr, kEnd, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, descriptor, 0);
  if (memory == MAP_FAILED) return errno;
  base_ = static_cast<uint8_t*>(memory);
  // One core dump would be larger than the disk.
  madvise(base_, kEnd, MADV_DONTDUMP);
  madvise(base_, kEnd, MADV_DONTFORK);
  if (!is_takeover) {
    if (header()->layout != 0) return EINVAL;
    header()->layout = kLayout;
    return 0;
  }
  return header()->layout == kLayout ? 0 : EINVAL;
}

std::atomic<uint64_t>* Memory::sealed() const { return reinterpret_cast<std::atomic<uint64_t>*>(base_ + kSealedAt); }
FileHandle* Memory::sealed_handles() const { return reinterpret_cast<FileHandle*>(base_ + kSealedHandlesAt); }
RequestSlot* Memory::slot(uint32_t index) const { return reinterpret_cast<RequestSlot*>(base_ + kSlotsAt) + index; }
OpenFile* Memory::open_file(uint64_t index) const {
  return reinterpret_cast<OpenFile*>(base_ + kOpenFilesAt) + index;
}
Node* Memory::node(uint64_t index) const { return reinterpret_cast<Node*>(base_ + kNodesAt) + index; }
Place* Memory::place(uint64_t index) const { return reinterpret_cast<Place*>(base_ + kPlacesAt) + index; }

}  // namespace dunnage::loopback
