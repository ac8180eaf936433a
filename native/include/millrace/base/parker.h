#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <limits>

#include "millrace/base/cache_line.h"
#include "millrace/base/clock.h"

namespace millrace {

// Where one consumer sleeps until a producer has work for it. One thread at a time may park(); any
// thread may unpark(), and the parker must outlive that call, also when its consumer has found the
// work and gone on before it. Owns one cache line; no descriptor, no allocation. Costs a producer
// one locked instruction while the consumer is awake, and a futex wake (2-4 us) when it sleeps; an
// idle consumer uses no CPU.
//
// No wake-up is lost: every change of state_ is a read-modify-write, so they have one order. A
// producer publishes, then changes the word; the consumer changes the word, then looks for work.
// Whichever of the two comes second sees the other: the producer finds kSleeping and wakes, or the
// consumer acquires what the producer published. A plain store in place of any of them would cut
// the chain of releases through which the consumer sees work published before it.
class alignas(kCacheLineBytes) Parker {
 public:
  Parker() = default;
  Parker(const Parker&) = delete;
  Parker& operator=(const Parker&) = delete;

  // Consumer. Sleeps until ready() answers true or timeout_ns has passed (negative: for ever), and
  // returns ready()'s last answer. ready() is called on this thread, first of all before any sleep,
  // then after every wake-up; it must be quick and must not park. A signal does not end the sleep.
  template <class Ready>
  bool park(Ready ready, std::int64_t timeout_ns = -1) {
    if (ready()) return true;
    if (timeout_ns == 0) return false;
    const std::int64_t deadline = timeout_ns < 0 ? kNever : deadline_after(timeout_ns);
    for (;;) {
      // Seq_cst: pairs with the exchange in unpark() and the load in unpark_published().
      state_.exchange(kSleeping, std::memory_order_seq_cst);
      if (ready()) {
        stay_awake();
        return true;
      }
      if (!wait_until(deadline)) {
        stay_awake();
        return ready();
      }
    }
  }

  // Producer, after it has published work in whatever way ready() can see.
  void unpark() noexcept {
    // Seq_cst: pairs with the exchange in park().
    if (state_.exchange(kAwake, std::memory_order_seq_cst) == kSleeping) wake();
  }

  // Producer: unpark() without a write while the consumer is awake.
  // REQUIRES: the work was published by a seq_cst read-modify-write, and ready() looks for it with
  // a seq_cst load (SpscCursor and SpscRing do both). With anything weaker the load here may pass
  // the publishing store, and the wake-up is lost.
  void unpark_published() noexcept {
    // Seq_cst: pairs with the exchange in park().
    if (state_.load(std::memory_order_seq_cst) == kSleeping) unpark();
  }

  // Any thread, a hint: the consumer had announced its sleep a moment ago.
  bool sleeping() const noexcept { return state_.load(std::memory_order_relaxed) == kSleeping; }

 private:
  static constexpr std::uint32_t kAwake = 0;
  static constexpr std::uint32_t kSleeping = 1;
  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

  static std::int64_t deadline_after(std::int64_t timeout_ns) noexcept {
    const std::int64_t now = monotonic_ns();
    return timeout_ns > kNever - now ? kNever : now + timeout_ns;
  }

  // Acq_rel, not a store: takes over what a producer released into the word while it said
  // kSleeping, whose wake-up this park() no longer needs.
  void stay_awake() noexcept { state_.exchange(kAwake, std::memory_order_acq_rel); }

  // False when the deadline has passed. True for every other reason to look again.
  bool wait_until(std::int64_t deadline) noexcept {
    timespec left;
    if (deadline != kNever) {
      const std::int64_t left_ns = deadline - monotonic_ns();
      if (left_ns <= 0) return false;
      left.tv_sec = static_cast<time_t>(left_ns / kNanosPerSecond);
      left.tv_nsec = static_cast<long>(left_ns % kNanosPerSecond);
    }
    // Returns at once if the word no longer says kSleeping.
    syscall(SYS_futex, &state_, FUTEX_WAIT_PRIVATE, kSleeping, deadline == kNever ? nullptr : &left,
            nullptr, 0);
    return true;
  }

  void wake() noexcept { syscall(SYS_futex, &state_, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0); }

  std::atomic<std::uint32_t> state_{kAwake};
  static_assert(sizeof(std::atomic<std::uint32_t>) == 4, "the kernel waits on four bytes");
};

}  // namespace millrace
