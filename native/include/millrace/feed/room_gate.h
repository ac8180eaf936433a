#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <climits>
#include <cstdint>

#include "millrace/base/cache_line.h"
#include "millrace/base/clock.h"

namespace millrace {

// Where producers sleep while there is no room. Any number of threads wait, any thread opens.
// Owns one cache line. Opening costs a locked instruction while nobody waits, a system call when
// somebody does; it wakes all who wait, as it cannot know whose message fits.
//
// No wake-up is lost. A waiter takes a ticket before it looks for room, and announces itself before
// it sleeps on that ticket; who makes room changes the word, then looks for waiters. Whichever
// comes second sees the other: the kernel finds a changed word, or open() finds the waiter.
class alignas(kCacheLineBytes) RoomGate {
 public:
  RoomGate() = default;
  RoomGate(const RoomGate&) = delete;
  RoomGate& operator=(const RoomGate&) = delete;

  // To be taken before the look for room. Seq_cst: pairs with the increment in open().
  std::uint32_t ticket() const noexcept { return opened_.load(std::memory_order_seq_cst); }

  // Returns after an open() that followed the ticket, at the latest after timeout_ns (negative: for
  // ever), and perhaps for no reason.
  void wait(std::uint32_t ticket, std::int64_t timeout_ns) noexcept {
    timespec limit;
    limit.tv_sec = static_cast<time_t>(timeout_ns / kNanosPerSecond);
    limit.tv_nsec = static_cast<long>(timeout_ns % kNanosPerSecond);
    // Seq_cst: pairs with the load in open().
    waiters_.fetch_add(1, std::memory_order_seq_cst);
    syscall(SYS_futex, &opened_, FUTEX_WAIT_PRIVATE, ticket, timeout_ns < 0 ? nullptr : &limit,
            nullptr, 0);
    waiters_.fetch_sub(1, std::memory_order_relaxed);
  }

  // After room was made in whatever way the producers can see.
  void open() noexcept {
    // Seq_cst, both: pair with wait() and ticket().
    opened_.fetch_add(1, std::memory_order_seq_cst);
    if (waiters_.load(std::memory_order_seq_cst) == 0) return;
    syscall(SYS_futex, &opened_, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
  }

 private:
  std::atomic<std::uint32_t> opened_{0};
  std::atomic<std::uint32_t> waiters_{0};
  static_assert(sizeof(std::atomic<std::uint32_t>) == 4, "the kernel waits on four bytes");
};

}  // namespace millrace
