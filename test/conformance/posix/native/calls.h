// What the parts of the program `syscalls` share: words of a request, numbers by name, data in short notation, and the table
// of calls that each part adds to. See main.cc for what the program is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace syscalls {

/** A path and the directory that it starts from: `@7/name` starts from descriptor 7, `@7` is that descriptor itself. */
struct Path {
  int directory;
  std::string text;
  const char* c_str() const { return text.c_str(); }
};

/** The words after the name of the call. A word that lacks is empty, and 0 as a number. */
class Words {
 public:
  explicit Words(std::vector<std::string> words) : words_(std::move(words)) {}
  std::size_t count() const { return words_.size(); }
  bool has(std::size_t index) const { return index < words_.size(); }
  /** As it came, still encoded. */
  std::string raw(std::size_t index) const { return has(index) ? words_[index] : std::string(); }
  /** Percent signs decoded. */
  std::string text(std::size_t index) const;
  /** A number in C's notation, or names of constants, joined by `|`. An unknown name ends the program: a test is wrong. */
  long long number(std::size_t index) const;
  int integer(std::size_t index) const { return static_cast<int>(number(index)); }
  Path path(std::size_t index) const;
  /** Data: parts joined by `+`, each percent-encoded text or `<byte>*<times>`. */
  std::string data(std::size_t index) const;

 private:
  std::vector<std::string> words_;
};

/** Runs a call and says what came of it: a value, or the name of an errno. */
using Call = std::function<std::string(const Words&)>;
using CallTable = std::map<std::string, Call, std::less<>>;

void add_process_calls(CallTable& table);
void add_name_calls(CallTable& table);
void add_directory_calls(CallTable& table);
void add_attribute_calls(CallTable& table);
void add_xattr_calls(CallTable& table);
void add_file_calls(CallTable& table);
void add_memory_calls(CallTable& table);
void add_lock_calls(CallTable& table);
void add_socket_calls(CallTable& table);
void add_watch_calls(CallTable& table);

/** For `reset`: what the program still has of earlier calls. */
void forget_streams();
void forget_mappings();

/** The name of errno. */
std::string error_name();
/** The value, or the name of errno if it is negative. */
std::string result(long long value);
std::string encode(std::string_view text);
/** The notation of `Words::data`. */
std::string encode_data(std::string_view data);
std::string decode(std::string_view text);
[[noreturn]] void refuse(const std::string& what);

}  // namespace syscalls
