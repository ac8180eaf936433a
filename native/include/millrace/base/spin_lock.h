#pragma once

#include <sched.h>

#include <atomic>
#include <cstdint>

#include "millrace/base/cache_line.h"

namespace millrace {

// How a spinning thread waits: a few dozen pauses, in which a running owner finishes, and from
// then on sched_yield, because on a machine with few cores the owner may need this very core.
class SpinBackoff {
 public:
  void pause() noexcept {
    if (rounds_ < kPauses) {
      ++rounds_;
      cpu_relax();
    } else {
      sched_yield();
    }
  }

 private:
  static constexpr std::uint32_t kPauses = 64;
  std::uint32_t rounds_ = 0;
};

// A test-and-test-and-set lock for sections of a few dozen instructions that neither allocate nor
// enter the system. Any thread may lock; the one that locked unlocks. Owns nothing; 4 bytes, not
// padded: its owner decides what shares the line. Costs one locked instruction when uncontended.
// Unfair: no order among waiters. Fits std::lock_guard.
class SpinLock {
 public:
  SpinLock() = default;
  SpinLock(const SpinLock&) = delete;
  SpinLock& operator=(const SpinLock&) = delete;

  void lock() noexcept {
    // Acquire: pairs with the release in unlock().
    if (locked_.exchange(1, std::memory_order_acquire) == 0) [[likely]]
      return;
    SpinBackoff backoff;
    do {
      // The line stays shared while the owner works: only loads until it looks free.
      while (locked_.load(std::memory_order_relaxed) != 0) backoff.pause();
    } while (locked_.exchange(1, std::memory_order_acquire) != 0);
  }

  bool try_lock() noexcept {
    // Acquire: pairs with the release in unlock().
    return locked_.load(std::memory_order_relaxed) == 0 &&
           locked_.exchange(1, std::memory_order_acquire) == 0;
  }

  // Release: pairs with the acquire in lock() and try_lock().
  void unlock() noexcept { locked_.store(0, std::memory_order_release); }

 private:
  std::atomic<std::uint32_t> locked_{0};
};

}  // namespace millrace
