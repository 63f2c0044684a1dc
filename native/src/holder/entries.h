// The descriptors the holder keeps, each with its name and a record the daemon wants back with it.
#pragma once

#include <map>
#include <string>

#include "../file-descriptor.h"

namespace dunnage::holder {

struct Entry {
  std::string record;
  FileDescriptor descriptor;
};

class Entries {
 public:
  // False if a limit forbids it. Replaces the entry of that name.
  bool Put(const std::string& name, std::string record, FileDescriptor descriptor);
  // Gives every descriptor up: where a /dev/fuse has no other owner, this aborts its connection.
  void CloseAll() { entries_.clear(); }
  const std::map<std::string, Entry>& all() const { return entries_; }

 private:
  std::map<std::string, Entry> entries_;
};

}  // namespace dunnage::holder
