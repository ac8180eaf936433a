#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>

#include "millrace/base/spin_lock.h"
#include "millrace/base/system_error.h"
#include "millrace/memory/arena.h"
#include "millrace/memory/cache_gate.h"
#include "millrace/memory/page_pool.h"
#include "millrace/memory/size_classes.h"
#include "millrace/memory/slab_class.h"
#include "millrace/memory/slab_metadata.h"
#include "millrace/memory/slab_stats.h"
#include "millrace/memory/thread_cache.h"
#include "millrace/memory/thread_registry.h"

namespace millrace {

inline constexpr std::uint32_t kNoBlock = 0xffffffffu;

enum class FreeResult : std::uint8_t {
  kOk,
  kForeign,     // no block of this slab starts there
  kDoubleFree,  // one does, and it is free
};

// Blocks of memory out of one bounded arena, named by their byte offset. Blocks are aligned to 64
// bytes and not cleared. A request gets the smallest size that fits (SizeClasses); one above the
// largest size gets a run of whole 64 KiB pages.
// allocate, free and all look-ups: any thread, a block may be freed by another thread than its
// allocator. open and close: while nobody else uses the slab.
// Owns the arena and its metadata (metadata_bytes()), nothing else. An allocate-free pair takes
// 6-9 ns out of the thread's cache, which trades with the locked class lists in halves of up to 64
// blocks; a run takes a lock and 20 ns or more. Never calls malloc.
//
// A free is checked, whatever offset it is given: of several threads that free a block at the same
// time, one gets kOk. A block freed twice with an allocation between that got the same block is the
// one mistake that cannot be seen.
//
// The bound: caches may hold blocks, and by them whole pages, while somebody needs memory. An
// allocation that finds no page therefore empties the caches of all threads and looks again; from
// then on caches stay off until a sixteenth of the pages is free. So an allocation fails only if
// no free block of its class and no free page (no adjacent pages, for a run) exists in the arena.
class SlabAllocator final : private ThreadRegistry::Domain {
 public:
  SlabAllocator() = default;
  SlabAllocator(const SlabAllocator&) = delete;
  SlabAllocator& operator=(const SlabAllocator&) = delete;
  ~SlabAllocator() { close(); }

  // EINVAL for options that make no sense, ENOMEM when there is not enough address space.
  SystemError open(const SlabOptions& options) {
    close();
    SizeClasses classes;
    if (!valid(options) || !build(options, classes)) return {EINVAL, "slab_open"};
    const std::uint32_t pages = page_count(options);
    if (auto error = Arena::create(std::size_t{pages} << SlabPage::kShift, arena_)) return error;
    cache_count_ = options.max_thread_caches;
    if (auto error = metadata_.open(pages, classes.count(), cache_count_)) {
      arena_ = Arena();
      return error;
    }
    bytes_ = arena_.max_bytes();
    classes_ = classes;
    max_block_bytes_ = classes.max_block_bytes();
    pool_.open(pages, metadata_.page_bits);
    for (std::uint32_t i = 0; i < classes.count(); ++i) {
      lists_[i].open(i, classes.block_units(i), pool_, metadata_);
    }
    for (std::uint32_t i = 0; i < cache_count_; ++i) open_cache(metadata_.cache(i));
    unclaimed_.store(cache_count_, std::memory_order_relaxed);
    gate_.open(options.use_membarrier);
    requested_bytes_.store(0, std::memory_order_relaxed);
    exhausted_.store(0, std::memory_order_relaxed);
    runs_allocated_.store(0, std::memory_order_relaxed);
    runs_freed_.store(0, std::memory_order_relaxed);
    run_pages_.store(0, std::memory_order_relaxed);
    ThreadRegistry::add(*this);
    return {};
  }

  // Unmaps everything; blocks and data() become invalid. Idempotent. Allocations fail afterwards.
  void close() noexcept {
    if (bytes_ == 0) return;
    ThreadRegistry::remove(*this);
    bytes_ = 0;
    max_block_bytes_ = 0;
    pool_.open(0, nullptr);
    metadata_.close();
    arena_ = Arena();
  }

  // Offset of a block of at least `bytes`, or kNoBlock when there is none (or the slab is closed).
  std::uint32_t allocate(std::size_t bytes) noexcept {
    if (bytes > max_block_bytes_) [[unlikely]]
      return allocate_run(bytes);
    const std::uint32_t size_class = classes_.class_of(bytes);
    if (ThreadCache* const cache = own_cache()) [[likely]] {
      const std::uint32_t block = allocate_cached(*cache, size_class, bytes);
      if (block != kNoBlock) [[likely]]
        return block;
    }
    return allocate_slow(size_class, bytes);
  }

  FreeResult free(std::uint32_t offset) noexcept {
    if (offset >= bytes_ || offset % SizeClasses::kUnitBytes != 0) return FreeResult::kForeign;
    std::atomic<std::uint16_t>& unit = metadata_.units[offset >> SlabPage::kUnitShift];
    std::uint16_t state = unit.load(std::memory_order_relaxed);
    // Relaxed: decides who frees the block, and orders nothing. The next owner gets the block
    // through the lock of its class, or is this thread.
    if ((state & SlabMetadata::kLive) == 0 ||
        !unit.compare_exchange_strong(state, 0, std::memory_order_relaxed)) [[unlikely]] {
      return why_not_live(offset);
    }
    const std::uint32_t size_class = page_class(offset);
    if (size_class == SlabMetadata::kRunPage) [[unlikely]] {
      free_run(offset >> SlabPage::kShift);
      return FreeResult::kOk;
    }
    const std::uint32_t requested =
        classes_.block_bytes(size_class) - (state & SlabMetadata::kSlackMask);
    ThreadCache* const cache = own_cache();
    if (cache == nullptr || !free_cached(*cache, size_class, offset, requested)) [[unlikely]] {
      free_slow(size_class, offset, requested);
    }
    return FreeResult::kOk;
  }

  // Size of the live block that starts there; 0 if none does.
  std::size_t block_bytes(std::uint32_t offset) const noexcept {
    if (!live(offset)) return 0;
    const std::uint32_t size_class = page_class(offset);
    if (size_class != SlabMetadata::kRunPage) return classes_.block_bytes(size_class);
    const SlabPage& page = metadata_.pages[offset >> SlabPage::kShift];
    return std::size_t{page.run_pages.load(std::memory_order_relaxed)} << SlabPage::kShift;
  }

  // Size of the block that a request would get.
  std::size_t class_bytes(std::size_t request) const noexcept {
    if (request <= max_block_bytes_) return classes_.block_bytes(classes_.class_of(request));
    return run_length(request) << SlabPage::kShift;
  }

  std::byte* data(std::uint32_t offset = 0) const noexcept { return arena_.data() + offset; }
  std::size_t max_bytes() const noexcept { return bytes_; }

  // Empties the caches of all threads and gives all free pages back to the system. Answers the
  // bytes given back. Costs microseconds, and a madvise for each stretch of free pages.
  std::size_t trim() noexcept {
    if (bytes_ == 0) return 0;
    empty_caches();
    const std::uint32_t pages = pool_.trim([this](std::uint32_t first, std::uint32_t count) {
      arena_.decommit(std::size_t{first} << SlabPage::kShift,
                      std::size_t{count} << SlabPage::kShift);
    });
    return std::size_t{pages} << SlabPage::kShift;
  }

  SlabStats stats() const noexcept {
    SlabStats stats;
    stats.max_bytes = bytes_;
    if (bytes_ == 0) return stats;
    stats.reserved_bytes = bytes_ + metadata_.bytes();
    stats.committed_bytes = std::size_t{pool_.committed_pages()} << SlabPage::kShift;
    stats.free_pages = pool_.free_pages();
    stats.exhausted = exhausted_.load(std::memory_order_relaxed);
    stats.class_count = classes_.count();
    std::int64_t requested = requested_bytes_.load(std::memory_order_relaxed);
    for (std::uint32_t i = 0; i < cache_count_; ++i) {
      requested += metadata_.cache(i).requested_bytes.load(std::memory_order_relaxed);
    }
    stats.requested_bytes = static_cast<std::size_t>(std::max<std::int64_t>(requested, 0));
    for (std::uint32_t i = 0; i < stats.class_count; ++i) add_class(i, stats);
    const std::uint64_t freed_runs = runs_freed_.load(std::memory_order_relaxed);
    const std::uint64_t runs = runs_allocated_.load(std::memory_order_relaxed);
    stats.allocations += runs;
    stats.frees += freed_runs;
    stats.runs = static_cast<std::uint32_t>(runs - freed_runs);
    stats.run_pages = run_pages_.load(std::memory_order_relaxed);
    stats.in_use_bytes += std::size_t{stats.run_pages} << SlabPage::kShift;
    return stats;
  }

  // Gives the calling thread's cache back; its next call takes one again. Ending does the same.
  void release_thread_cache() noexcept { ThreadRegistry::detach(*this); }

  // Address space of the metadata of a slab with these options, and the most physical memory it can
  // take. 0 for options that open() refuses.
  static std::size_t metadata_bytes(const SlabOptions& options) {
    SizeClasses classes;
    if (!valid(options) || !build(options, classes)) return 0;
    return SlabMetadata::bytes(page_count(options), classes.count(), options.max_thread_caches);
  }

 private:
  // What a thread keeps of one class: as many bytes, and no more than 1/1024 of the arena.
  static constexpr std::size_t kMagazineBytes = std::size_t{64} << 10;

  static bool valid(const SlabOptions& options) {
    return options.max_bytes >= SlabPage::kBytes && options.max_bytes >> 32 == 0 &&
           options.max_thread_caches <= 4096;
  }
  static bool build(const SlabOptions& options, SizeClasses& out) {
    return out.build(options.min_block_bytes, options.max_block_bytes, options.growth);
  }
  static std::uint32_t page_count(const SlabOptions& options) {
    return static_cast<std::uint32_t>(options.max_bytes >> SlabPage::kShift);
  }
  static std::size_t run_length(std::size_t bytes) {
    return (bytes >> SlabPage::kShift) + (bytes % SlabPage::kBytes != 0);
  }

  void open_cache(ThreadCache& cache) {
    const std::size_t limit = std::min(kMagazineBytes, bytes_ / 1024);
    for (std::uint32_t i = 0; i < classes_.count(); ++i) {
      const std::size_t blocks = limit / classes_.block_bytes(i) / 2 * 2;
      cache.magazines()[i].capacity =
          static_cast<std::uint32_t>(std::min<std::size_t>(blocks, Magazine::kMaxBlocks));
    }
  }

  ThreadCache* own_cache() const noexcept {
    return static_cast<ThreadCache*>(ThreadRegistry::find(serial()));
  }

  std::uint32_t page_class(std::uint32_t offset) const noexcept {
    return metadata_.page_class[offset >> SlabPage::kShift].load(std::memory_order_relaxed);
  }

  bool live(std::uint32_t offset) const noexcept {
    return offset < bytes_ && offset % SizeClasses::kUnitBytes == 0 &&
           (metadata_.units[offset >> SlabPage::kUnitShift].load(std::memory_order_relaxed) &
            SlabMetadata::kLive) != 0;
  }

  void mark_live(std::uint32_t block, std::size_t slack) noexcept {
    metadata_.units[block >> SlabPage::kUnitShift].store(
        static_cast<std::uint16_t>(SlabMetadata::kLive | slack), std::memory_order_relaxed);
  }

  // kNoBlock when caches are suspended, or the class has no block and the pool no page.
  std::uint32_t allocate_cached(ThreadCache& cache, std::uint32_t size_class,
                                std::size_t bytes) noexcept {
    if (!gate_.enter(cache.busy)) [[unlikely]]
      return kNoBlock;
    Magazine& magazine = cache.magazines()[size_class];
    if (magazine.count == 0 && !refill(magazine, size_class)) [[unlikely]] {
      gate_.leave(cache.busy);
      return kNoBlock;
    }
    const std::uint32_t block = magazine.blocks[--magazine.count];
    mark_live(block, classes_.block_bytes(size_class) - bytes);
    add_unshared(magazine.allocations, std::uint64_t{1});
    add_unshared(cache.requested_bytes, static_cast<std::int64_t>(bytes));
    gate_.leave(cache.busy);
    return block;
  }

  // False when caches are suspended, or the class is not cached.
  bool free_cached(ThreadCache& cache, std::uint32_t size_class, std::uint32_t block,
                   std::uint32_t requested) noexcept {
    if (!gate_.enter(cache.busy)) [[unlikely]]
      return false;
    Magazine& magazine = cache.magazines()[size_class];
    if (magazine.count >= magazine.capacity && !make_room(magazine, size_class)) [[unlikely]] {
      gate_.leave(cache.busy);
      return false;
    }
    magazine.blocks[magazine.count++] = block;
    add_unshared(magazine.frees, std::uint64_t{1});
    add_unshared(cache.requested_bytes, -std::int64_t{requested});
    gate_.leave(cache.busy);
    return true;
  }

  [[gnu::noinline]] bool refill(Magazine& magazine, std::uint32_t size_class) noexcept {
    const std::uint32_t wanted = std::max(magazine.capacity / 2, 1u);
    magazine.count = lists_[size_class].take(std::span(magazine.blocks, wanted));
    return magazine.count != 0;
  }

  // Gives the older half of a full magazine away. False if the class is not cached.
  [[gnu::noinline]] bool make_room(Magazine& magazine, std::uint32_t size_class) noexcept {
    const std::uint32_t half = magazine.capacity / 2;
    if (half == 0) return false;
    lists_[size_class].give(std::span(magazine.blocks, half));
    std::copy_n(magazine.blocks + half, half, magazine.blocks);
    magazine.count = half;
    return true;
  }

  [[gnu::noinline]] std::uint32_t allocate_slow(std::uint32_t size_class,
                                                std::size_t bytes) noexcept {
    if (bytes_ == 0) return kNoBlock;
    if (ThreadCache* const cache = claimed_cache()) {
      const std::uint32_t block = allocate_cached(*cache, size_class, bytes);
      if (block != kNoBlock) return block;
    }
    SlabClass& list = lists_[size_class];
    std::uint32_t block = kNoBlock;
    if (list.take(std::span(&block, 1)) == 0) {
      empty_caches();
      if (list.take(std::span(&block, 1)) == 0) {
        exhausted_.fetch_add(1, std::memory_order_relaxed);
        return kNoBlock;
      }
    }
    mark_live(block, classes_.block_bytes(size_class) - bytes);
    list.allocations.fetch_add(1, std::memory_order_relaxed);
    requested_bytes_.fetch_add(static_cast<std::int64_t>(bytes), std::memory_order_relaxed);
    return block;
  }

  [[gnu::noinline]] void free_slow(std::uint32_t size_class, std::uint32_t block,
                                   std::uint32_t requested) noexcept {
    if (ThreadCache* const cache = claimed_cache()) {
      if (free_cached(*cache, size_class, block, requested)) return;
    }
    SlabClass& list = lists_[size_class];
    list.frees.fetch_add(1, std::memory_order_relaxed);
    requested_bytes_.fetch_sub(requested, std::memory_order_relaxed);
    if (list.give(std::span(&block, 1))) resume_caches();
  }

  [[gnu::noinline]] std::uint32_t allocate_run(std::size_t bytes) noexcept {
    const std::size_t length = run_length(bytes);
    std::uint32_t first = PagePool::kNoPage;
    if (length <= pool_.pages()) {
      const auto count = static_cast<std::uint32_t>(length);
      first = pool_.take_run(count);
      if (first == PagePool::kNoPage) {
        empty_caches();
        first = pool_.take_run(count);
      }
    }
    if (first == PagePool::kNoPage) {
      exhausted_.fetch_add(1, std::memory_order_relaxed);
      return kNoBlock;
    }
    const auto count = static_cast<std::uint32_t>(length);
    for (std::uint32_t page = first + 1; page < first + count; ++page) {
      metadata_.page_class[page].store(SlabMetadata::kNoBlocks, std::memory_order_relaxed);
    }
    metadata_.page_class[first].store(SlabMetadata::kRunPage, std::memory_order_relaxed);
    SlabPage& page = metadata_.pages[first];
    page.run_pages.store(count, std::memory_order_relaxed);
    page.run_requested.store(static_cast<std::uint32_t>(bytes), std::memory_order_relaxed);
    run_pages_.fetch_add(count, std::memory_order_relaxed);
    runs_allocated_.fetch_add(1, std::memory_order_relaxed);
    requested_bytes_.fetch_add(static_cast<std::int64_t>(bytes), std::memory_order_relaxed);
    const std::uint32_t offset = first << SlabPage::kShift;
    mark_live(offset, 0);
    return offset;
  }

  [[gnu::noinline]] void free_run(std::uint32_t first) noexcept {
    const SlabPage& page = metadata_.pages[first];
    const std::uint32_t count = page.run_pages.load(std::memory_order_relaxed);
    const std::uint32_t bytes = page.run_requested.load(std::memory_order_relaxed);
    run_pages_.fetch_sub(count, std::memory_order_relaxed);
    runs_freed_.fetch_add(1, std::memory_order_relaxed);
    requested_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
    pool_.give(first, count);
    resume_caches();
  }

  // What to answer for an offset that is inside the arena and names no live block.
  [[gnu::noinline]] FreeResult why_not_live(std::uint32_t offset) const noexcept {
    const std::uint32_t size_class = page_class(offset);
    if (size_class == SlabMetadata::kNoBlocks) return FreeResult::kForeign;
    const std::uint32_t inside = offset % SlabPage::kBytes;
    const std::uint32_t size =
        size_class == SlabMetadata::kRunPage ? SlabPage::kBytes : classes_.block_bytes(size_class);
    const bool starts = inside % size == 0 && inside + size <= SlabPage::kBytes;
    return starts ? FreeResult::kDoubleFree : FreeResult::kForeign;
  }

  // This thread's cache, claimed now if there is one to be had.
  ThreadCache* claimed_cache() noexcept {
    if (ThreadCache* const cache = own_cache()) return cache;
    if (unclaimed_.load(std::memory_order_relaxed) == 0) return nullptr;
    return static_cast<ThreadCache*>(ThreadRegistry::attach(*this));
  }

  void* claim() noexcept override {
    for (std::uint32_t i = 0; i < cache_count_; ++i) {
      ThreadCache& cache = metadata_.cache(i);
      if (cache.claimed) continue;
      cache.claimed = true;
      unclaimed_.fetch_sub(1, std::memory_order_relaxed);
      return &cache;
    }
    return nullptr;
  }

  void give_back(void* part) noexcept override {
    ThreadCache& cache = *static_cast<ThreadCache*>(part);
    {
      // Keeps out whoever empties the caches; no owner can be inside but the caller.
      std::lock_guard guard(caches_lock_);
      empty(cache);
    }
    cache.claimed = false;
    unclaimed_.fetch_add(1, std::memory_order_relaxed);
    resume_caches();
  }

  void empty(ThreadCache& cache) noexcept {
    for (std::uint32_t i = 0; i < classes_.count(); ++i) {
      Magazine& magazine = cache.magazines()[i];
      if (magazine.count == 0) continue;
      lists_[i].give(std::span(magazine.blocks, magazine.count));
      magazine.count = 0;
    }
  }

  // Takes all blocks out of all caches, and suspends the caches unless that has freed enough pages.
  // Waits for another thread that does the same.
  [[gnu::noinline]] void empty_caches() noexcept {
    std::lock_guard guard(caches_lock_);
    if (!gate_.suspended()) {
      gate_.suspend();
      for (std::uint32_t i = 0; i < cache_count_; ++i) {
        ThreadCache& cache = metadata_.cache(i);
        gate_.wait_for(cache.busy);
        empty(cache);
      }
    }
    if (enough_free()) gate_.resume();
  }

  void resume_caches() noexcept {
    if (!gate_.suspended() || !enough_free()) return;
    // Whoever holds it looks at the pages when it is done.
    if (!caches_lock_.try_lock()) return;
    gate_.resume();
    caches_lock_.unlock();
  }

  bool enough_free() const noexcept {
    const std::uint32_t pages = pool_.pages();
    return pool_.free_pages() >= std::min(pages, std::max(pages / 16, 2u));
  }

  void add_class(std::uint32_t size_class, SlabStats& stats) const noexcept {
    const SlabClass& list = lists_[size_class];
    std::uint64_t frees = list.frees.load(std::memory_order_relaxed);
    std::uint64_t allocations = list.allocations.load(std::memory_order_relaxed);
    for (std::uint32_t i = 0; i < cache_count_; ++i) {
      const Magazine& magazine = metadata_.cache(i).magazines()[size_class];
      frees += magazine.frees.load(std::memory_order_relaxed);
      allocations += magazine.allocations.load(std::memory_order_relaxed);
    }
    SlabClassStats& out = stats.classes[size_class];
    out.block_bytes = classes_.block_bytes(size_class);
    out.blocks = std::uint64_t{list.page_count()} * (SlabPage::kBytes / out.block_bytes);
    out.in_use = allocations > frees ? allocations - frees : 0;
    stats.allocations += allocations;
    stats.frees += frees;
    stats.in_use_bytes += out.in_use * out.block_bytes;
  }

  std::size_t bytes_ = 0;
  std::uint32_t max_block_bytes_ = 0;
  std::uint32_t cache_count_ = 0;
  Arena arena_;
  SlabMetadata metadata_;
  CacheGate gate_;
  SizeClasses classes_;
  SpinLock caches_lock_;
  std::atomic<std::uint32_t> unclaimed_{0};
  std::array<SlabClass, SizeClasses::kMaxClasses> lists_;
  PagePool pool_;
  alignas(kCacheLineBytes) std::atomic<std::int64_t> requested_bytes_{0};
  std::atomic<std::uint64_t> exhausted_{0};
  std::atomic<std::uint64_t> runs_allocated_{0};
  std::atomic<std::uint64_t> runs_freed_{0};
  std::atomic<std::uint32_t> run_pages_{0};
};

}  // namespace millrace
