// Directories: read from the start, in pieces, and from a remembered place; and a great many names at once.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "calls.h"

namespace syscalls {
namespace {

std::map<long long, DIR*>& streams() {
  static std::map<long long, DIR*> open_streams;
  return open_streams;
}

DIR* stream(const Words& words) {
  const auto found = streams().find(words.number(0));
  if (found == streams().end()) refuse("no such directory stream");
  return found->second;
}

DIR* open_stream(const Path& path) {
  const int fd = openat(path.directory, path.text.empty() ? "." : path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return fd < 0 ? nullptr : fdopendir(fd);
}

std::string open_directory(const Words& words) {
  static long long next = 1;
  DIR* const opened = open_stream(words.path(0));
  if (opened == nullptr) return error_name();
  streams()[next] = opened;
  return std::to_string(next++);
}

bool is_dots(const char* name) { return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0')); }

std::string join(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : " ") + name;
  return names.empty() ? "none" : text;
}

// readdir STREAM COUNT: the next names; the dots count as names here.
std::string read_some(const Words& words) {
  DIR* const directory = stream(words);
  std::vector<std::string> names;
  for (long long left = words.number(1); left > 0; --left) {
    errno = 0;
    const dirent* const entry = readdir(directory);
    if (entry == nullptr && errno != 0) return error_name();
    if (entry == nullptr) break;
    names.push_back(encode(entry->d_name));
  }
  return join(names);
}

char type_letter(unsigned char type) {
  switch (type) {
    case DT_REG: return 'f';
    case DT_DIR: return 'd';
    case DT_LNK: return 'l';
    case DT_FIFO: return 'p';
    case DT_SOCK: return 's';
    case DT_CHR: return 'c';
    case DT_BLK: return 'b';
    default: return '?';
  }
}

template <typename Visit>
bool for_each(const Path& path, const Visit& visit) {
  DIR* const directory = open_stream(path);
  if (directory == nullptr) return false;
  errno = 0;
  for (const dirent* entry; (entry = readdir(directory)) != nullptr; errno = 0) {
    if (!is_dots(entry->d_name)) visit(dirfd(directory), *entry);
  }
  const int error = errno;
  closedir(directory);
  errno = error;
  return error == 0;
}

// list PATH: all names in order, each with the letter of its type.
std::string list(const Words& words) {
  std::vector<std::string> names;
  const auto add = [&](int, const dirent& entry) { names.push_back(encode(entry.d_name) + ":" + type_letter(entry.d_type)); };
  if (!for_each(words.path(0), add)) return error_name();
  std::sort(names.begin(), names.end());
  return join(names);
}

// count PATH: how many names; a name that came twice is an error.
std::string count(const Words& words) {
  std::set<std::string> names;
  std::size_t all = 0;
  const auto add = [&](int, const dirent& entry) {
    names.insert(entry.d_name);
    ++all;
  };
  if (!for_each(words.path(0), add)) return error_name();
  return all == names.size() ? std::to_string(all) : "twice";
}

// agree PATH: whether what the directory says of each name (inode, type) is what stat says.
std::string agree(const Words& words) {
  std::string wrong;
  const auto look = [&](int directory, const dirent& entry) {
    struct stat st;
    if (fstatat(directory, entry.d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || st.st_ino != entry.d_ino ||
        IFTODT(st.st_mode) != entry.d_type) {
      wrong += " " + encode(entry.d_name);
    }
  };
  if (!for_each(words.path(0), look)) return error_name();
  return wrong.empty() ? "yes" : "no:" + wrong;
}

// fill PATH PREFIX FROM TO: empty files. clear PATH PREFIX FROM TO: unlinks them.
template <typename Act>
std::string many(const Words& words, const Act& act) {
  const Path path = words.path(0);
  const int directory = openat(path.directory, path.text.empty() ? "." : path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return error_name();
  const std::string prefix = words.text(1);
  std::string answer = "0";
  for (long long i = words.number(2); i < words.number(3) && answer == "0"; ++i) {
    if (!act(directory, (prefix + std::to_string(i)).c_str())) answer = error_name();
  }
  close(directory);
  return answer;
}

}  // namespace

void forget_streams() {
  for (const auto& [number, directory] : streams()) closedir(directory);
  streams().clear();
}

void add_directory_calls(CallTable& table) {
  table["opendir"] = open_directory;
  table["readdir"] = read_some;
  table["telldir"] = [](const Words& words) { return std::to_string(telldir(stream(words))); };
  table["seekdir"] = [](const Words& words) {
    seekdir(stream(words), words.number(1));
    return std::string("0");
  };
  table["rewinddir"] = [](const Words& words) {
    rewinddir(stream(words));
    return std::string("0");
  };
  table["closedir"] = [](const Words& words) {
    DIR* const directory = stream(words);
    streams().erase(words.number(0));
    return result(closedir(directory));
  };
  table["list"] = list;
  table["count"] = count;
  table["agree"] = agree;
  table["fill"] = [](const Words& words) {
    return many(words, [](int directory, const char* name) {
      const int fd = openat(directory, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
      return fd >= 0 && close(fd) == 0;
    });
  };
  table["clear"] = [](const Words& words) {
    return many(words, [](int directory, const char* name) { return unlinkat(directory, name, 0) == 0; });
  };
}

}  // namespace syscalls
