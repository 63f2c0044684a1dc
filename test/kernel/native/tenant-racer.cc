// A hostile tenant: threads that rename, link, replace and swap what is in the directories of an alloc, at random and without end.
//
//   tenant-racer ROOT OUTSIDE THREADS
//
// ROOT is the directory of the alloc, which becomes their root; OUTSIDE the absolute path of a directory that nobody may be led to. Works until it is killed.
// Every name that is used is one of a few, so that threads and who is attacked meet often.
#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr unsigned kExchange = 2;

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15ULL + 1) {}
  uint32_t Below(uint32_t bound) {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return static_cast<uint32_t>((state_ >> 11) % bound);
  }
  const std::string& Of(const std::vector<std::string>& values) { return values[Below(static_cast<uint32_t>(values.size()))]; }

 private:
  uint64_t state_;
};

struct Names {
  std::string root;
  std::vector<std::string> directories;
  std::vector<std::string> names;
  std::vector<std::string> targets;
};

// The tree is put right now and then: racing in an empty one shows nothing.
void Rebuild(const Names& all) {
  for (const char* path : {"/alloc", "/alloc/data", "/alloc/logs", "/web", "/web/local", "/web/local/a", "/web/local/a/b"}) {
    const std::string directory = all.root + path;
    struct stat found;
    if (lstat(directory.c_str(), &found) == 0 && !S_ISDIR(found.st_mode)) unlink(directory.c_str());
    mkdir(directory.c_str(), 0777);
  }
}

// Not into a secret that the name is a link of: it must stay what it is, to be recognised.
void WriteFile(const std::string& path, Random& random) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_APPEND, 0666);
  if (file < 0) return;
  struct stat found;
  if (fstat(file, &found) == 0 && S_ISREG(found.st_mode) && found.st_nlink == 1) {
    if (random.Below(2) == 0 && ftruncate(file, 0) != 0) std::perror("ftruncate");
    if (write(file, "tenant\n", 7) < 0) std::perror("write");
  }
  close(file);
}

void Act(const Names& all, Random& random) {
  const std::string one = all.root + random.Of(all.directories) + "/" + random.Of(all.names);
  const std::string two = all.root + random.Of(all.directories) + "/" + random.Of(all.names);
  switch (random.Below(14)) {
    case 0:
    case 1:
    case 2:
      unlink(one.c_str());
      if (symlink(random.Of(all.targets).c_str(), one.c_str()) != 0) return;
      return;
    case 3:
    case 4:
      syscall(SYS_renameat2, AT_FDCWD, one.c_str(), AT_FDCWD, two.c_str(), kExchange);
      return;
    case 5:
      rename(one.c_str(), two.c_str());
      return;
    case 6:
      mkdir(one.c_str(), 0777);
      return;
    case 7:
    case 12:
      unlink(one.c_str());
      if (linkat(AT_FDCWD, (all.root + "/web/secrets/key").c_str(), AT_FDCWD, one.c_str(), 0) != 0) return;
      return;
    case 8:
      mkfifo(one.c_str(), 0666);
      return;
    case 9:
      unlink(one.c_str());
      return;
    case 10: {
      // A directory on the way becomes a link that leads out, and back.
      const std::string directory = all.root + random.Of(all.directories);
      const std::string aside = all.root + "/web/aside" + std::to_string(random.Below(4));
      if (symlink(random.Of(all.targets).c_str(), aside.c_str()) == 0) {
        syscall(SYS_renameat2, AT_FDCWD, directory.c_str(), AT_FDCWD, aside.c_str(), kExchange);
      }
      syscall(SYS_renameat2, AT_FDCWD, directory.c_str(), AT_FDCWD, aside.c_str(), kExchange);
      unlink(aside.c_str());
      return;
    }
    default:
      WriteFile(one, random);
  }
}

[[noreturn]] void Race(const Names& all, uint64_t seed) {
  Random random(seed);
  for (uint32_t round = 0;; ++round) {
    Act(all, random);
    if (round % 64 == 0) Rebuild(all);
  }
}

}  // namespace

int main(int count, char** words) {
  if (count != 4) {
    std::fprintf(stderr, "usage: tenant-racer ROOT OUTSIDE THREADS\n");
    return 2;
  }
  const std::string outside = words[2];
  Names all{
      "",
      {"/web/local", "/web/local/a", "/web/local/a/b", "/alloc/data", "/alloc/logs", "/alloc"},
      {"a", "b", "c", "canary", "key", "data", "logs", "web.stdout", "web.stdout.0", "web.stdout.1", "web.stdout.2", "web.stderr.0"},
      {outside, outside + "/canary", "..", "../..", "../../..", "../../../..", "../../../outside/canary",
       "../../../../outside", "a", "b", "../secrets", "../../secrets/key", "../../web/secrets/key", "../local/a", "/", "/etc/passwd"},
  };
  // As in a container: what a link of theirs means to tenants themselves stays within the alloc.
  if (chroot(words[1]) != 0 || chdir("/") != 0) {
    std::perror("chroot");
    return 1;
  }
  // Not root: they may link the secret, and not take it out of its directory.
  if (setgroups(0, nullptr) != 0 || setgid(65534) != 0 || setuid(65534) != 0) {
    std::perror("setuid");
    return 1;
  }
  umask(0);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < std::atoi(words[3]); ++thread) threads.emplace_back([&all, thread] { Race(all, thread + 1); });
  std::printf("ready\n");
  std::fflush(stdout);
  for (std::thread& thread : threads) thread.join();
}
