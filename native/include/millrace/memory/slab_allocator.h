#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "millrace/base/system_error.h"
#include "millrace/memory/arena.h"
#include "millrace/memory/magazine.h"
#include "millrace/memory/page_pool.h"
#include "millrace/memory/page_runs.h"
#include "millrace/memory/poison.h"
#include "millrace/memory/size_classes.h"
#include "millrace/memory/slab_caches.h"
#include "millrace/memory/slab_class.h"
#include "millrace/memory/slab_metadata.h"
#include "millrace/memory/slab_options.h"
#include "millrace/memory/slab_stats.h"

namespace millrace {

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
// Owns the arena and its metadata (metadata_bytes()), nothing else; never calls malloc. An
// allocate-free pair takes about 7 ns out of the thread's cache, and twice that in code of a shared
// library, for which thread-local storage is a call. The cache trades with the locked lists of the
// classes in halves of up to 64 blocks. A run takes a lock and 20 ns or more.
//
// A free is checked, whatever offset it is given: of several threads that free a block at the same
// time, one gets kOk. A block freed twice with an allocation between that got the same block is the
// one mistake that cannot be seen.
//
// The bound: caches may hold blocks, and by them whole pages, while somebody needs memory. An
// allocation that finds no page therefore empties the caches of all threads and looks again; from
// then on caches stay off until a sixteenth of the pages is free. So an allocation fails only if
// no free block of its class and no free page (no adjacent pages, for a run) exists in the arena.
class SlabAllocator {
 public:
  SlabAllocator() = default;
  SlabAllocator(const SlabAllocator&) = delete;
  SlabAllocator& operator=(const SlabAllocator&) = delete;
  ~SlabAllocator() { close(); }

  // EINVAL for options that make no sense, ENOMEM when there is not enough address space.
  SystemError open(const SlabOptions& options) {
    close();
    SlabPlan plan;
    if (!plan.make(options)) return {EINVAL, "slab_open"};
    Arena arena;
    if (auto error = Arena::create(std::size_t{plan.pages} << SlabPage::kShift, arena))
      return error;
    if (auto error = metadata_.open(plan.pages, plan.cache_bytes)) return error;
    arena_ = std::move(arena);
    classes_ = plan.classes;
    max_block_bytes_ = classes_.max_block_bytes();
    units_ = plan.pages * SlabPage::kUnits;
    pool_.open(plan.pages, metadata_.page_bits);
    for (std::uint32_t i = 0; i < classes_.count(); ++i) {
      lists_[i].open(i, classes_.block_units(i), pool_, metadata_);
    }
    runs_.open(classes_.count(), pool_, metadata_);
    uncached_.store(0, std::memory_order_relaxed);
    exhausted_.store(0, std::memory_order_relaxed);
    caches_.open(classes_, lists_, pool_, metadata_.caches, options.max_thread_caches,
                 options.use_membarrier);
    return {};
  }

  // Unmaps everything; blocks and data() become invalid. Allocations fail from now on, and every
  // offset is foreign. Idempotent.
  void close() noexcept {
    if (units_ == 0) return;
    caches_.close();
    units_ = 0;
    max_block_bytes_ = 0;
    pool_.open(0, nullptr);
    metadata_.close();
    unpoison(arena_.data(), arena_.max_bytes());
    arena_ = Arena();
  }

  // Offset of a block of at least `bytes`, or kNoBlock when there is none (or the slab is closed).
  std::uint32_t allocate(std::size_t bytes) noexcept {
    if (bytes > max_block_bytes_) [[unlikely]]
      return allocate_run(bytes);
    const std::uint32_t size_class = classes_.class_of(bytes);
    ThreadRegistry::Thread& self = ThreadRegistry::self();
    if (SlabCache* const cache = caches_.enter(self)) [[likely]] {
      const std::uint32_t block = allocate_from(cache->magazine(size_class), bytes);
      caches_.leave(self);
      if (block != kNoBlock) [[likely]]
        return block;
    }
    return allocate_slow(size_class, bytes);
  }

  FreeResult free(std::uint32_t offset) noexcept {
    // An offset that is not a multiple of 64 becomes too large by this, too.
    const std::uint32_t index = std::rotr(offset, SlabPage::kUnitShift);
    if (index >= units_) [[unlikely]]
      return FreeResult::kForeign;
    // Relaxed: decides who frees the block, and orders nothing. The block's next owner gets it from
    // this thread or through the lock of its class. What is not live is 0 already.
    const std::uint32_t state = metadata_.units[index].exchange(0, std::memory_order_relaxed);
    if (state == 0) [[unlikely]]
      return why_not_live(offset);
    const std::uint32_t size_class = page_class(offset);
    if constexpr (kPoisons) poison(data(offset), size_of(size_class, offset));
    ThreadRegistry::Thread& self = ThreadRegistry::self();
    if (SlabCache* const cache = caches_.enter(self)) [[likely]] {
      const bool cached = cache->magazine(size_class).push(offset);
      caches_.leave(self);
      if (cached) [[likely]]
        return FreeResult::kOk;
    }
    return free_slow(size_class, offset);
  }

  // Size of the live block that starts there; 0 if none does.
  std::size_t block_bytes(std::uint32_t offset) const noexcept {
    const std::uint32_t index = std::rotr(offset, SlabPage::kUnitShift);
    if (index >= units_ || metadata_.units[index].load(std::memory_order_relaxed) == 0) return 0;
    return size_of(page_class(offset), offset);
  }

  // Size of the block that a request would get.
  std::size_t class_bytes(std::size_t request) const noexcept {
    if (request <= max_block_bytes_) return classes_.block_bytes(classes_.class_of(request));
    return PageRuns::length(request) << SlabPage::kShift;
  }

  std::byte* data(std::uint32_t offset = 0) const noexcept { return arena_.data() + offset; }
  std::size_t max_bytes() const noexcept { return arena_.max_bytes(); }
  // Pages of no class, and all that there are; a lock is taken to read the former.
  std::uint32_t free_pages() const noexcept { return pool_.free_pages(); }
  std::uint32_t pages() const noexcept { return pool_.pages(); }

  // Empties the caches of all threads and gives all free pages back to the system. Answers the
  // bytes given back. Costs microseconds, and a madvise for each stretch of free pages.
  std::size_t trim() noexcept {
    if (units_ == 0) return 0;
    caches_.empty_all();
    const std::uint32_t pages = pool_.trim([this](std::uint32_t first, std::uint32_t count) {
      arena_.decommit(std::size_t{first} << SlabPage::kShift,
                      std::size_t{count} << SlabPage::kShift);
    });
    return std::size_t{pages} << SlabPage::kShift;
  }

  // Looks at every live block, for requested_bytes: about a nanosecond each.
  SlabStats stats() const noexcept {
    SlabStats stats;
    if (units_ == 0) return stats;
    stats.max_bytes = arena_.max_bytes();
    stats.reserved_bytes = arena_.max_bytes() + metadata_.bytes();
    stats.committed_bytes = std::size_t{pool_.committed_pages()} << SlabPage::kShift;
    stats.free_pages = pool_.free_pages();
    stats.exhausted = exhausted_.load(std::memory_order_relaxed);
    stats.requested_bytes = metadata_.requested_bytes(pool_.pages(), classes_);
    stats.allocations = uncached_.load(std::memory_order_relaxed) + runs_.taken();
    stats.runs = runs_.taken() - runs_.given();
    stats.run_pages = runs_.pages();
    stats.in_use_bytes = std::size_t{stats.run_pages} << SlabPage::kShift;
    std::uint64_t in_use = stats.runs;
    stats.class_count = classes_.count();
    for (std::uint32_t i = 0; i < stats.class_count; ++i) {
      const SlabClass::Figures list = lists_[i].figures();
      const SlabCaches::Figures cached = caches_.figures(i);
      SlabClassStats& out = stats.classes[i];
      out.block_bytes = classes_.block_bytes(i);
      out.blocks = std::uint64_t{list.pages} * (SlabPage::kBytes / out.block_bytes);
      out.in_use = list.blocks_out > cached.held ? list.blocks_out - cached.held : 0;
      in_use += out.in_use;
      stats.in_use_bytes += out.in_use * out.block_bytes;
      stats.allocations += cached.allocations;
    }
    stats.frees = stats.allocations > in_use ? stats.allocations - in_use : 0;
    return stats;
  }

  // Gives the calling thread's cache back; its next call takes one again. Ending does the same.
  void release_thread_cache() noexcept { caches_.detach(); }

  // Address space of the metadata of a slab with these options, and the most physical memory it can
  // take. 0 for options that open() refuses.
  static std::size_t metadata_bytes(const SlabOptions& options) {
    SlabPlan plan;
    return plan.make(options) ? plan.metadata_bytes : 0;
  }

 private:
  std::uint32_t page_class(std::uint32_t offset) const noexcept {
    return metadata_.page_class[offset >> SlabPage::kShift].load(std::memory_order_relaxed);
  }

  // Of a live block.
  std::size_t size_of(std::uint32_t size_class, std::uint32_t offset) const noexcept {
    return size_class < classes_.count() ? classes_.block_bytes(size_class) : runs_.bytes(offset);
  }

  // Relaxed: a thread that frees the block got its offset from this one.
  void mark_live(std::uint32_t block, std::size_t size, std::size_t slack) noexcept {
    unpoison(data(block), size);
    metadata_.units[block >> SlabPage::kUnitShift].store(
        static_cast<std::uint16_t>(SlabMetadata::kLive | slack), std::memory_order_relaxed);
  }

  std::uint32_t allocate_from(Magazine& magazine, std::size_t bytes) noexcept {
    const std::uint32_t block = magazine.pop();
    if (block != kNoBlock) [[likely]]
      mark_live(block, magazine.block_bytes(), magazine.block_bytes() - bytes);
    return block;
  }

  // From the common memory; when that has nothing, once more with what the caches held.
  template <class Take>
  std::uint32_t take(Take take_once) noexcept {
    std::uint32_t block = take_once();
    if (block == kNoBlock) {
      caches_.empty_all();
      block = take_once();
    }
    if (block == kNoBlock) exhausted_.fetch_add(1, std::memory_order_relaxed);
    return block;
  }

  // The two slow paths do all that takes a lock, and leave the fast ones without a call to return
  // from: they need no registers saved.
  [[gnu::noinline]] std::uint32_t allocate_slow(std::uint32_t size_class,
                                                std::size_t bytes) noexcept {
    if (units_ == 0) return kNoBlock;
    ThreadRegistry::Thread& self = ThreadRegistry::self();
    if (SlabCache* const cache = caches_.enter_slow(self)) {
      Magazine& magazine = cache->magazine(size_class);
      std::uint32_t block = allocate_from(magazine, bytes);
      if (block == kNoBlock && magazine.refill(lists_[size_class])) {
        block = allocate_from(magazine, bytes);
      }
      caches_.leave(self);
      if (block != kNoBlock) return block;
    }
    const std::uint32_t block = take([&] { return lists_[size_class].take_one(); });
    if (block == kNoBlock) return kNoBlock;
    const std::size_t size = classes_.block_bytes(size_class);
    mark_live(block, size, size - bytes);
    uncached_.fetch_add(1, std::memory_order_relaxed);
    return block;
  }

  [[gnu::noinline]] std::uint32_t allocate_run(std::size_t bytes) noexcept {
    if (bytes > arena_.max_bytes()) return kNoBlock;
    const std::uint32_t block = take([&] { return runs_.take(bytes); });
    if (block == kNoBlock) return kNoBlock;
    mark_live(block, runs_.bytes(block), 0);
    return block;
  }

  [[gnu::noinline]] FreeResult free_slow(std::uint32_t size_class, std::uint32_t block) noexcept {
    if (size_class == classes_.count()) {
      runs_.give(block);
      caches_.pages_freed();
      return FreeResult::kOk;
    }
    SlabClass& list = lists_[size_class];
    ThreadRegistry::Thread& self = ThreadRegistry::self();
    if (SlabCache* const cache = caches_.enter_slow(self)) {
      Magazine& magazine = cache->magazine(size_class);
      const bool cached =
          magazine.push(block) || (magazine.make_room(list) && magazine.push(block));
      caches_.leave(self);
      if (cached) return FreeResult::kOk;
    }
    if (list.give(std::span(&block, 1))) caches_.pages_freed();
    return FreeResult::kOk;
  }

  // What to answer for a unit of the arena where no live block starts.
  [[gnu::noinline]] FreeResult why_not_live(std::uint32_t offset) const noexcept {
    return metadata_.block_starts(offset, classes_) ? FreeResult::kDoubleFree
                                                    : FreeResult::kForeign;
  }

  std::uint32_t units_ = 0;  // 64-byte units of the arena; 0: closed
  std::uint32_t max_block_bytes_ = 0;
  Arena arena_;
  SlabMetadata metadata_;
  SizeClasses classes_;
  SlabCaches caches_;
  std::array<SlabClass, SizeClasses::kMaxClasses + 1> lists_;  // the last stands for runs: unused
  PagePool pool_;
  PageRuns runs_;
  std::atomic<std::uint64_t> uncached_{0};  // allocations from a class without a cache between
  std::atomic<std::uint64_t> exhausted_{0};
};

}  // namespace millrace
