#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "millrace/base/cache_line.h"

namespace millrace {

// Adds to a counter that only this thread writes: others read it, so it is atomic, but it needs no
// locked instruction.
template <class T>
inline void add_unshared(std::atomic<T>& counter, T amount) noexcept {
  counter.store(counter.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
}

// Free blocks of one size class that a thread keeps, last in first out: the block freed last is the
// one whose lines are still in the core's cache.
struct Magazine {
  static constexpr std::uint32_t kMaxBlocks = 64;

  std::uint32_t count;
  // 0: the class is not cached. Otherwise even, so that half of it can be moved.
  std::uint32_t capacity;
  // What the caches' owners have done; never reset, as stats() adds up all caches.
  std::atomic<std::uint64_t> allocations;
  std::atomic<std::uint64_t> frees;
  std::uint32_t blocks[kMaxBlocks];
};

// One thread's magazines, a class each. Used by its owner inside CacheGate::enter()/leave(), or by
// a thread that has suspended the caches. It lives in the allocator's memory and starts as zeroes.
struct alignas(kCacheLineBytes) ThreadCache {
  std::atomic<std::uint32_t> busy;
  // Has an owner. Guarded by the registry's lock.
  bool claimed;
  // Bytes asked for, less those given back by this cache's owners: the sum over all caches counts.
  std::atomic<std::int64_t> requested_bytes;

  Magazine* magazines() noexcept { return reinterpret_cast<Magazine*>(this + 1); }

  static constexpr std::size_t bytes(std::uint32_t class_count) {
    const std::size_t used = sizeof(ThreadCache) + class_count * sizeof(Magazine);
    return (used + kCacheLineBytes - 1) / kCacheLineBytes * kCacheLineBytes;
  }
};

}  // namespace millrace
