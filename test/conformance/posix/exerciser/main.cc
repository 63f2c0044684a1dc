// Does random things to the content of one file, in every way there is, and compares each read with a model in memory.
//
//   file-exerciser FILE SEED STEPS [shifts]     `shifts`: collapse and insert ranges as well
//
// Exit status 1 and the last steps on stderr if the file is not what it should be.
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <deque>

#include "model.h"

namespace exerciser {
namespace {

constexpr std::size_t page_bytes = 4096;
constexpr std::size_t log_lines_max = 60;

struct Span {
  std::size_t offset;
  std::size_t length;
};

class Exerciser {
 public:
  Exerciser(const char* path, std::uint64_t seed, bool shifts) : path_(path), chance_(seed), shifts_(shifts) {
    open_again(O_CREAT | O_TRUNC);
  }

  void step() {
    switch (chance_.below(shifts_ ? 20 : 18)) {
      case 0: case 1: case 2: return write_some();
      case 3: return write_through_other();
      case 4: case 5: return read_some();
      case 6: return resize();
      case 7: case 8: return write_mapped();
      case 9: return read_mapped();
      case 10: return punch();
      case 11: return zero_range();
      case 12: return allocate();
      case 13: return copy_within();
      case 14: return reopen();
      case 15: return direct();
      case 16: return flush();
      case 17: return find_data();
      case 18: return collapse();
      default: return insert();
    }
  }

  void compare_all() {
    struct stat st;
    if (fstat(fd_, &st) != 0) fail("fstat");
    if (static_cast<std::size_t>(st.st_size) != model_.size())
      wrong("size is " + std::to_string(st.st_size) + " instead of " + std::to_string(model_.size()));
    compare(fd_, {0, model_.size()});
  }

 private:
  void note(const char* what, Span span) {
    log_.push_back(std::string(what) + " " + std::to_string(span.offset) + " +" + std::to_string(span.length) + " (size " +
                   std::to_string(model_.size()) + ")");
    if (log_.size() > log_lines_max) log_.pop_front();
  }

  [[noreturn]] void wrong(const std::string& what) {
    for (const std::string& line : log_) std::fprintf(stderr, "%s\n", line.c_str());
    std::fprintf(stderr, "%s: %s\n", path_, what.c_str());
    std::exit(1);
  }
  [[noreturn]] void fail(const char* call) { wrong(std::string(call) + ": " + std::strerror(errno)); }

  Span inside() {
    const std::size_t offset = chance_.below(model_.size());
    return {offset, 1 + chance_.below(std::min<std::size_t>(model_.size() - offset, 70000))};
  }
  Span anywhere() {
    const std::size_t offset = chance_.below(size_max - 1);
    return {offset, 1 + chance_.below(std::min<std::size_t>(size_max - offset, 70000))};
  }
  std::string fresh(std::size_t length) {
    std::string data(length, '\0');
    for (char& c : data) c = static_cast<char>('A' + chance_.below(50));
    return data;
  }

  void open_again(int flags) {
    if (fd_ >= 0 && close(fd_) != 0) fail("close");
    fd_ = open(path_, O_RDWR | O_CLOEXEC | flags, 0644);
    if (fd_ < 0) fail("open");
  }

  void compare_bytes(const char* got, Span span, const char* how) {
    for (std::size_t i = 0; i < span.length; ++i) {
      if (got[i] == *model_.at(span.offset + i)) continue;
      wrong(std::string(how) + " at " + std::to_string(span.offset + i) + " gives " +
            std::to_string(static_cast<unsigned char>(got[i])) + " instead of " +
            std::to_string(static_cast<unsigned char>(*model_.at(span.offset + i))));
    }
  }
  void compare(int fd, Span span) {
    std::string buffer(span.length + 10, '?');
    const ssize_t got = pread(fd, buffer.data(), span.length, static_cast<off_t>(span.offset));
    if (got < 0) fail("pread");
    if (static_cast<std::size_t>(got) != span.length) wrong("pread gave " + std::to_string(got) + " bytes");
    compare_bytes(buffer.data(), span, "pread");
  }

  void put(int fd, Span span, const char* how) {
    note(how, span);
    const std::string data = fresh(span.length);
    if (pwrite(fd, data.data(), data.size(), static_cast<off_t>(span.offset)) != static_cast<ssize_t>(data.size())) fail(how);
    model_.write(span.offset, data);
  }
  void write_some() { put(fd_, anywhere(), "write"); }
  // A second open file of the same, for one write.
  void write_through_other() {
    const int other = open(path_, O_WRONLY | O_CLOEXEC);
    if (other < 0) fail("second open");
    put(other, anywhere(), "write through another descriptor");
    if (chance_.below(2) == 0 && fsync(other) != 0) fail("fsync");
    if (close(other) != 0) fail("close");
  }
  void read_some() {
    if (model_.size() == 0) return;
    const Span span = inside();
    note("read", span);
    compare(fd_, span);
  }
  void resize() {
    const std::size_t size = chance_.below(size_max);
    note("truncate to", {size, 0});
    if ((chance_.below(2) == 0 ? truncate(path_, static_cast<off_t>(size)) : ftruncate(fd_, static_cast<off_t>(size))) != 0)
      fail("truncate");
    model_.resize(size);
  }

  template <typename Use>
  void map(Span span, int protection, const Use& use) {
    const std::size_t start = span.offset / page_bytes * page_bytes;
    const std::size_t length = span.offset + span.length - start;
    void* const address = mmap(nullptr, length, protection, MAP_SHARED, fd_, static_cast<off_t>(start));
    if (address == MAP_FAILED) fail("mmap");
    use(static_cast<char*>(address) + (span.offset - start));
    if (protection != PROT_READ && chance_.below(3) == 0 && msync(address, length, MS_SYNC) != 0) fail("msync");
    if (munmap(address, length) != 0) fail("munmap");
  }
  void write_mapped() {
    if (model_.size() == 0) return;
    const Span span = inside();
    note("write mapped", span);
    const std::string data = fresh(span.length);
    map(span, PROT_READ | PROT_WRITE, [&](char* memory) { std::memcpy(memory, data.data(), data.size()); });
    model_.write(span.offset, data);
  }
  void read_mapped() {
    if (model_.size() == 0) return;
    const Span span = inside();
    note("read mapped", span);
    map(span, PROT_READ, [&](const char* memory) { compare_bytes(memory, span, "the mapping"); });
  }

  void change_space(int mode, Span span, const char* what) {
    note(what, span);
    if (fallocate(fd_, mode, static_cast<off_t>(span.offset), static_cast<off_t>(span.length)) != 0) fail(what);
  }
  void punch() {
    const Span span = anywhere();
    change_space(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, span, "punch");
    model_.zero(span.offset, span.length);
  }
  void zero_range() {
    const Span span = anywhere();
    const bool keeps = chance_.below(2) == 0;
    change_space(FALLOC_FL_ZERO_RANGE | (keeps ? FALLOC_FL_KEEP_SIZE : 0), span, keeps ? "zero, keeping the size" : "zero");
    if (!keeps) model_.resize(std::max(model_.size(), span.offset + span.length));
    model_.zero(span.offset, span.length);
  }
  void allocate() {
    const Span span = anywhere();
    const bool keeps = chance_.below(2) == 0;
    change_space(keeps ? FALLOC_FL_KEEP_SIZE : 0, span, keeps ? "allocate, keeping the size" : "allocate");
    if (!keeps) model_.resize(std::max(model_.size(), span.offset + span.length));
  }
  void copy_within() {
    if (model_.size() < 2) return;
    const Span from = inside();
    const std::size_t to = chance_.below(size_max - from.length);
    if (to < from.offset + from.length && from.offset < to + from.length) return;
    note("copy from", from);
    note("copy to", {to, from.length});
    loff_t source = static_cast<loff_t>(from.offset), target = static_cast<loff_t>(to);
    const std::string data = model_.copy(from.offset, from.length);
    for (std::size_t left = from.length; left > 0;) {
      const ssize_t copied = copy_file_range(fd_, &source, fd_, &target, left, 0);
      if (copied <= 0) fail("copy_file_range");
      left -= static_cast<std::size_t>(copied);
    }
    model_.write(to, data);
  }
  void reopen() {
    note("open again", {0, 0});
    open_again(0);
    compare_all();
  }
  void direct() {
    const int fd = open(path_, O_RDWR | O_DIRECT | O_CLOEXEC);
    if (fd < 0) fail("open O_DIRECT");
    const std::size_t pages = 1 + chance_.below(8);
    const Span span{chance_.below(size_max / page_bytes - pages) * page_bytes, pages * page_bytes};
    void* memory = nullptr;
    if (posix_memalign(&memory, page_bytes, span.length) != 0) fail("posix_memalign");
    const auto offset = static_cast<off_t>(span.offset);
    if (chance_.below(2) == 0) {
      note("write direct", span);
      const std::string data = fresh(span.length);
      std::memcpy(memory, data.data(), data.size());
      if (pwrite(fd, memory, span.length, offset) != static_cast<ssize_t>(span.length)) fail("direct write");
      model_.write(span.offset, data);
    } else if (span.offset < model_.size()) {
      note("read direct", span);
      const std::size_t there = std::min(span.length, model_.size() - span.offset);
      const ssize_t got = pread(fd, memory, span.length, offset);
      if (got != static_cast<ssize_t>(there)) wrong("direct read gave " + std::to_string(got));
      compare_bytes(static_cast<char*>(memory), {span.offset, there}, "direct read");
    }
    std::free(memory);
    if (close(fd) != 0) fail("close");
  }
  void flush() {
    note("flush", {0, 0});
    if ((chance_.below(2) == 0 ? fsync(fd_) : fdatasync(fd_)) != 0) fail("fsync");
    if (chance_.below(2) == 0) posix_fadvise(fd_, 0, 0, POSIX_FADV_DONTNEED);
  }
  // What lies before the next data is zeros; the end is no data.
  void find_data() {
    if (model_.size() == 0) return;
    const std::size_t from = chance_.below(model_.size());
    note("seek data", {from, 0});
    const off_t found = lseek(fd_, static_cast<off_t>(from), SEEK_DATA);
    if (found < 0 && errno != ENXIO) fail("SEEK_DATA");
    const std::size_t until = found < 0 ? model_.size() : static_cast<std::size_t>(found);
    if (until > model_.size()) wrong("SEEK_DATA beyond the end");
    for (std::size_t i = from; i < until; ++i) {
      if (*model_.at(i) != 0) wrong("SEEK_DATA goes past " + std::to_string(i));
    }
    const off_t hole = lseek(fd_, static_cast<off_t>(from), SEEK_HOLE);
    if (hole < static_cast<off_t>(from) || static_cast<std::size_t>(hole) > model_.size()) wrong("SEEK_HOLE");
  }
  Span pages_inside(std::size_t pages_max) {
    const std::size_t pages = model_.size() / page_bytes;
    if (pages < 3) return {0, 0};
    const std::size_t first = chance_.below(pages - 1);
    const std::size_t count = 1 + chance_.below(std::min(pages_max, pages - first - 1));
    return {first * page_bytes, count * page_bytes};
  }
  void collapse() {
    const Span span = pages_inside(8);
    if (span.length == 0 || span.offset + span.length >= model_.size()) return;
    change_space(FALLOC_FL_COLLAPSE_RANGE, span, "collapse");
    model_.take_out(span.offset, span.length);
  }
  void insert() {
    const Span span = pages_inside(4);
    if (span.length == 0 || model_.size() + span.length > size_max) return;
    change_space(FALLOC_FL_INSERT_RANGE, span, "insert");
    model_.put_in(span.offset, span.length);
  }

  const char* path_;
  Chance chance_;
  bool shifts_;
  Model model_;
  int fd_ = -1;
  std::deque<std::string> log_;
};

}  // namespace
}  // namespace exerciser

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: file-exerciser FILE SEED STEPS [shifts]\n");
    return 2;
  }
  exerciser::Exerciser subject(argv[1], std::strtoull(argv[2], nullptr, 10), argc > 4);
  for (long left = std::atol(argv[3]); left > 0; --left) {
    subject.step();
    if (left % 16 == 0) subject.compare_all();
  }
  subject.compare_all();
  return 0;
}
