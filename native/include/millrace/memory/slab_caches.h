#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <new>
#include <span>

#include "millrace/base/cache_line.h"
#include "millrace/base/spin_lock.h"
#include "millrace/memory/magazine.h"
#include "millrace/memory/page_pool.h"
#include "millrace/memory/size_classes.h"
#include "millrace/memory/slab_class.h"
#include "millrace/memory/thread_registry.h"

namespace millrace {

// One thread's magazines: one for each class, and a closed one for page runs.
class alignas(kCacheLineBytes) ThreadCache {
 public:
  Magazine& magazine(std::uint32_t size_class) noexcept {
    return reinterpret_cast<Magazine*>(this + 1)[size_class];
  }

  static constexpr std::size_t bytes(std::uint32_t class_count) {
    const std::size_t used = sizeof(ThreadCache) + (class_count + 1) * sizeof(Magazine);
    return (used + kCacheLineBytes - 1) / kCacheLineBytes * kCacheLineBytes;
  }

 private:
  friend class SlabCaches;
  // Of the thread it belongs to; nullptr if it is nobody's. Guarded by SlabCaches::lock_.
  const ThreadRegistry::Busy* owner_ = nullptr;
};

// The caches of the threads that use a slab, each of them one thread's until it ends.
// Any thread may call anything but open() and close(). Caches lie in memory that open() is given,
// touched when a thread first claims one; their blocks go back to the classes. Entering and leaving
// a cache costs a few plain loads and stores.
//
// Caches hold blocks, and through them whole pages, that another thread may need. empty_all() takes
// them back from every thread, running or not; unless that frees enough pages, caches stay
// suspended, and all blocks go straight to their classes, until enough pages have become free.
class SlabCaches final : private ThreadRegistry::Domain {
 public:
  SlabCaches() = default;
  SlabCaches(const SlabCaches&) = delete;
  SlabCaches& operator=(const SlabCaches&) = delete;

  static std::size_t bytes(std::uint32_t class_count, std::uint32_t cache_count) {
    return ThreadCache::bytes(class_count) * cache_count;
  }

  // `lists`: one for each class, and those behind them, outlive the caches.
  void open(const SizeClasses& classes, std::span<SlabClass> lists, PagePool& pool,
            std::byte* memory, std::uint32_t cache_count, bool use_membarrier) noexcept {
    classes_ = &classes;
    lists_ = lists;
    pool_ = &pool;
    memory_ = memory;
    cache_bytes_ = ThreadCache::bytes(classes.count());
    cache_count_ = cache_count;
    opened_.store(0, std::memory_order_relaxed);
    unclaimed_.store(cache_count, std::memory_order_relaxed);
    ThreadRegistry::add(*this, use_membarrier);
  }

  // Returns when no ending thread can reach the caches. What is in them is forgotten.
  void close() noexcept {
    ThreadRegistry::remove(*this);
    cache_count_ = 0;
    opened_.store(0, std::memory_order_relaxed);
    unclaimed_.store(0, std::memory_order_relaxed);
  }

  // The calling thread's cache, until leave(). nullptr if caches are suspended, or if the thread
  // has none, or has since used another slab: enter_slow() makes up for the latter two.
  ThreadCache* enter() const noexcept {
    return static_cast<ThreadCache*>(ThreadRegistry::enter(*this));
  }
  ThreadCache* enter_slow() noexcept {
    const bool may_claim = unclaimed_.load(std::memory_order_relaxed) != 0;
    return static_cast<ThreadCache*>(ThreadRegistry::enter_slow(*this, may_claim));
  }
  void leave() const noexcept { ThreadRegistry::leave(); }

  // Gives the calling thread's cache back.
  void detach() noexcept { ThreadRegistry::detach(*this); }

  // Waits for another thread that does the same.
  [[gnu::noinline]] void empty_all() noexcept {
    std::lock_guard guard(lock_);
    if (!ThreadRegistry::suspended(*this)) {
      ThreadRegistry::suspend(*this);
      for_each([this](ThreadCache& cache) {
        if (cache.owner_ == nullptr) return;
        ThreadRegistry::wait_for(*cache.owner_);
        empty(cache);
      });
    }
    if (enough_free()) ThreadRegistry::resume(*this);
  }

  // To be called when pages have become free.
  void pages_freed() noexcept {
    if (!ThreadRegistry::suspended(*this) || !enough_free()) return;
    // Whoever holds it looks at the pages when it is done.
    if (!lock_.try_lock()) return;
    ThreadRegistry::resume(*this);
    lock_.unlock();
  }

  // Of one class, over all caches.
  struct Figures {
    std::uint64_t held = 0;         // blocks in them now
    std::uint64_t allocations = 0;  // blocks handed out so far
  };
  Figures figures(std::uint32_t size_class) const noexcept {
    Figures sum;
    for_each([&](ThreadCache& cache) {
      const Magazine& magazine = cache.magazine(size_class);
      sum.held += magazine.held();
      sum.allocations += magazine.allocations();
    });
    return sum;
  }

 private:
  // What a thread keeps of one class: so many bytes, and no more than 1/1024 of the arena.
  static constexpr std::size_t kMagazineBytes = std::size_t{64} << 10;

  // Each cache that was ever used.
  template <class Visit>
  void for_each(Visit visit) const {
    // Acquire: pairs with the release in claim().
    const std::uint32_t opened = opened_.load(std::memory_order_acquire);
    for (std::uint32_t i = 0; i < opened; ++i) visit(at(i));
  }

  ThreadCache& at(std::uint32_t index) const noexcept {
    return *reinterpret_cast<ThreadCache*>(memory_ + index * cache_bytes_);
  }

  void* claim(const ThreadRegistry::Busy& busy) noexcept override {
    std::lock_guard guard(lock_);
    const std::uint32_t opened = opened_.load(std::memory_order_relaxed);
    std::uint32_t index = 0;
    while (index < opened && at(index).owner_ != nullptr) ++index;
    if (index == cache_count_) return nullptr;
    if (index == opened) {
      open_cache(*new (&at(index)) ThreadCache);
      // Release: pairs with the load in for_each().
      opened_.store(opened + 1, std::memory_order_release);
    }
    at(index).owner_ = &busy;
    unclaimed_.fetch_sub(1, std::memory_order_relaxed);
    return &at(index);
  }

  // The owner calls it, so nobody is inside.
  void give_back(void* part) noexcept override {
    ThreadCache& cache = *static_cast<ThreadCache*>(part);
    {
      std::lock_guard guard(lock_);
      empty(cache);
      cache.owner_ = nullptr;
    }
    unclaimed_.fetch_add(1, std::memory_order_relaxed);
    pages_freed();
  }

  void open_cache(ThreadCache& cache) noexcept {
    const std::size_t arena = std::size_t{pool_->pages()} << SlabPage::kShift;
    const std::size_t limit = std::min(kMagazineBytes, arena / 1024);
    for (std::uint32_t i = 0; i < classes_->count(); ++i) {
      const std::uint32_t block_bytes = classes_->block_bytes(i);
      const std::size_t blocks = limit / block_bytes / 2 * 2;
      (new (&cache.magazine(i)) Magazine)
          ->open(static_cast<std::uint32_t>(std::min<std::size_t>(blocks, Magazine::kMaxBlocks)),
                 block_bytes);
    }
    (new (&cache.magazine(classes_->count())) Magazine)->open_closed();
  }

  void empty(ThreadCache& cache) noexcept {
    for (std::uint32_t i = 0; i < classes_->count(); ++i) cache.magazine(i).empty_into(lists_[i]);
  }

  bool enough_free() const noexcept {
    const std::uint32_t pages = pool_->pages();
    return pool_->free_pages() >= std::min(pages, std::max(pages / 16, 2u));
  }

  std::byte* memory_ = nullptr;
  std::size_t cache_bytes_ = 0;
  std::uint32_t cache_count_ = 0;
  std::atomic<std::uint32_t> opened_{0};     // caches that were ever claimed: the first so many
  std::atomic<std::uint32_t> unclaimed_{0};  // a hint
  // Of who suspends, and of the caches' owners. Taken inside the registry's lock, and outside those
  // of the classes; whoever waits for it is in no cache.
  SpinLock lock_;
  const SizeClasses* classes_ = nullptr;
  std::span<SlabClass> lists_;
  PagePool* pool_ = nullptr;
};

}  // namespace millrace
