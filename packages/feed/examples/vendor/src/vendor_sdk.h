#pragma once

// An imitation of what vendors of market data ship: a library with threads of its own. One receives
// and keeps what has come in a list that has no bound; one calls back, message after message. While
// a callback runs, the list grows.

#include <time.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

namespace vendor {

struct Quote {
  std::uint32_t instrument;
  std::uint32_t number;  // of the session, from 1
  std::int64_t sent_ns;  // by the monotonic clock
  double price;
};

struct Options {
  double per_second = 10'000;
  double burst_per_second = 0;  // 0: no bursts
  double burst_seconds = 0;     // each period begins with a burst of so many seconds
  double period_seconds = 1;
  std::uint32_t instruments = 1000;
  std::uint32_t bytes = 64;  // of a message: a Quote, and what else vendors send
};

inline std::int64_t now_ns() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

class Session {
 public:
  // Called on the library's thread, one message at a time.
  using Callback = void (*)(void* user, const void* bytes, std::uint32_t length,
                            std::uint32_t instrument);

  Session(const Options& options, Callback callback, void* user)
      : options_(options), callback_(callback), user_(user) {
    receiver_ = std::thread([this] { receive(); });
    caller_ = std::thread([this] { call_back(); });
  }

  // No message comes any more; what is in the list is given up. When this returns, no callback
  // runs, and none will.
  void stop() {
    stopped_.store(true, std::memory_order_relaxed);
    arrived_.notify_all();
    if (receiver_.joinable()) receiver_.join();
    arrived_.notify_all();
    if (caller_.joinable()) caller_.join();
  }

  // No message comes any more; those in the list are still called back.
  void pause() { paused_.store(true, std::memory_order_relaxed); }

  std::uint64_t sent() const { return sent_.load(std::memory_order_relaxed); }
  std::uint64_t called() const { return called_.load(std::memory_order_relaxed); }
  // Messages in the list, where nobody sees them.
  std::uint64_t backlog() const { return sent() - called(); }

  // How long callbacks took, of the last so many, sorted.
  std::vector<std::int64_t> callback_times() const {
    const std::lock_guard guard(lock_);
    std::vector<std::int64_t> sorted = times_;
    std::ranges::sort(sorted);
    return sorted;
  }

 private:
  using Message = std::vector<unsigned char>;
  static constexpr std::size_t kTimes = 1 << 16;

  double due(double seconds) const {
    const double periods =
        static_cast<double>(static_cast<long>(seconds / options_.period_seconds));
    const double rest = seconds - periods * options_.period_seconds;
    const double extra = std::max(0.0, options_.burst_per_second - options_.per_second);
    return options_.per_second * seconds +
           extra * (periods * options_.burst_seconds + std::min(rest, options_.burst_seconds));
  }

  void receive() {
    const std::int64_t began = now_ns();
    std::uint32_t number = 0;
    while (!stopped_.load(std::memory_order_relaxed) && !paused_.load(std::memory_order_relaxed)) {
      const timespec tick{0, 1'000'000};
      nanosleep(&tick, nullptr);
      const double wanted = due(static_cast<double>(now_ns() - began) / 1e9);
      while (number < wanted) {
        ++number;
        const std::uint32_t instrument = number * 2654435761u % options_.instruments;
        const Quote quote{instrument, number, now_ns(), 100 + number % 1000 / 10.0};
        Message message(std::max<std::size_t>(options_.bytes, sizeof(quote)));
        std::memcpy(message.data(), &quote, sizeof(quote));
        const std::lock_guard guard(lock_);
        list_.push_back(std::move(message));
        sent_.store(number, std::memory_order_relaxed);
      }
      arrived_.notify_one();
    }
  }

  void call_back() {
    for (;;) {
      Message message;
      {
        std::unique_lock guard(lock_);
        arrived_.wait(
            guard, [this] { return !list_.empty() || stopped_.load(std::memory_order_relaxed); });
        if (stopped_.load(std::memory_order_relaxed)) return;
        message = std::move(list_.front());
        list_.pop_front();
      }
      Quote quote;
      std::memcpy(&quote, message.data(), sizeof(quote));
      const std::int64_t began = now_ns();
      callback_(user_, message.data(), static_cast<std::uint32_t>(message.size()),
                quote.instrument);
      const std::int64_t took = now_ns() - began;
      const std::lock_guard guard(lock_);
      const std::uint64_t count = called_.fetch_add(1, std::memory_order_relaxed);
      if (times_.size() < kTimes) {
        times_.push_back(took);
      } else {
        times_[count % kTimes] = took;
      }
    }
  }

  const Options options_;
  const Callback callback_;
  void* const user_;
  mutable std::mutex lock_;
  std::condition_variable arrived_;
  std::deque<Message> list_;
  std::vector<std::int64_t> times_;
  std::atomic<bool> stopped_{false};
  std::atomic<bool> paused_{false};
  std::atomic<std::uint64_t> sent_{0};
  std::atomic<std::uint64_t> called_{0};
  std::thread receiver_;
  std::thread caller_;
};

}  // namespace vendor
