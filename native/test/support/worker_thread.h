#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <utility>

#include "millrace/base/parker.h"
#include "millrace/server/staged_pipeline.h"
#include "support/scripted_worker.h"

namespace millrace {

// A worker on a thread of its own, woken by its doorbell. It ends at stop(), between batches, or at
// die(), with a batch begun and not ended, as a terminated JavaScript thread does.
class WorkerThread {
 public:
  explicit WorkerThread(PipelineCore& core, std::uint32_t index = 0,
                        ScriptedWorker::Handler handler = &ScriptedWorker::echo_all)
      : worker_(core, index),
        inbox_(*core.inboxes[index]),
        handler_(std::move(handler)),
        thread_([this] { run(); }) {}
  WorkerThread(const WorkerThread&) = delete;
  WorkerThread& operator=(const WorkerThread&) = delete;
  ~WorkerThread() { stop(); }

  void stop() {
    ending_.store(kStop);
    bell_.unpark();
    if (thread_.joinable()) thread_.join();
  }

  // In the next batch, after `messages` descriptors of it (or all of them); at once if none comes.
  // True: it was in the middle of a batch.
  bool die(std::uint32_t messages) {
    left_.store(messages);
    ending_.store(kDie);
    bell_.unpark();
    thread_.join();
    return caught_;
  }

  // Called on the worker's thread after each batch.
  std::atomic<std::uint64_t> batches{0};

 private:
  enum Ending : int { kNot, kStop, kDie };

  void run() {
    while (!worker_.attach()) std::this_thread::yield();  // its predecessor is still there
    inbox_.doorbell().attach(
        [](void* self) {
          static_cast<WorkerThread*>(self)->rung_.exchange(true);
          static_cast<WorkerThread*>(self)->bell_.unpark();
        },
        this);
    worker_.consumer().for_each_open([](Connection&) {});
    while (ending_.load() == kNot) {
      if (worker_.run(handler_)) {
        batches.fetch_add(1, std::memory_order_relaxed);
      } else if (worker_.consumer().try_sleep()) {
        bell_.park([this] { return rung_.exchange(false) || ending_.load() != kNot; });
      }
    }
    if (ending_.load() == kDie && worker_.begin()) {
      std::uint32_t left = left_.load();
      while (left > 0 && worker_.next(handler_)) --left;
      caught_ = left == 0;
    }
    inbox_.doorbell().detach();
    worker_.consumer().detach(CloseReason::kStuck);
  }

  ScriptedWorker worker_;
  Inbox& inbox_;
  ScriptedWorker::Handler handler_;
  Parker bell_;
  std::atomic<bool> rung_{false};
  std::atomic<int> ending_{kNot};
  std::atomic<std::uint32_t> left_{0};
  bool caught_ = false;
  std::thread thread_;
};

}  // namespace millrace
