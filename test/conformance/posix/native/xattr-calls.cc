// Extended attributes, and access control lists as what they are in the kernel: attributes with a layout of their own.
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <sys/xattr.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <sstream>

#include "calls.h"

namespace syscalls {
namespace {

constexpr std::size_t value_bytes_max = 65536;

bool is_descriptor(const Path& path) { return path.directory >= 0; }

std::string get(const Path& path, const std::string& name, bool follow, std::string& value) {
  value.resize(value_bytes_max);
  const ssize_t length = is_descriptor(path) ? fgetxattr(path.directory, name.c_str(), value.data(), value.size())
                         : follow            ? getxattr(path.c_str(), name.c_str(), value.data(), value.size())
                                             : lgetxattr(path.c_str(), name.c_str(), value.data(), value.size());
  if (length < 0) return error_name();
  value.resize(static_cast<std::size_t>(length));
  return "";
}

std::string set(const Path& path, const std::string& name, const std::string& value, int flags, bool follow) {
  return result(is_descriptor(path) ? fsetxattr(path.directory, name.c_str(), value.data(), value.size(), flags)
                : follow            ? setxattr(path.c_str(), name.c_str(), value.data(), value.size(), flags)
                                    : lsetxattr(path.c_str(), name.c_str(), value.data(), value.size(), flags));
}

std::string list(const Words& words, bool follow) {
  const Path path = words.path(0);
  std::string names(value_bytes_max, '\0');
  const ssize_t length = is_descriptor(path) ? flistxattr(path.directory, names.data(), names.size())
                         : follow            ? listxattr(path.c_str(), names.data(), names.size())
                                             : llistxattr(path.c_str(), names.data(), names.size());
  if (length < 0) return error_name();
  std::vector<std::string> all;
  for (const char* name = names.data(); name < names.data() + length; name += std::strlen(name) + 1) all.push_back(encode(name));
  std::sort(all.begin(), all.end());
  std::string text;
  for (const std::string& name : all) text += (text.empty() ? "" : " ") + name;
  return text.empty() ? "none" : text;
}

struct Entry {
  std::uint16_t tag;
  std::uint16_t permissions;
  std::uint32_t id;
};

// "u::rwx,u:61002:r--,g::r-x,m::rwx,o::---"
std::string encode_acl(const std::string& text) {
  const std::uint32_t version = POSIX_ACL_XATTR_VERSION;
  std::string value(reinterpret_cast<const char*>(&version), sizeof version);
  std::istringstream stream(text);
  std::string part;
  while (std::getline(stream, part, ',')) {
    const std::size_t last = part.rfind(':');
    const std::string id = part.substr(2, last - 2), letters = part.substr(last + 1);
    Entry entry{0, 0, static_cast<std::uint32_t>(ACL_UNDEFINED_ID)};
    switch (part[0]) {
      case 'u': entry.tag = id.empty() ? ACL_USER_OBJ : ACL_USER; break;
      case 'g': entry.tag = id.empty() ? ACL_GROUP_OBJ : ACL_GROUP; break;
      case 'm': entry.tag = ACL_MASK; break;
      case 'o': entry.tag = ACL_OTHER; break;
      default: refuse("no such entry of an access control list: " + part);
    }
    if (!id.empty()) entry.id = static_cast<std::uint32_t>(std::strtoul(id.c_str(), nullptr, 10));
    if (letters.find('r') != std::string::npos) entry.permissions |= ACL_READ;
    if (letters.find('w') != std::string::npos) entry.permissions |= ACL_WRITE;
    if (letters.find('x') != std::string::npos) entry.permissions |= ACL_EXECUTE;
    value.append(reinterpret_cast<const char*>(&entry), sizeof entry);
  }
  return value;
}

std::string decode_acl(const std::string& value) {
  std::string text;
  for (std::size_t at = sizeof(std::uint32_t); at + sizeof(Entry) <= value.size(); at += sizeof(Entry)) {
    Entry entry;
    std::memcpy(&entry, value.data() + at, sizeof entry);
    const bool is_named = entry.tag == ACL_USER || entry.tag == ACL_GROUP;
    const char kind = entry.tag == ACL_USER || entry.tag == ACL_USER_OBJ     ? 'u'
                      : entry.tag == ACL_GROUP || entry.tag == ACL_GROUP_OBJ ? 'g'
                      : entry.tag == ACL_MASK                                ? 'm'
                                                                             : 'o';
    if (!text.empty()) text += ',';
    text += std::string(1, kind) + ":" + (is_named ? std::to_string(entry.id) : "") + ":";
    text += (entry.permissions & ACL_READ) != 0 ? 'r' : '-';
    text += (entry.permissions & ACL_WRITE) != 0 ? 'w' : '-';
    text += (entry.permissions & ACL_EXECUTE) != 0 ? 'x' : '-';
  }
  return text;
}

// `access` or `default` in full.
std::string acl_name(const Words& words) { return "system.posix_acl_" + words.raw(1); }

}  // namespace

void add_xattr_calls(CallTable& table) {
  // setxattr PATH NAME DATA [FLAGS]
  table["setxattr"] = [](const Words& words) {
    return set(words.path(0), words.text(1), words.data(2), words.integer(3), true);
  };
  table["lsetxattr"] = [](const Words& words) {
    return set(words.path(0), words.text(1), words.data(2), words.integer(3), false);
  };
  table["getxattr"] = [](const Words& words) {
    std::string value;
    const std::string error = get(words.path(0), words.text(1), true, value);
    return error.empty() ? encode_data(value) : error;
  };
  table["lgetxattr"] = [](const Words& words) {
    std::string value;
    const std::string error = get(words.path(0), words.text(1), false, value);
    return error.empty() ? encode_data(value) : error;
  };
  // xattr-size PATH NAME BUFFER_BYTES: with a buffer that may be too small; 0 asks for the length.
  table["xattr-size"] = [](const Words& words) {
    std::string buffer(static_cast<std::size_t>(words.number(2)), '\0');
    return result(getxattr(words.path(0).c_str(), words.text(1).c_str(), buffer.data(), buffer.size()));
  };
  table["removexattr"] = [](const Words& words) {
    const Path path = words.path(0);
    const std::string name = words.text(1);
    return result(is_descriptor(path) ? fremovexattr(path.directory, name.c_str()) : removexattr(path.c_str(), name.c_str()));
  };
  table["listxattr"] = [](const Words& words) { return list(words, true); };
  table["llistxattr"] = [](const Words& words) { return list(words, false); };
  // setacl PATH access|default ENTRIES
  table["setacl"] = [](const Words& words) {
    return set(words.path(0), acl_name(words), encode_acl(words.raw(2)), 0, true);
  };
  table["getacl"] = [](const Words& words) {
    std::string value;
    const std::string error = get(words.path(0), acl_name(words), true, value);
    return error.empty() ? decode_acl(value) : error;
  };
  table["removeacl"] = [](const Words& words) {
    return result(removexattr(words.path(0).c_str(), acl_name(words).c_str()));
  };
}

}  // namespace syscalls
