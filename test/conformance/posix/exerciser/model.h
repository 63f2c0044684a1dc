// The file as it should be: plain bytes in memory.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace exerciser {

constexpr std::size_t size_max = 384 * 1024;

class Model {
 public:
  std::size_t size() const { return bytes_.size(); }
  const char* at(std::size_t offset) const { return bytes_.data() + offset; }

  void write(std::size_t offset, const std::string& data) {
    if (offset + data.size() > bytes_.size()) bytes_.resize(offset + data.size(), '\0');
    std::copy(data.begin(), data.end(), bytes_.begin() + static_cast<std::ptrdiff_t>(offset));
  }
  void resize(std::size_t size) { bytes_.resize(size, '\0'); }
  void zero(std::size_t offset, std::size_t length) {
    if (offset >= bytes_.size()) return;
    std::memset(bytes_.data() + offset, 0, std::min(length, bytes_.size() - offset));
  }
  void take_out(std::size_t offset, std::size_t length) {
    const auto from = bytes_.begin() + static_cast<std::ptrdiff_t>(offset);
    bytes_.erase(from, from + static_cast<std::ptrdiff_t>(length));
  }
  void put_in(std::size_t offset, std::size_t length) {
    bytes_.insert(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), length, '\0');
  }
  std::string copy(std::size_t offset, std::size_t length) const { return std::string(at(offset), length); }

 private:
  std::vector<char> bytes_;
};

// xorshift64*: the same numbers for the same seed everywhere.
class Chance {
 public:
  explicit Chance(std::uint64_t seed) : state_(seed * 2685821657736338717ULL + 88172645463325252ULL) {}
  std::size_t below(std::size_t limit) { return limit == 0 ? 0 : static_cast<std::size_t>(next() % limit); }

 private:
  std::uint64_t next() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 2685821657736338717ULL;
  }
  std::uint64_t state_;
};

}  // namespace exerciser
