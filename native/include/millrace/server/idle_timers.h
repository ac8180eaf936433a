#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>

#include "millrace/base/clock.h"
#include "millrace/base/parker.h"
#include "millrace/base/spin_lock.h"
#include "millrace/server/connection.h"
#include "millrace/time/timer_wheel.h"

namespace millrace {

// One timer for each connection that has a deadline. Lazily re-armed: activity only writes a time
// stamp, and the reaper looks at it when the timer expires. Any thread, under one spin lock; owns
// the wheel.
class IdleTimers {
 public:
  static constexpr std::uint32_t kTickMs = 8;
  static constexpr std::uint64_t kNever = UINT64_MAX;

  IdleTimers(std::uint32_t capacity, Parker& reaper)
      : wheel_(capacity, kTickMs, coarse_ms()),
        due_(new std::uint32_t[capacity]),
        reaper_(reaper) {}

  static std::size_t bytes(std::uint32_t capacity) {
    return TimerWheel::bytes(capacity) + capacity * sizeof(std::uint32_t);
  }

  // Sets the connection's deadline, or clears it with kNever.
  void arm(Connection& connection, std::uint64_t deadline_ms) {
    arm_by(connection, [deadline_ms] { return deadline_ms; });
  }

  // As arm(), with a deadline that is worked out under the lock: of two threads that arm at once,
  // the second has seen what the first armed for.
  template <class Deadline>
  void arm_by(Connection& connection, Deadline&& deadline) {
    bool earlier = false;
    {
      const std::lock_guard guard(lock_);
      const std::uint64_t deadline_ms = deadline();
      if (deadline_ms == kNever) {
        if (connection.timer != 0) wheel_.cancel(connection.timer);
        connection.timer = 0;
        return;
      }
      if (connection.timer == 0 || !wheel_.reschedule(connection.timer, deadline_ms)) {
        connection.timer = wheel_.schedule(deadline_ms, connection.key.fd);
      }
      earlier = deadline_ms < waking_ms_;
    }
    if (earlier) {
      rearmed_.exchange(true, std::memory_order_seq_cst);
      reaper_.unpark();
    }
  }

  // Reaper: calls expired(fd) for each timer that is due, outside the lock; answers when to come
  // again.
  template <class Expired>
  std::uint64_t advance(std::uint64_t now_ms, Expired&& expired) {
    std::uint32_t found = 0;
    {
      const std::lock_guard guard(lock_);
      wheel_.advance(now_ms, [&](std::uint32_t fd) { due_[found++] = fd; });
    }
    for (std::uint32_t i = 0; i < found; ++i) expired(due_[i]);
    const std::lock_guard guard(lock_);
    waking_ms_ = wheel_.next_expiry_ms();
    return waking_ms_;
  }

  // Reaper: a deadline came in front of the one that it sleeps for.
  bool rearmed() { return rearmed_.exchange(false, std::memory_order_seq_cst); }

  std::uint32_t size() {
    const std::lock_guard guard(lock_);
    return wheel_.size();
  }

 private:
  SpinLock lock_;
  TimerWheel wheel_;
  std::unique_ptr<std::uint32_t[]> due_;
  Parker& reaper_;
  std::atomic<bool> rearmed_{false};
  std::uint64_t waking_ms_ = kNever;
};

}  // namespace millrace
