#include "batch.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "../file-descriptor.h"
#include "mounts.h"
#include "view.h"

namespace dunnage::agent {
namespace {

// Reads little-endian fields in order; after one that does not fit, everything is empty and `ok` false.
class FieldReader {
 public:
  explicit FieldReader(std::string_view bytes) : rest_(bytes) {}

  uint32_t Number(size_t width) {
    const std::string_view bytes = Take(width);
    uint32_t value = 0;
    for (size_t index = 0; index < bytes.size(); index++) {
      value |= static_cast<uint32_t>(static_cast<uint8_t>(bytes[index])) << (8 * index);
    }
    return value;
  }

  std::string Text() {
    const std::string_view bytes = Take(Number(2));
    if (bytes.find('\0') != std::string_view::npos) ok_ = false;
    return std::string(bytes);
  }

  bool ok() const { return ok_; }
  bool AtEnd() const { return ok_ && rest_.empty(); }

 private:
  std::string_view Take(size_t length) {
    if (!ok_ || length > rest_.size()) {
      ok_ = false;
      return {};
    }
    const std::string_view taken = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return taken;
  }

  std::string_view rest_;
  bool ok_ = true;
};

void AppendNumber(std::string* bytes, uint32_t value, size_t width) {
  for (size_t index = 0; index < width; index++) bytes->push_back(static_cast<char>(value >> (8 * index)));
}

// With a single component the *at calls cannot leave the directory, whatever links there are.
bool IsComponent(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos;
}

// One write(2) of one byte, which the file system takes as "the content has changed" and does not store: watchers get
// IN_OPEN, IN_MODIFY and IN_CLOSE_WRITE.
int Modify(int directory, const char* name) {
  const FileDescriptor file(openat(directory, name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file.valid()) return errno;
  ssize_t written;
  do {
    written = pwrite(file.get(), "", 1, 0);
  } while (written < 0 && errno == EINTR);
  if (written < 0) return errno;
  return written == 1 ? 0 : EIO;
}

int RunOperation(int directory, const Operation& operation) {
  const char* name = operation.name.c_str();
  const char* second = operation.second.c_str();
  if (!IsComponent(operation.name)) return EINVAL;
  int result = 0;
  switch (operation.kind) {
    case OperationKind::kMakeDirectory:
      result = mkdirat(directory, name, operation.mode & 07777);
      break;
    case OperationKind::kSymlink:
      result = symlinkat(second, directory, name);
      break;
    case OperationKind::kRename:
      if (!IsComponent(operation.second)) return EINVAL;
      result = renameat(directory, name, directory, second);
      break;
    case OperationKind::kUnlink:
      result = unlinkat(directory, name, 0);
      break;
    case OperationKind::kRemoveDirectory:
      result = unlinkat(directory, name, AT_REMOVEDIR);
      break;
    case OperationKind::kMakeFile:
      result = mknodat(directory, name, S_IFREG | (operation.mode & 07777), 0);
      break;
    case OperationKind::kModify:
      return Modify(directory, name);
    case OperationKind::kChangeMode:
      result = fchmodat(directory, name, operation.mode & 07777, 0);
      break;
    case OperationKind::kAttach:
    case OperationKind::kDetach:
    case OperationKind::kTmpfs:
    case OperationKind::kBind:
    case OperationKind::kUnmount:
    case OperationKind::kHide:
      return EINVAL;  // not of a directory: see RunMountOperation and RunPathOperations
  }
  return result == 0 ? 0 : errno;
}

bool IsMountOperation(OperationKind kind) { return kind == OperationKind::kAttach || kind == OperationKind::kDetach; }

// By path, on the mounts themselves and not on a view of them. Nobody but the daemon makes names there.
int RunMountOperation(const char* base, const Operation& operation) {
  if (!IsComponent(operation.name)) return EINVAL;
  const std::string path = std::string(base) + "/" + operation.name;
  if (operation.kind == OperationKind::kDetach) {
    return umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0 ? 0 : errno;
  }
  if (operation.second.empty() || operation.second[0] != '/') return EINVAL;
  return mount(path.c_str(), operation.second.c_str(), nullptr, MS_BIND, nullptr) == 0 ? 0 : errno;
}

bool IsPathOperation(OperationKind kind) { return kind >= OperationKind::kTmpfs; }

// A batch is of these operations alone, or has none: they need no directory.
void RunPathOperations(const Batch& batch, const char* base, BatchRun* run) {
  std::vector<std::string> hidden;
  for (const Operation& operation : batch.operations) {
    int error = EINVAL;
    switch (operation.kind) {
      case OperationKind::kHide:
        hidden.push_back(operation.name);
        error = 0;
        break;
      case OperationKind::kTmpfs:
        error = MountTmpfs(base, operation.name, operation.second, operation.mode);
        break;
      case OperationKind::kBind:
        error = Bind(base, operation.second, operation.name, operation.mode, hidden);
        break;
      case OperationKind::kUnmount:
        error = Unmount(base, operation.name, operation.mode);
        break;
      default:
        break;
    }
    run->outcomes.push_back(error);
    if (error != 0) return;
  }
}

}  // namespace

std::optional<Batch> DecodeBatch(std::string_view payload) {
  FieldReader reader(payload);
  Batch batch;
  batch.id = reader.Number(4);
  batch.directory = reader.Text();
  const uint32_t count = reader.Number(2);
  for (uint32_t index = 0; index < count && reader.ok(); index++) {
    const uint32_t kind = reader.Number(1);
    if (kind < 1 || kind > 14) return std::nullopt;
    Operation operation{static_cast<OperationKind>(kind), 0, "", ""};
    operation.mode = reader.Number(4);
    operation.name = reader.Text();
    operation.second = reader.Text();
    batch.operations.push_back(std::move(operation));
  }
  if (!reader.AtEnd()) return std::nullopt;
  return batch;
}

BatchRun RunBatch(const Batch& batch, const char* base, ViewKeeper* views) {
  BatchRun run;
  if (batch.operations.empty()) return run;
  if (IsPathOperation(batch.operations.front().kind)) {
    RunPathOperations(batch, base, &run);
    return run;
  }
  run.view = views->Take();
  if (run.view->valid()) run.directory = OpenDirectoryBeneath(run.view->get(), batch.directory);
  if (!run.directory.valid()) {
    run.outcomes.push_back(errno);
    views->Drop();
    return run;
  }
  for (const Operation& operation : batch.operations) {
    const int error = IsMountOperation(operation.kind) ? RunMountOperation(base, operation)
                                                       : RunOperation(run.directory.get(), operation);
    run.outcomes.push_back(error);
    if (error != 0) {
      views->Drop();
      break;
    }
  }
  return run;
}

void LookAhead(const Batch& batch, const BatchRun& run) {
  if (batch.operations.empty() || run.outcomes.size() < batch.operations.size() || run.outcomes.back() != 0) return;
  const Operation& last = batch.operations.back();
  struct stat ignored;
  if (last.kind == OperationKind::kRename) fstatat(run.directory.get(), "", &ignored, AT_EMPTY_PATH);
}

std::string EncodeReply(uint32_t id, const std::vector<int32_t>& outcomes) {
  std::string frame;
  AppendNumber(&frame, static_cast<uint32_t>(4 + 2 + 4 * outcomes.size()), 4);
  AppendNumber(&frame, id, 4);
  AppendNumber(&frame, static_cast<uint32_t>(outcomes.size()), 2);
  for (const int32_t outcome : outcomes) AppendNumber(&frame, static_cast<uint32_t>(outcome), 4);
  return frame;
}

}  // namespace dunnage::agent
