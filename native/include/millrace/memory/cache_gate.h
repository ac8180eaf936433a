#pragma once

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>

#include "millrace/base/spin_lock.h"

namespace millrace {

// A lock for data that one thread uses all the time and others hardly ever: the owner of a thread
// cache enters for each operation, and a thread that needs what lies in all caches suspends them.
// One gate serves the caches of one allocator; each cache has its own `busy` word.
// Owners: enter, leave. Anybody: suspended. One thread at a time (the caller locks): the others.
// Owns nothing. An owner pays two plain stores and a load; a suspension pays a membarrier(2)
// of 1-2 us. Where the kernel has no membarrier, owners pay a locked instruction instead.
//
// Owner: sets busy, then looks at suspended_. Suspender: sets suspended_, then looks at busy. Of
// two such threads one must see the other, for which each needs a full barrier between its store
// and its load; membarrier() executes the owners' half on every core that runs one of our threads.
class CacheGate {
 public:
  CacheGate() = default;
  CacheGate(const CacheGate&) = delete;
  CacheGate& operator=(const CacheGate&) = delete;

  void open(bool use_membarrier) noexcept {
    suspended_.store(false, std::memory_order_relaxed);
    membarrier_ = use_membarrier && membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
  }

  // Owner. False when caches are suspended: then the cache must not be touched.
  bool enter(std::atomic<std::uint32_t>& busy) const noexcept {
    if (membarrier_) [[likely]] {
      busy.store(1, std::memory_order_relaxed);
      std::atomic_signal_fence(std::memory_order_seq_cst);
    } else {
      // Seq_cst: pairs with the exchange in suspend().
      busy.exchange(1, std::memory_order_seq_cst);
    }
    // Seq_cst: the other half of that pair (a plain load on x86-64), and acquire: pairs with the
    // release in resume(), so that the owner sees a cache as the suspender left it.
    if (!suspended_.load(std::memory_order_seq_cst)) [[likely]]
      return true;
    leave(busy);
    return false;
  }

  // Release: pairs with the acquire in wait_for().
  static void leave(std::atomic<std::uint32_t>& busy) noexcept {
    busy.store(0, std::memory_order_release);
  }

  bool suspended() const noexcept { return suspended_.load(std::memory_order_relaxed); }

  // From here on no owner enters. Those that are inside are waited for one by one, by wait_for().
  void suspend() noexcept {
    // Seq_cst: pairs with the exchange in enter().
    suspended_.exchange(true, std::memory_order_seq_cst);
    if (membarrier_) membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
  }

  // After suspend(): waits until this cache's owner is outside.
  static void wait_for(const std::atomic<std::uint32_t>& busy) noexcept {
    SpinBackoff backoff;
    // Seq_cst: pairs with the exchange in enter(), and acquire: pairs with the release in leave().
    while (busy.load(std::memory_order_seq_cst) != 0) backoff.pause();
  }

  // Release: pairs with the acquire in enter().
  void resume() noexcept { suspended_.store(false, std::memory_order_release); }

 private:
  static bool membarrier(int command) noexcept {
    return ::syscall(SYS_membarrier, command, 0, 0) == 0;
  }

  std::atomic<bool> suspended_{false};
  bool membarrier_ = false;
};

}  // namespace millrace
