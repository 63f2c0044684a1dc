// Makes system calls as it is told, one for each line of its input, and says what came of each: the way for tests to make calls
// that Node does not offer, as any user, and from several processes.
//
//   in    <call> <word>...        words are percent-encoded; numbers may be names (O_CREAT|O_EXCL)
//   out   <value>, or the name of an errno (EACCES)
//
// The calls are in the other files, by topic. A request that makes no sense ends the program with status 2.
#include <csignal>
#include <iostream>
#include <sstream>

#include "calls.h"

int main() {
  using namespace syscalls;
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  CallTable table;
  add_process_calls(table);
  add_name_calls(table);
  add_directory_calls(table);
  add_attribute_calls(table);
  add_xattr_calls(table);
  add_file_calls(table);
  add_memory_calls(table);
  add_lock_calls(table);
  add_socket_calls(table);
  add_watch_calls(table);
  std::string line;
  while (std::getline(std::cin, line)) {
    std::istringstream stream(line);
    std::string name, word;
    stream >> name;
    std::vector<std::string> words;
    while (stream >> word) words.push_back(word);
    const auto call = table.find(name);
    if (call == table.end()) refuse("unknown call " + name);
    std::cout << call->second(Words(std::move(words))) << std::endl;
  }
  return 0;
}
