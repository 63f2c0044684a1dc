// A batch: system calls to be made in one directory beneath the base, in order, until one fails. The wire format is in
// native/README.md.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "../file-descriptor.h"
#include "view-keeper.h"

namespace dunnage::agent {

enum class OperationKind : uint8_t {
  kMakeDirectory = 1,
  kSymlink = 2,
  kRename = 3,
  kUnlink = 4,
  kRemoveDirectory = 5,
  kMakeFile = 6,
  kModify = 7,
  kChangeMode = 8,
  kAttach = 9,
  kDetach = 10,
  kTmpfs = 11,
  kBind = 12,
  kUnmount = 13,
  kHide = 14,
};

struct Operation {
  OperationKind kind;
  uint32_t mode;
  std::string name;    // a single path component; an absolute path for kTmpfs and what follows it
  std::string second;  // symlink: the link's text; rename: the new name, a single component too; attach: an absolute path;
                       // tmpfs: options; bind: the source
};

struct Batch {
  uint32_t id;
  std::string directory;
  std::vector<Operation> operations;
};

// Empty if the bytes are not exactly one batch.
std::optional<Batch> DecodeBatch(std::string_view payload);

// What a batch came to, and what it worked on. The descriptors pin the file system against an unmount: let go of them when
// the reply is out.
struct BatchRun {
  // 0 or the errno of each operation that was tried; the last is the failed one, if any.
  std::vector<int32_t> outcomes;
  std::shared_ptr<const FileDescriptor> view;
  FileDescriptor directory;
};

BatchRun RunBatch(const Batch& batch, const char* base, ViewKeeper* views);

// After a rename: has the kernel ask now, when nobody waits, what the next swap in that directory needs to know, the attributes
// of the directory. Whether a name is absent it asks again in any case when the name is to be made.
void LookAhead(const Batch& batch, const BatchRun& run);

// The whole frame, with its length in front.
std::string EncodeReply(uint32_t id, const std::vector<int32_t>& outcomes);

}  // namespace dunnage::agent
