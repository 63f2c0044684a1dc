#include "caller.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "../file-descriptor.h"

namespace dunnage::loopback {
namespace {

// The list of groups is the only long line.
constexpr size_t kStatusBytesMax = 64 * 1024;

const char* FieldOf(const char* status, const char* name) {
  const char* at = std::strstr(status, name);
  return at == nullptr ? "" : at + std::strlen(name);
}

// Numbers up to the end of the line.
std::vector<uint32_t> NumbersOf(const char* at) {
  std::vector<uint32_t> numbers;
  for (;;) {
    while (*at == ' ' || *at == '\t') at++;
    if (*at < '0' || *at > '9') return numbers;
    char* end = nullptr;
    numbers.push_back(static_cast<uint32_t>(std::strtoul(at, &end, 10)));
    at = end;
  }
}

}  // namespace

Caller::Caller(const Call& call) {
  char path[40];
  snprintf(path, sizeof path, "/proc/%u/status", call.header.process);
  const FileDescriptor file(open(path, O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return;
  std::vector<char> status(kStatusBytesMax);
  size_t length = 0;
  for (ssize_t got; length + 1 < status.size(); length += static_cast<size_t>(got)) {
    got = read(file.get(), status.data() + length, status.size() - 1 - length);
    if (got <= 0) break;
  }
  status[length] = '\0';
  // Real, effective, saved, and the one that counts for files.
  const std::vector<uint32_t> users = NumbersOf(FieldOf(status.data(), "\nUid:"));
  const std::vector<uint32_t> groups = NumbersOf(FieldOf(status.data(), "\nGid:"));
  if (users.size() != 4 || groups.size() != 4) return;
  user_ = users[3];
  groups_ = NumbersOf(FieldOf(status.data(), "\nGroups:"));
  groups_.push_back(groups[3]);
  capabilities_ = std::strtoull(FieldOf(status.data(), "\nCapEff:"), nullptr, 16);
}

bool Caller::Has(int capability) const { return user_ == 0 && (capabilities_ >> capability & 1) != 0; }

bool Caller::IsIn(uint32_t group) const { return std::find(groups_.begin(), groups_.end(), group) != groups_.end(); }

WithSetid::WithSetid(Call& call, const struct stat& file, bool keeps) : identity_(call.identity) {
  identity_.KeepSetid(keeps);
  if (keeps || !HasSetid(file) || (file.st_mode & (S_ISGID | S_IXGRP)) != S_ISGID) return;
  if (Caller(call).IsIn(file.st_gid)) identity_.Become(0, file.st_gid);
}

}  // namespace dunnage::loopback
