#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>

#include "millrace/base/cache_line.h"
#include "millrace/memory/magazine.h"
#include "millrace/memory/page_pool.h"
#include "millrace/memory/size_classes.h"
#include "millrace/memory/slab_class.h"
#include "millrace/memory/slab_page.h"
#include "millrace/memory/thread_caches.h"

namespace millrace {

// One thread's magazines: one for each class, and a closed one for page runs.
class alignas(kCacheLineBytes) SlabCache : public CacheSlot {
 public:
  Magazine& magazine(std::uint32_t size_class) noexcept {
    return reinterpret_cast<Magazine*>(this + 1)[size_class];
  }

  static constexpr std::size_t bytes(std::uint32_t class_count) {
    const std::size_t used = sizeof(SlabCache) + (class_count + 1) * sizeof(Magazine);
    return (used + kCacheLineBytes - 1) / kCacheLineBytes * kCacheLineBytes;
  }
};

// The caches of the threads that use a slab: see ThreadCaches. Their blocks keep whole pages from
// the other classes, so it is pages that count: threads may cache while a sixteenth of them is
// free.
class SlabCaches {
 public:
  static std::size_t bytes(std::uint32_t class_count, std::uint32_t cache_count) {
    return SlabCache::bytes(class_count) * cache_count;
  }

  // `lists`: one for each class; they, and those behind the references, outlive the caches.
  void open(const SizeClasses& classes, std::span<SlabClass> lists, const PagePool& pool,
            std::byte* memory, std::uint32_t cache_count, bool use_membarrier) noexcept {
    classes_ = &classes;
    lists_ = lists;
    pool_ = &pool;
    caches_.open(*this, memory, SlabCache::bytes(classes.count()), cache_count, use_membarrier);
  }
  void close() noexcept { caches_.close(); }

  using Thread = ThreadRegistry::Thread;
  SlabCache* enter(Thread& self) const noexcept { return caches_.enter(self); }
  SlabCache* enter_slow(Thread& self) noexcept { return caches_.enter_slow(self); }
  void leave(Thread& self) const noexcept { caches_.leave(self); }
  void detach() noexcept { caches_.detach(); }
  void empty_all() noexcept { caches_.empty_all(); }
  void pages_freed() noexcept { caches_.store_grew(); }

  // Of one class, over all caches.
  struct Figures {
    std::uint64_t held = 0;         // blocks in them now
    std::uint64_t allocations = 0;  // blocks handed out so far
  };
  Figures figures(std::uint32_t size_class) const noexcept {
    Figures sum;
    caches_.for_each([&](SlabCache& cache) {
      const Magazine& magazine = cache.magazine(size_class);
      sum.held += magazine.held();
      sum.allocations += magazine.allocations();
    });
    return sum;
  }

 private:
  friend class ThreadCaches<SlabCache, SlabCaches>;

  // What a thread keeps of one class: so many bytes, and no more than 1/1024 of the arena.
  static constexpr std::size_t kMagazineBytes = std::size_t{64} << 10;

  void start(SlabCache& cache) noexcept {
    const std::size_t arena = std::size_t{pool_->pages()} << SlabPage::kShift;
    const std::size_t limit = std::min(kMagazineBytes, arena / 1024);
    for (std::uint32_t i = 0; i < classes_->count(); ++i) {
      const std::uint32_t block_bytes = classes_->block_bytes(i);
      const std::size_t blocks =
          std::min<std::size_t>(limit / block_bytes / 2 * 2, Magazine::kMaxBlocks);
      Magazine& magazine = *new (&cache.magazine(i)) Magazine;
      magazine.open(static_cast<std::uint32_t>(blocks), block_bytes);
    }
    (new (&cache.magazine(classes_->count())) Magazine)->open_closed();
  }

  void empty(SlabCache& cache) noexcept {
    for (std::uint32_t i = 0; i < classes_->count(); ++i) cache.magazine(i).empty_into(lists_[i]);
  }

  bool plenty() const noexcept {
    const std::uint32_t pages = pool_->pages();
    return pool_->free_pages() >= std::min(pages, std::max(pages / 16, 2u));
  }

  const SizeClasses* classes_ = nullptr;
  std::span<SlabClass> lists_;
  const PagePool* pool_ = nullptr;
  ThreadCaches<SlabCache, SlabCaches> caches_;
};

}  // namespace millrace
