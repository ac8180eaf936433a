#pragma once

#include <atomic>
#include <cstdint>

#include "millrace/base/spin_lock.h"

namespace millrace {

// A spin lock that readers share: for data read far more often than written, in sections as short
// as those of SpinLock. Any thread; not recursive, and a reader cannot become a writer. Owns
// nothing; 4 bytes. Costs one compare-and-swap for a reader (which all readers of one lock contend
// for) and one for a writer. A waiting writer holds new readers back, so readers cannot starve it.
// Fits std::lock_guard and std::shared_lock.
class RwSpinLock {
 public:
  RwSpinLock() = default;
  RwSpinLock(const RwSpinLock&) = delete;
  RwSpinLock& operator=(const RwSpinLock&) = delete;

  void lock() noexcept {
    SpinBackoff backoff;
    while (!try_lock()) {
      const std::uint32_t seen = state_.load(std::memory_order_relaxed);
      // Taking the lock clears the mark; whoever still waits then sets it again. It orders nothing.
      if (seen != 0 && (seen & kWriterWaits) == 0) {
        state_.fetch_or(kWriterWaits, std::memory_order_relaxed);
      }
      backoff.pause();
    }
  }

  bool try_lock() noexcept {
    std::uint32_t seen = state_.load(std::memory_order_relaxed);
    // Acquire: pairs with the release in unlock() and unlock_shared().
    return (seen & ~kWriterWaits) == 0 &&
           state_.compare_exchange_strong(seen, kWriter, std::memory_order_acquire,
                                          std::memory_order_relaxed);
  }

  // Release: pairs with the acquire in try_lock() and try_lock_shared(). Keeps the waiting mark.
  void unlock() noexcept { state_.fetch_and(~kWriter, std::memory_order_release); }

  void lock_shared() noexcept {
    SpinBackoff backoff;
    while (!try_lock_shared()) backoff.pause();
  }

  bool try_lock_shared() noexcept {
    std::uint32_t seen = state_.load(std::memory_order_relaxed);
    while ((seen & (kWriter | kWriterWaits)) == 0) {
      // Acquire: pairs with the release in unlock().
      if (state_.compare_exchange_weak(seen, seen + kReader, std::memory_order_acquire,
                                       std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }

  // Release: pairs with the acquire in try_lock(), so that a writer comes after these reads.
  void unlock_shared() noexcept { state_.fetch_sub(kReader, std::memory_order_release); }

 private:
  static constexpr std::uint32_t kWriter = 1;
  static constexpr std::uint32_t kWriterWaits = 2;
  static constexpr std::uint32_t kReader = 4;
  std::atomic<std::uint32_t> state_{0};
};

}  // namespace millrace
