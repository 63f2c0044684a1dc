#include "server.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

namespace dunnage::loopback {
namespace {

constexpr size_t kStackBytes = 256 * 1024;
constexpr size_t kRoomBytes = 1024 * 1024 + 65536;
constexpr int kStopTriesMax = 2000;
constexpr long kStopPauseNs = 1'000'000;

// A signal that nobody else uses, with a handler: one that is ignored interrupts nothing.
int StopSignal() {
  static const int number = [] {
    struct sigaction action {};
    action.sa_handler = [](int) {};
    sigaction(SIGRTMAX - 3, &action, nullptr);
    return SIGRTMAX - 3;
  }();
  return number;
}

uint64_t NowMs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000 + static_cast<uint64_t>(now.tv_nsec) / 1'000'000 + 1;
}

int StartThread(void* (*run)(void*), void* argument) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  // Signals of the process are none of its business.
  sigset_t blocked;
  sigset_t before;
  sigfillset(&blocked);
  sigdelset(&blocked, StopSignal());
  pthread_sigmask(SIG_SETMASK, &blocked, &before);
  pthread_t thread;
  const int error = pthread_create(&thread, &attributes, run, argument);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
  return error;
}

}  // namespace

int Server::Start(uint32_t threads, uv_async_t* wake) {
  wake_ = wake;
  int error = 0;
  for (uint32_t index = 0; index < threads && error == 0; index++) {
    auto worker = std::make_unique<Worker>();
    worker->server = shared_from_this();
    worker->index = index;
    worker->slot = engine.memory.slot(index);
    error = StartThread(RunWorker, worker.get());
    if (error == 0) workers_.push_back(std::move(worker));
  }
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return ready_ >= workers_.size(); });
  if (error == 0) error = start_error_;
  if (error != 0) stopping_ = true;
  may_serve_ = true;
  changed_.notify_all();
  return error;
}

void Server::ReportReady(int error) {
  std::unique_lock lock(mutex_);
  ready_++;
  if (error != 0 && start_error_ == 0) start_error_ = error;
  changed_.notify_all();
  changed_.wait(lock, [&] { return may_serve_; });
}

void* Server::RunWorker(void* argument) {
  auto* worker = static_cast<Worker*>(argument);
  // The last thread may be the last owner of the server, and with it of `worker`.
  const std::shared_ptr<Server> server = std::move(worker->server);
  server->Work(*worker);
  worker->ended.store(true, std::memory_order_release);
  return nullptr;
}

void Server::Work(Worker& worker) {
  worker.thread_id = static_cast<int>(syscall(SYS_gettid));
  Identity identity;
  void* room = mmap(nullptr, kRoomBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  const int error = room == MAP_FAILED ? errno : identity.Start();
  ReportReady(error);
  if (error == 0 && !stopping_) {
    // The slots of an earlier daemon are served first, and by one thread: the others would read into them.
    if (worker.index == 0) {
      engine.Replay(identity, static_cast<uint8_t*>(room), kRoomBytes);
      const std::lock_guard lock(mutex_);
      replayed_ = true;
      changed_.notify_all();
    } else {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return replayed_; });
    }
    Prefault(worker);
    Loop(worker, identity, static_cast<uint8_t*>(room));
  }
  if (room != MAP_FAILED) munmap(room, kRoomBytes);
}

// While a process dies the kernel takes no page for it any more: a request that is being read then would fail. So the pages are there
// before; with passthrough nothing is large but extended attributes.
void Server::Prefault(Worker& worker) const {
  constexpr size_t kWithPassthrough = 128 * 1024;
  constexpr size_t kPage = 4096;
  const size_t bytes = engine.has_passthrough ? kWithPassthrough : RequestSlot::kRequestBytes;
  volatile uint8_t* pages = worker.slot->request;
  for (size_t at = 0; at < bytes; at += kPage) pages[at] = pages[at];
}

void Server::Loop(Worker& worker, Identity& identity, uint8_t* room) {
  RequestSlot* slot = worker.slot;
  auto* mark = reinterpret_cast<volatile uint32_t*>(slot->request);
  const int device = engine.device->get();
  while (!stopping_.load(std::memory_order_acquire)) {
    // Also if the read fails half-way: what is in the slot was read whole or is not there.
    *mark = 0;
    slot->state.store(0, std::memory_order_release);
    for (auto& note : slot->notes) note.store(0, std::memory_order_relaxed);
    worker.reads.store(true, std::memory_order_seq_cst);
    if (stopping_.load(std::memory_order_seq_cst)) break;
    const ssize_t length = read(device, slot->request, RequestSlot::kRequestBytes);
    worker.reads.store(false, std::memory_order_relaxed);
    if (length <= 0) {
      const int error = length == 0 ? ENODEV : errno;
      // ENOENT: the request was taken back before it was read.
      if (error == EINTR || error == ENOENT || error == EAGAIN) continue;
      *mark = 0;
      int none = 0;
      if (!stopping_ && end_.compare_exchange_strong(none, error)) Wake();
      break;
    }
    worker.since_ms.store(NowMs(), std::memory_order_relaxed);
    engine.Serve(slot, identity, room, kRoomBytes);
    worker.since_ms.store(0, std::memory_order_relaxed);
  }
  worker.reads.store(false, std::memory_order_relaxed);
  *mark = 0;
}

void Server::Stop() {
  if (stopping_.exchange(true, std::memory_order_seq_cst)) return;
  auto* owned = new std::shared_ptr<Server>(shared_from_this());
  if (StartThread(RunStopper, owned) == 0) return;
  // Not even a thread: they end with their next request.
  delete owned;
  stopped_ = true;
  Wake();
}

void* Server::RunStopper(void* argument) {
  auto* owned = static_cast<std::shared_ptr<Server>*>(argument);
  const std::shared_ptr<Server> server = std::move(*owned);
  delete owned;
  const int process = getpid();
  for (int tries = 0; tries < kStopTriesMax; tries++) {
    bool all_ended = true;
    for (const auto& worker : server->workers_) {
      if (worker->ended.load(std::memory_order_acquire)) continue;
      all_ended = false;
      // Again and again: the signal may come just before the read that it is to interrupt.
      if (worker->reads) syscall(SYS_tgkill, process, worker->thread_id.load(), StopSignal());
    }
    if (all_ended) break;
    const timespec pause{0, kStopPauseNs};
    nanosleep(&pause, nullptr);
  }
  server->stopped_.store(true, std::memory_order_release);
  server->Wake();
  return nullptr;
}

void Server::Wake() {
  const std::lock_guard lock(mutex_);
  if (wake_ != nullptr) uv_async_send(wake_);
}

void Server::Detach() {
  const std::lock_guard lock(mutex_);
  wake_ = nullptr;
}

std::vector<double> Server::Ages() const {
  std::vector<double> ages;
  const uint64_t now = NowMs();
  for (const auto& worker : workers_) {
    const uint64_t since = worker->since_ms.load(std::memory_order_relaxed);
    if (since != 0) ages.push_back(static_cast<double>(now - since));
  }
  return ages;
}

}  // namespace dunnage::loopback
