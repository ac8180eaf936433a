#pragma once

#include <atomic>
#include <cstdint>

#include "millrace/base/spin_lock.h"

namespace millrace {

// A spin lock for writers whose word counts their sections, so that readers need no lock: they note
// the count, read, and read again if it has moved. Any thread; not recursive. Owns nothing; 8
// bytes. Costs a writer one compare-and-swap and one store, a reader two loads.
//
// What makes it right without fences: everything that such readers look at is an atomic which
// writers store with release and readers load with acquire. A reader that sees one store of a
// section therefore sees the odd count stored before it, and discards what it read. A reader may
// see any mixture until then, so it must not trust what it reads (bounds!) before read_valid().
class SeqLock {
 public:
  SeqLock() = default;
  SeqLock(const SeqLock&) = delete;
  SeqLock& operator=(const SeqLock&) = delete;

  void lock() noexcept {
    SpinBackoff backoff;
    while (!try_lock()) backoff.pause();
  }

  bool try_lock() noexcept {
    std::uint64_t seen = sequence_.load(std::memory_order_relaxed);
    // Acquire: pairs with the release in unlock().
    return (seen & 1) == 0 &&
           sequence_.compare_exchange_strong(seen, seen + 1, std::memory_order_acquire,
                                             std::memory_order_relaxed);
  }

  void unlock() noexcept {
    // Release: pairs with the acquire in try_lock() and read_begin().
    sequence_.store(sequence_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }

  // Waits while a writer is at work. The answer goes to read_valid().
  std::uint64_t read_begin() const noexcept {
    SpinBackoff backoff;
    for (;;) {
      // Acquire: pairs with the release in unlock().
      const std::uint64_t seen = sequence_.load(std::memory_order_acquire);
      if ((seen & 1) == 0) [[likely]]
        return seen;
      backoff.pause();
    }
  }

  // Whether everything loaded (with acquire) since read_begin() is of one moment.
  bool read_valid(std::uint64_t begun) const noexcept {
    return sequence_.load(std::memory_order_relaxed) == begun;
  }

 private:
  // Odd while a writer is inside.
  std::atomic<std::uint64_t> sequence_{0};
};

}  // namespace millrace
