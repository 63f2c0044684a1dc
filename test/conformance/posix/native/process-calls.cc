// Who calls, from where, and with what limits.
#include <grp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <climits>

#include "calls.h"

namespace syscalls {
namespace {

// The saved user stays root, so that the next line can be somebody else's. The kernel decides by the other two, and by the
// effective capabilities, which go with the effective user.
std::string become(const Words& words) {
  if (setresuid(0, 0, 0) != 0) return error_name();
  std::vector<gid_t> groups;
  for (std::size_t i = 2; i < words.count(); ++i) groups.push_back(static_cast<gid_t>(words.number(i)));
  const auto group = static_cast<gid_t>(words.number(1));
  const auto user = static_cast<uid_t>(words.number(0));
  if (setgroups(groups.size(), groups.data()) != 0 || setresgid(group, group, 0) != 0) return error_name();
  if (user != 0 && setresuid(user, user, 0) != 0) return error_name();
  // A change of user hides /proc/self from that user.
  return result(prctl(PR_SET_DUMPABLE, 1));
}

std::string limit_size(const Words& words) {
  rlimit limit{};
  getrlimit(RLIMIT_FSIZE, &limit);
  limit.rlim_cur = words.has(0) ? static_cast<rlim_t>(words.number(0)) : limit.rlim_max;
  return result(setrlimit(RLIMIT_FSIZE, &limit));
}

/** As the program was when it started: for the next test. */
std::string reset(const Words&) {
  forget_streams();
  forget_mappings();
  if (close_range(3, ~0U, 0) != 0 || chdir("/") != 0) return error_name();
  umask(0);
  const std::string limit = limit_size(Words({}));
  return limit == "0" ? become(Words({"0", "0"})) : limit;
}

std::string run_program(const Words& words) {
  const Path path = words.path(0);
  int pipe_ends[2];
  if (pipe(pipe_ends) != 0) return error_name();
  const pid_t child = fork();
  if (child < 0) return error_name();
  if (child == 0) {
    const uid_t user = geteuid();
    if (user != 0 && setresuid(user, user, user) != 0) _exit(125);
    dup2(pipe_ends[1], STDOUT_FILENO);
    const std::string text = path.directory >= 0 ? "/proc/self/fd/" + std::to_string(path.directory) : path.text;
    char* const arguments[] = {const_cast<char*>(text.c_str()), nullptr};
    execv(text.c_str(), arguments);
    const std::string name = error_name();
    if (write(STDOUT_FILENO, name.data(), name.size()) < 0) _exit(126);
    _exit(127);
  }
  close(pipe_ends[1]);
  std::string output;
  char buffer[512];
  for (ssize_t got; (got = read(pipe_ends[0], buffer, sizeof buffer)) > 0;) output.append(buffer, static_cast<std::size_t>(got));
  close(pipe_ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return code == 127 ? output : "exit=" + std::to_string(code) + " output=" + encode(output);
}

/** Waits until the clock that file systems take their times from has moved on. */
std::string next_tick(const Words&) {
  timespec start, now;
  clock_gettime(CLOCK_REALTIME_COARSE, &start);
  do {
    usleep(500);
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
  } while (now.tv_sec == start.tv_sec && now.tv_nsec == start.tv_nsec);
  return "0";
}

std::string working_directory(const Words&) {
  char path[PATH_MAX];
  return getcwd(path, sizeof path) == nullptr ? error_name() : encode(path);
}

}  // namespace

void add_process_calls(CallTable& table) {
  table["as"] = become;
  table["umask"] = [](const Words& words) { return result(umask(static_cast<mode_t>(words.number(0)))); };
  table["chdir"] = [](const Words& words) {
    const Path path = words.path(0);
    return result(path.directory >= 0 ? fchdir(path.directory) : chdir(path.c_str()));
  };
  table["getcwd"] = working_directory;
  table["exec"] = run_program;
  table["tick"] = next_tick;
  table["pid"] = [](const Words&) { return std::to_string(getpid()); };
  table["limit-size"] = limit_size;
  table["reset"] = reset;
}

}  // namespace syscalls
