#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "millrace/base/cache_line.h"
#include "millrace/memory/magazine.h"
#include "millrace/memory/tagged_free_list.h"
#include "millrace/memory/thread_caches.h"

namespace millrace {

inline constexpr std::uint32_t kNoObject = 0xffffffffu;
static_assert(kNoObject == kNoBlock && kNoObject == TaggedFreeList::kNone);

// Hands out the indices 0 to capacity - 1, each to one holder at a time: what a pool of records is,
// whatever the records are and wherever they lie.
// Any thread may call anything but open() and close(); an index may be released by another thread
// than acquired it. Each held index has a holder, a number that its user chooses (0: nobody in
// particular), so that what a holder left behind can be taken back. Owns nothing: its words lie in
// memory that open() is given (bytes()). A pair costs one locked instruction, in the thread's
// cache; every now and then a cache trades a batch with the common list. Pools of fewer than 128
// records are traded one by one.
//
// What other threads cache is not lost to those who find the pool empty: see ThreadCaches.
class IndexPool {
 public:
  // States of an index. One in the list holds the next one, or TaggedFreeList::kNone; one in a
  // cache, kFree; one that is held, kHeldBy + its holder.
  static constexpr std::uint32_t kHeldBy = 0x80000000u;
  // Above the numbers that holders may have.
  static constexpr std::uint32_t kAnybody = 0x7fffff00u;
  static constexpr std::uint32_t kMaxCapacity = 0x7fffff00u;
  static_assert(TaggedFreeList::kNone - kHeldBy >= kAnybody);

  static constexpr bool is_held(std::uint32_t state) noexcept { return state - kHeldBy < kAnybody; }

  IndexPool() = default;
  IndexPool(const IndexPool&) = delete;
  IndexPool& operator=(const IndexPool&) = delete;
  ~IndexPool() { close(); }

  static std::size_t bytes(std::uint32_t capacity, std::uint32_t cache_count) {
    return std::size_t{cache_count} * sizeof(Cache) +
           (std::size_t{capacity} * sizeof(std::uint32_t) + kCacheLineBytes - 1) / kCacheLineBytes *
               kCacheLineBytes;
  }

  // `memory`: bytes(capacity, cache_count) of zeroes, aligned to a cache line. All indices are
  // free.
  void open(std::uint32_t capacity, std::uint32_t cache_count, std::byte* memory,
            bool use_membarrier = true) noexcept {
    close();
    capacity_ = capacity;
    states_ = reinterpret_cast<std::atomic<std::uint32_t>*>(memory + cache_count * sizeof(Cache));
    list_.open(capacity, states_);
    caches_.open(*this, memory, sizeof(Cache), cache_count, use_membarrier);
  }

  void close() noexcept {
    if (capacity_ == 0) return;
    caches_.close();
    capacity_ = 0;
  }

  // A free index, held by `holder` (below kAnybody) from now on, or kNoObject when all are
  // held. Calls first_use(index) before it returns an index
  // for the first time: what lies there has to be constructed, once.
  template <class FirstUse>
  std::uint32_t acquire(FirstUse first_use, std::uint32_t holder = 0) noexcept {
    ThreadRegistry::Thread& self = ThreadRegistry::self();
    if (Cache* const cache = caches_.enter(self)) [[likely]] {
      const std::uint32_t index = cache->magazine.pop();
      caches_.leave(self);
      if (index != kNoObject) [[likely]] {
        mark_held(index, holder);
        return index;
      }
    }
    bool first = false;
    const std::uint32_t index = acquire_slow(first, holder);
    if (first) first_use(index);
    return index;
  }

  // False when nobody holds the index: it was released already, or is none of this pool.
  bool release(std::uint32_t index) noexcept {
    if (index >= capacity_) return false;
    std::uint32_t state = states_[index].load(std::memory_order_relaxed);
    do {
      if (!is_held(state)) return false;
      // Relaxed: decides which of two threads releases it, and orders nothing. The next holder gets
      // the index from this thread, or through the list, which does.
    } while (!states_[index].compare_exchange_weak(state, kFree, std::memory_order_relaxed));
    ThreadRegistry::Thread& self = ThreadRegistry::self();
    if (Cache* const cache = caches_.enter(self)) [[likely]] {
      const bool cached = cache->magazine.push(index);
      caches_.leave(self);
      if (cached) [[likely]]
        return true;
    }
    release_slow(index);
    return true;
  }

  bool held(std::uint32_t index) const noexcept {
    return index < capacity_ && is_held(states_[index].load(std::memory_order_relaxed));
  }

  // Makes `to` the holder of an index that `from` holds, who may be kAnybody. False when he does
  // not hold it.
  bool pass(std::uint32_t index, std::uint32_t from, std::uint32_t to) noexcept {
    if (index >= capacity_) return false;
    std::uint32_t state = states_[index].load(std::memory_order_relaxed);
    do {
      if (!is_held(state) || (from != kAnybody && state != kHeldBy + from)) return false;
      // Relaxed: as in release().
    } while (!states_[index].compare_exchange_weak(state, kHeldBy + to, std::memory_order_relaxed));
    return true;
  }

  // Calls visit(index) for each index of this holder, in order. Looks at every index that was ever
  // used. REQUIRES: nobody acquires for this holder meanwhile.
  template <class Visit>
  void for_each_of(std::uint32_t holder, Visit visit) const noexcept {
    const std::uint32_t used = this->used();
    for (std::uint32_t index = 0; index < used; ++index) {
      if (states_[index].load(std::memory_order_relaxed) == kHeldBy + holder) visit(index);
    }
  }

  // Frees what this holder holds. Answers how many.
  std::uint32_t release_all_of(std::uint32_t holder) noexcept {
    std::uint32_t released = 0;
    for_each_of(holder, [&](std::uint32_t index) {
      std::uint32_t state = kHeldBy + holder;
      // Relaxed: as in release(). Fails when another thread released it, or it was passed on.
      if (!states_[index].compare_exchange_strong(state, kFree, std::memory_order_relaxed)) return;
      list_.give(std::span(&index, 1));
      ++released;
    });
    if (released != 0) caches_.store_grew();
    return released;
  }

  // The words of all indices, for who wants to look at them.
  const std::atomic<std::uint32_t>* states() const noexcept { return states_; }

  std::uint32_t capacity() const noexcept { return capacity_; }
  // Indices that were ever held: the first so many.
  std::uint32_t used() const noexcept { return capacity_ == 0 ? 0 : list_.used(); }
  // Indices held now; approximate while others acquire and release.
  std::uint32_t size() const noexcept {
    if (capacity_ == 0) return 0;
    std::uint64_t free = list_.listed();
    caches_.for_each([&](Cache& cache) { free += cache.magazine.held(); });
    const std::uint32_t used = list_.used();
    return used > free ? used - static_cast<std::uint32_t>(free) : 0;
  }

  // Gives the calling thread's cache back. Ending does the same.
  void release_thread_cache() noexcept {
    if (capacity_ != 0) caches_.detach();
  }

 private:
  struct alignas(kCacheLineBytes) Cache : CacheSlot {
    Magazine magazine;
  };
  friend class ThreadCaches<Cache, IndexPool>;

  static constexpr std::uint32_t kFree = 0x7fffffffu;

  void mark_held(std::uint32_t index, std::uint32_t holder) noexcept {
    states_[index].store(kHeldBy + holder, std::memory_order_relaxed);
  }

  [[gnu::noinline]] std::uint32_t acquire_slow(bool& first, std::uint32_t holder) noexcept {
    if (capacity_ == 0) return kNoObject;
    std::uint32_t index = kNoObject;
    ThreadRegistry::Thread& self = ThreadRegistry::self();
    if (Cache* const cache = caches_.enter_slow(self)) {
      Magazine& magazine = cache->magazine;
      index = magazine.pop();
      if (index == kNoObject && magazine.refill(list_)) index = magazine.pop();
      caches_.leave(self);
    }
    if (index == kNoObject) index = list_.take_one();
    if (index == kNoObject) {
      index = list_.take_unused();
      first = index != kNoObject;
    }
    if (index == kNoObject) {
      caches_.empty_all();
      index = list_.take_one();
    }
    if (index != kNoObject) mark_held(index, holder);
    return index;
  }

  [[gnu::noinline]] void release_slow(std::uint32_t index) noexcept {
    ThreadRegistry::Thread& self = ThreadRegistry::self();
    if (Cache* const cache = caches_.enter_slow(self)) {
      Magazine& magazine = cache->magazine;
      const bool cached =
          magazine.push(index) || (magazine.make_room(list_) && magazine.push(index));
      caches_.leave(self);
      if (cached) return;
    }
    list_.give(std::span(&index, 1));
    caches_.store_grew();
  }

  void start(Cache& cache) noexcept {
    const std::uint32_t share = std::min(capacity_ / 64, Magazine::kMaxBlocks);
    cache.magazine.open(share / 2 * 2, 0);
  }
  void empty(Cache& cache) noexcept { cache.magazine.empty_into(list_); }
  bool plenty() const noexcept {
    return capacity_ - list_.used() + list_.listed() >= std::max(capacity_ / 16, 1u);
  }

  std::uint32_t capacity_ = 0;
  std::atomic<std::uint32_t>* states_ = nullptr;
  TaggedFreeList list_;
  ThreadCaches<Cache, IndexPool> caches_;
};

}  // namespace millrace
