// Mappings.
#include <sys/mman.h>

#include <csetjmp>
#include <csignal>
#include <cstring>

#include "calls.h"

namespace syscalls {
namespace {

struct Mapping {
  char* address;
  std::size_t length;
};

sigjmp_buf out_of_reach;

std::map<long long, Mapping>& mappings() {
  static std::map<long long, Mapping> all;
  return all;
}

Mapping mapping(const Words& words) {
  const auto found = mappings().find(words.number(0));
  if (found == mappings().end()) refuse("no such mapping");
  return found->second;
}

// mmap FD LENGTH PROT FLAGS [OFFSET]
std::string map(const Words& words) {
  static long long next = 1;
  const auto length = static_cast<std::size_t>(words.number(1));
  void* const address = mmap(nullptr, length, words.integer(2), words.integer(3), words.integer(0), words.number(4));
  if (address == MAP_FAILED) return error_name();
  mappings()[next] = {static_cast<char*>(address), length};
  return std::to_string(next++);
}

void on_signal(int signal) { siglongjmp(out_of_reach, signal); }

// Copies, or says which signal the kernel sent instead.
std::string guarded_copy(char* to, const char* from, std::size_t length) {
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigaction(SIGBUS, &action, nullptr);
  sigaction(SIGSEGV, &action, nullptr);
  const int signal = sigsetjmp(out_of_reach, 1);
  if (signal == 0) std::memcpy(to, from, length);
  std::signal(SIGBUS, SIG_DFL);
  std::signal(SIGSEGV, SIG_DFL);
  return signal == 0 ? "" : signal == SIGBUS ? "SIGBUS" : "SIGSEGV";
}

// peek MAPPING OFFSET LENGTH
std::string peek(const Words& words) {
  std::string data(static_cast<std::size_t>(words.number(2)), '\0');
  const std::string signal = guarded_copy(data.data(), mapping(words).address + words.number(1), data.size());
  return signal.empty() ? encode_data(data) : signal;
}

// poke MAPPING OFFSET DATA
std::string poke(const Words& words) {
  const std::string data = words.data(2);
  const std::string signal = guarded_copy(mapping(words).address + words.number(1), data.data(), data.size());
  return signal.empty() ? "0" : signal;
}

}  // namespace

void forget_mappings() {
  for (const auto& [number, mapped] : mappings()) munmap(mapped.address, mapped.length);
  mappings().clear();
}

void add_memory_calls(CallTable& table) {
  table["mmap"] = map;
  table["peek"] = peek;
  table["poke"] = poke;
  table["msync"] = [](const Words& words) {
    const Mapping mapped = mapping(words);
    return result(msync(mapped.address, mapped.length, words.has(1) ? words.integer(1) : MS_SYNC));
  };
  table["mprotect"] = [](const Words& words) {
    const Mapping mapped = mapping(words);
    return result(mprotect(mapped.address, mapped.length, words.integer(1)));
  };
  table["munmap"] = [](const Words& words) {
    const Mapping mapped = mapping(words);
    mappings().erase(words.number(0));
    return result(munmap(mapped.address, mapped.length));
  };
}

}  // namespace syscalls
