// Texts, data and numbers of requests and replies.
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "calls.h"
#include "constants.h"

namespace syscalls {
namespace {

bool is_plain(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || std::strchr("_-./:,@", c) != nullptr;
}

std::string encode_byte(char c) {
  if (c != '\0' && is_plain(c)) return std::string(1, c);
  char text[4];
  std::snprintf(text, sizeof text, "%%%02x", static_cast<unsigned char>(c));
  return text;
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::size_t from = 0;
  for (;;) {
    const std::size_t to = text.find(separator, from);
    parts.push_back(text.substr(from, to - from));
    if (to == std::string::npos) return parts;
    from = to + 1;
  }
}

long long one_number(const std::string& text) {
  char* end = nullptr;
  const long long value = std::strtoll(text.c_str(), &end, 0);
  if (!text.empty() && *end == '\0') return value;
  long long constant = 0;
  if (find_constant(text, constant)) return constant;
  refuse("unknown number " + text);
}

}  // namespace

void refuse(const std::string& what) {
  std::fprintf(stderr, "syscalls: %s\n", what.c_str());
  std::exit(2);
}

std::string error_name() {
  const char* name = strerrorname_np(errno);
  return name != nullptr ? name : "E" + std::to_string(errno);
}

std::string result(long long value) { return value < 0 ? error_name() : std::to_string(value); }

std::string encode(std::string_view text) {
  std::string encoded;
  for (const char c : text) encoded += encode_byte(c);
  return encoded;
}

std::string decode(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%' || i + 2 >= text.size()) {
      decoded += text[i];
      continue;
    }
    decoded += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
    i += 2;
  }
  return decoded;
}

// Runs of more than 8 equal bytes are written `<byte>*<times>`.
std::string encode_data(std::string_view data) {
  std::string encoded, plain;
  const auto add = [&](const std::string& part) {
    if (!encoded.empty()) encoded += '+';
    encoded += part;
  };
  for (std::size_t i = 0; i < data.size();) {
    std::size_t run = 1;
    while (i + run < data.size() && data[i + run] == data[i]) ++run;
    if (run > 8) {
      if (!plain.empty()) add(plain);
      plain.clear();
      add(encode_byte(data[i]) + "*" + std::to_string(run));
    } else {
      for (std::size_t j = 0; j < run; ++j) plain += encode_byte(data[i]);
    }
    i += run;
  }
  if (!plain.empty()) add(plain);
  return encoded.empty() ? "empty" : encoded;
}

std::string Words::text(std::size_t index) const { return decode(raw(index)); }

long long Words::number(std::size_t index) const {
  if (!has(index)) return 0;
  long long value = 0;
  for (const std::string& part : split(words_[index], '|')) value |= one_number(part);
  return value;
}

Path Words::path(std::size_t index) const {
  const std::string word = raw(index);
  if (word.size() < 2 || word[0] != '@') return {-100 /* AT_FDCWD */, word == "''" ? "" : decode(word)};
  const std::size_t slash = word.find('/');
  const int directory = std::atoi(word.c_str() + 1);
  return {directory, slash == std::string::npos ? "" : decode(std::string_view(word).substr(slash + 1))};
}

std::string Words::data(std::size_t index) const {
  if (raw(index) == "empty") return "";
  std::string data;
  for (const std::string& part : split(raw(index), '+')) {
    const std::size_t star = part.find('*');
    if (star == std::string::npos) {
      data += decode(part);
    } else {
      data.append(static_cast<std::size_t>(std::atoll(part.c_str() + star + 1)), decode(part.substr(0, star))[0]);
    }
  }
  return data;
}

}  // namespace syscalls
