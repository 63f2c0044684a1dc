// Owns one descriptor and closes it at the end of its life.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <string>
#include <utility>

namespace dunnage {

class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int number) : number_(number) {}
  FileDescriptor(FileDescriptor&& other) noexcept : number_(other.Release()) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    if (this != &other) {
      Close();
      number_ = other.Release();
    }
    return *this;
  }
  ~FileDescriptor() { Close(); }

  // Another number for the same open file; invalid (with errno set) if that fails.
  static FileDescriptor Duplicate(int number) { return FileDescriptor(fcntl(number, F_DUPFD_CLOEXEC, 3)); }

  bool valid() const { return number_ >= 0; }
  int get() const { return number_; }
  int Release() { return std::exchange(number_, -1); }
  void Close() {
    // Linux frees the number even if close(2) fails, so there is nothing to repeat.
    if (number_ >= 0) close(Release());
  }

 private:
  int number_ = -1;
};

// Leads to the very object of the descriptor, of whatever kind that is (O_PATH, a link), whatever has become of its name.
inline std::string DescriptorPath(int number) { return "/proc/self/fd/" + std::to_string(number); }

}  // namespace dunnage
