#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

// Ends the test program, with a note, if the scope is not left in time: what a lost wake-up looks
// like. The limit only bounds a hang; no test depends on how long anything takes.
class Watchdog {
 public:
  explicit Watchdog(std::string note, std::chrono::seconds limit = std::chrono::seconds(120))
      : thread_([this, note = std::move(note), limit] {
          std::unique_lock lock(mutex_);
          if (done_.wait_for(lock, limit, [this] { return left_; })) return;
          std::fprintf(stderr, "hung: %s\n", note.c_str());
          std::abort();
        }) {}
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;
  ~Watchdog() {
    {
      const std::lock_guard lock(mutex_);
      left_ = true;
    }
    done_.notify_one();
    thread_.join();
  }

 private:
  std::mutex mutex_;
  std::condition_variable done_;
  bool left_ = false;
  std::thread thread_;
};
