// Runs a program as a container does: as root of a user namespace of its own, in a mount namespace of its own.
//
//   container users FIRST DIRECTORY PROGRAM...       ids 0 to 65535 inside are FIRST and on outside
//   container idmapped FIRST DIRECTORY PROGRAM...    as well, and DIRECTORY is an idmapped mount: 0 inside is 0 on its file system
//
// Exit status 3 and a line on stderr if the kernel refuses the idmapped mount.
#include <fcntl.h>
#include <grp.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

constexpr long id_count = 65536;

[[noreturn]] void fail(const char* what, int status = 1) {
  std::fprintf(stderr, "container: %s: %s\n", what, std::strerror(errno));
  std::exit(status);
}

void write_map(pid_t process, const char* file, long first) {
  const std::string path = "/proc/" + std::to_string(process) + "/" + file;
  const std::string map = "0 " + std::to_string(first) + " " + std::to_string(id_count) + "\n";
  const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write(fd, map.data(), map.size()) != static_cast<ssize_t>(map.size())) fail(path.c_str());
  close(fd);
}

// A user namespace with that map, held by a descriptor. A child makes it, since whoever does is in it from then on.
int make_user_namespace(long first) {
  int made[2], done[2];
  if (pipe2(made, O_CLOEXEC) != 0 || pipe2(done, O_CLOEXEC) != 0) fail("pipe");
  const pid_t child = fork();
  if (child < 0) fail("fork");
  char byte = 'x';
  if (child == 0) {
    if (unshare(CLONE_NEWUSER) != 0) fail("unshare");
    if (write(made[1], &byte, 1) != 1) fail("write");
    close(done[1]);
    _exit(read(done[0], &byte, 1) < 0 ? 1 : 0);
  }
  close(made[1]);
  if (read(made[0], &byte, 1) != 1) fail("a user namespace");
  write_map(child, "uid_map", first);
  write_map(child, "gid_map", first);
  const std::string path = "/proc/" + std::to_string(child) + "/ns/user";
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) fail(path.c_str());
  close(done[1]);
  waitpid(child, nullptr, 0);
  return fd;
}

// The directory once more, mounted on itself, for this mount namespace only.
void bind(const char* directory, int idmap) {
  const int tree = static_cast<int>(syscall(SYS_open_tree, AT_FDCWD, directory, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE));
  if (tree < 0) fail("open_tree");
  if (idmap >= 0) {
    mount_attr attributes{};
    attributes.attr_set = MOUNT_ATTR_IDMAP;
    attributes.userns_fd = static_cast<__u64>(idmap);
    if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attributes, sizeof attributes) != 0) fail("idmapped mount", 3);
  }
  if (syscall(SYS_move_mount, tree, "", AT_FDCWD, directory, MOVE_MOUNT_F_EMPTY_PATH) != 0) fail("move_mount");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) {
    std::fprintf(stderr, "usage: container users|idmapped FIRST DIRECTORY PROGRAM...\n");
    return 2;
  }
  const bool idmapped = std::strcmp(argv[1], "idmapped") == 0;
  const int users = make_user_namespace(std::atol(argv[2]));
  if (unshare(CLONE_NEWNS) != 0) fail("unshare");
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) fail("private mounts");
  bind(argv[3], idmapped ? users : -1);
  if (setns(users, CLONE_NEWUSER) != 0) fail("setns");
  if (setgroups(0, nullptr) != 0 || setresgid(0, 0, 0) != 0 || setresuid(0, 0, 0) != 0) fail("root of the namespace");
  prctl(PR_SET_DUMPABLE, 1);
  execv(argv[4], argv + 4);
  fail(argv[4]);
}
