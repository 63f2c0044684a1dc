#include "entries.h"

#include <utility>

namespace dunnage::holder {
namespace {

constexpr size_t kEntriesMax = 64;
constexpr size_t kNameBytesMax = 255;
constexpr size_t kRecordBytesMax = 4096;

}  // namespace

bool Entries::Put(const std::string& name, std::string record, FileDescriptor descriptor) {
  if (name.empty() || name.size() > kNameBytesMax || record.size() > kRecordBytesMax) return false;
  if (entries_.size() >= kEntriesMax && !entries_.contains(name)) return false;
  entries_.insert_or_assign(name, Entry{std::move(record), std::move(descriptor)});
  return true;
}

}  // namespace dunnage::holder
