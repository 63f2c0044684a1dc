// The threads of one loopback engine, from their start to their end.
//
// Each blocks in read(2) of the device, which wakes one of them for each request. They share the daemon's descriptor: a clone
// (FUSE_DEV_IOC_CLONE) would fail its requests when a daemon dies, while those of the shared one wait for the next.
//
// To stop, a signal whose handler does nothing interrupts the reads. Nobody joins a thread: one that is inside of a system call of the
// file system beneath may take long. Such a one keeps the server alive, ends by itself after its request and touches nothing of the
// environment any more.
#pragma once

#include <pthread.h>
#include <uv.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "engine.h"

namespace dunnage::loopback {

class Server : public std::enable_shared_from_this<Server> {
 public:
  explicit Server(uint32_t descriptors_most) : engine(descriptors_most) {}

  // Returns when all threads are ready and what an earlier daemon left has been read. 0 or an errno.
  int Start(uint32_t threads, uv_async_t* wake);
  // Has a thread of its own end all others and then wake the loop; at most two seconds.
  void Stop();
  // Nobody wakes the loop any more.
  void Detach();

  bool is_stopped() const { return stopped_.load(std::memory_order_acquire); }
  // The errno with which the connection ended, once; 0 if it goes on or that was told.
  int TakeEnd() { return end_.exchange(0); }
  // How long each request that is being worked on has been, in milliseconds.
  std::vector<double> Ages() const;

  Engine engine;

 private:
  struct Worker {
    std::shared_ptr<Server> server;
    uint32_t index = 0;
    RequestSlot* slot = nullptr;
    std::atomic<int> thread_id{0};
    std::atomic<bool> reads{false};
    std::atomic<bool> ended{false};
    std::atomic<uint64_t> since_ms{0};
  };
  static void* RunWorker(void* argument);
  static void* RunStopper(void* argument);
  void Work(Worker& worker);
  void Prefault(Worker& worker) const;
  void Loop(Worker& worker, Identity& identity, uint8_t* room);
  void Wake();
  void ReportReady(int error);

  std::vector<std::unique_ptr<Worker>> workers_;
  std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by the mutex.
  uint32_t ready_ = 0;
  int start_error_ = 0;
  bool may_serve_ = false;
  bool replayed_ = false;
  uv_async_t* wake_ = nullptr;

  std::atomic<bool> stopping_{false};
  std::atomic<bool> stopped_{false};
  std::atomic<int> end_{0};
};

}  // namespace dunnage::loopback
