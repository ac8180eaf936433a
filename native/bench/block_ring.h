#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>

#include "millrace/base/cache_line.h"

namespace millrace_bench {

// What carries blocks from the thread that allocates them to the one that frees them: the plainest
// ring there is, so that its cost is in every figure alike.
template <class Block>
class BlockRing {
 public:
  // Producer. Waits for room.
  void push(Block block) {
    const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    // Acquire: pairs with the release in consume().
    while (tail - head_.load(std::memory_order_acquire) == kSlots) std::this_thread::yield();
    slots_[tail % kSlots] = block;
    // Release: pairs with the acquire in consume().
    tail_.store(tail + 1, std::memory_order_release);
  }

  // Producer, after its last push.
  void close() { closed_.store(true, std::memory_order_release); }

  // Consumer. Visits each block, until the ring is closed and empty.
  template <class Visit>
  void consume(Visit visit) {
    for (std::uint64_t head = 0;;) {
      // Acquire: pairs with the release in close(), after which the tail stands still.
      const bool closed = closed_.load(std::memory_order_acquire);
      const std::uint64_t tail = tail_.load(std::memory_order_acquire);
      if (head == tail) {
        if (closed) return;
        std::this_thread::yield();
      }
      for (; head != tail; ++head) {
        visit(slots_[head % kSlots]);
        head_.store(head + 1, std::memory_order_release);
      }
    }
  }

 private:
  static constexpr std::size_t kSlots = 1024;
  std::array<Block, kSlots> slots_;
  alignas(millrace::kCacheLineBytes) std::atomic<std::uint64_t> head_{0};
  alignas(millrace::kCacheLineBytes) std::atomic<std::uint64_t> tail_{0};
  std::atomic<bool> closed_{false};
};

}  // namespace millrace_bench
