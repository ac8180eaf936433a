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
#include "millrace/memory/size_classes.h"
#include "millrace/memory/slab_caches.h"
#include "millrace/memory/slab_class.h"
#include "millrace/memory/slab_guard.h"
#include "millrace/memory/slab_metadata.h"
#include "millrace/memory/slab_options.h"
#include "millrace/memory/slab_owners.h"
#include "millrace/memory/slab_stats.h"

namespace millrace {

enum class FreeResult : std::uint8_t {
  kOk,
  kForeign,     // no block of this slab starts there
  kDoubleFree,  // one does, and it is free
  kOverrun,     // it was freed, but written to behind its end (SlabGuard)
};

// Blocks of memory out of one bounded arena, named by their byte offset. Blocks are aligned to 64
// bytes and not cleared. A request gets the smallest size that fits (SizeClasses); one above a page
// of 64 KiB gets a run of whole ones.
// allocate, free and all look-ups: any thread, a block may be freed by another thread than its
// allocator. open and close: while nobody else uses the slab.
// Owns the arena and its metadata (metadata_bytes()), nothing else; never calls malloc. An
// allocate-free pair takes about 7 ns out of the thread's cache, and twice that in code of a shared
// library, for which thread-local storage is a call. The cache trades with the locked lists of the
// classes in halves of up to 64 blocks. A run takes a lock and 20 ns or more.
//
// A free is checked, whatever offset it is given: of several threads that free a block at the same
// time, one gets kOk. A block freed twice with an allocation between that got the same block is the
// one mistake that cannot be seen. A build for debugging sees writes behind blocks (SlabGuard).
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
    if (auto error = metadata_.open(plan.pages, plan.cache_bytes, options.track_owners))
      return error;
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
  // `owner`: whose it is, if it is anybody's.
  std::uint32_t allocate(std::size_t bytes, SlabOwner owner = kNobody) noexcept {
    if (SlabGuard::with_zone(bytes) > max_block_bytes_) [[unlikely]]
      return allocate_run(bytes, owner);
    const std::uint32_t size_class = class_for(bytes);
    ThreadRegistry::Thread& self = ThreadRegistry::self();
    if (SlabCache* const cache = caches_.enter(self)) [[likely]] {
      const std::uint32_t block = allocate_from(cache->magazine(size_class), bytes, owner);
      caches_.leave(self);
      if (block != kNoBlock) [[likely]]
        return block;
    }
    return allocate_slow(size_class, bytes, owner);
  }

  // Fills `out` and answers how many blocks that are: fewer than asked for when there are no more.
  // Costs a lock for 64 of them, and a few nanoseconds each.
  std::size_t allocate_many(std::size_t bytes, std::span<std::uint32_t> out,
                            SlabOwner owner = kNobody) noexcept;

  FreeResult free(std::uint32_t offset) noexcept {
    const FreeResult result = unmark(offset);
    return result == FreeResult::kOk ? put_back(offset) : result;
  }

  // Frees them one by one, those after a wrong one too. What is wrong with the first such one, and
  // where it stands; kOk if none is.
  struct Refused {
    FreeResult result = FreeResult::kOk;
    std::size_t index = 0;
  };
  Refused free_many(std::span<const std::uint32_t> blocks) noexcept;

  // A number for a new owner of blocks, to be closed. kNobody: owners are not tracked, or 4095
  // live.
  SlabOwner open_owner() noexcept;

  // Frees all that is still this owner's, and answers how many blocks that were. Looks at every
  // live block. REQUIRES: nobody allocates in its name, or takes blocks over for it, any more.
  std::size_t close_owner(SlabOwner owner) noexcept;

  // The live block that starts there becomes `owner`'s, or nobody's: that is how a block is handed
  // on. False: there is none, or owners are not tracked. REQUIRES: the caller may use the block.
  bool set_owner(std::uint32_t offset, SlabOwner owner) noexcept;

  // Size of the live block that starts there; 0 if none does.
  std::size_t block_bytes(std::uint32_t offset) const noexcept {
    const std::uint32_t index = std::rotr(offset, SlabPage::kUnitShift);
    if (index >= units_ || metadata_.units[index].load(std::memory_order_relaxed) == 0) return 0;
    return size_of(page_class(offset), offset) - SlabGuard::kBytes;
  }

  // Size of the block that a request would get.
  std::size_t class_bytes(std::size_t request) const noexcept {
    const std::size_t whole = SlabGuard::with_zone(request);
    if (whole <= max_block_bytes_)
      return classes_.block_bytes(class_for(request)) - SlabGuard::kBytes;
    return (PageRuns::length(whole) << SlabPage::kShift) - SlabGuard::kBytes;
  }

  // For such a cache: what marks a block.
  const SlabMetadata& metadata() const noexcept { return metadata_; }
  const SizeClasses& classes() const noexcept { return classes_; }

  std::byte* data(std::uint32_t offset = 0) const noexcept { return arena_.data() + offset; }
  std::size_t max_bytes() const noexcept { return arena_.max_bytes(); }
  // Pages of no class, and all that there are; a lock is taken to read the former.
  std::uint32_t free_pages() const noexcept { return pool_.free_pages(); }
  std::uint32_t pages() const noexcept { return pool_.pages(); }

  // Empties the caches of all threads and gives all free pages back to the system. Answers the
  // bytes given back. Costs microseconds, and a madvise for each stretch of free pages.
  std::size_t trim() noexcept;

  // Gives the free pages back that nobody has needed since the last call, and answers the bytes. To
  // be called every so many seconds: that is how memory decays when it is no longer used.
  std::size_t decay() noexcept;

  // For a cache in front of this one, whose blocks are given back before another try.
  void forget_exhausted() noexcept { exhausted_.fetch_sub(1, std::memory_order_relaxed); }

  // Looks at every live block, for requested_bytes: about a nanosecond each.
  SlabStats stats() const noexcept;

  // For a cache that lies in front of this one: takes a block that is marked as not live already
  // (see SlabMetadata), and that nobody else has.
  FreeResult put_back(std::uint32_t block) noexcept {
    const std::uint32_t size_class = page_class(block);
    const FreeResult result = retire(size_class, block);
    ThreadRegistry::Thread& self = ThreadRegistry::self();
    if (SlabCache* const cache = caches_.enter(self)) [[likely]] {
      const bool cached = cache->magazine(size_class).push(block);
      caches_.leave(self);
      if (cached) [[likely]]
        return result;
    }
    free_slow(size_class, block);
    return result;
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
  void mark_live(std::uint32_t block, std::size_t size, std::size_t slack,
                 SlabOwner owner) noexcept {
    SlabGuard::begin(data(block), size);
    const std::uint32_t index = block >> SlabPage::kUnitShift;
    std::size_t rest = slack;
    if (metadata_.slack != nullptr) {
      metadata_.slack[index].store(static_cast<std::uint16_t>(slack), std::memory_order_relaxed);
      rest = owner;
    } else if (slack >= SlabMetadata::kRestMask) [[unlikely]] {
      rest = metadata_.note_large_slack(block, size, slack);
    }
    metadata_.units[index].store(static_cast<std::uint16_t>(SlabMetadata::kLive | rest),
                                 std::memory_order_relaxed);
  }

  // REQUIRES: a block for so many bytes has a class.
  std::uint32_t class_for(std::size_t bytes) const noexcept {
    return classes_.class_of(SlabGuard::with_zone(bytes));
  }

  // The end of a block's life, before anybody else can get it.
  FreeResult retire(std::uint32_t size_class, std::uint32_t block) noexcept {
    if constexpr (!kPoisons && !SlabGuard::kOn) return FreeResult::kOk;
    const bool intact = SlabGuard::end(data(block), size_of(size_class, block));
    return intact ? FreeResult::kOk : FreeResult::kOverrun;
  }

  // From now on the block is not live.
  FreeResult unmark(std::uint32_t offset) noexcept {
    // An offset that is not a multiple of 64 becomes too large by this, too.
    const std::uint32_t index = std::rotr(offset, SlabPage::kUnitShift);
    if (index >= units_) [[unlikely]]
      return FreeResult::kForeign;
    // Relaxed: decides who frees the block, and orders nothing. The block's next owner gets it from
    // this thread or through the lock of its class. What is not live is 0 already.
    if (metadata_.units[index].exchange(0, std::memory_order_relaxed) == 0) [[unlikely]]
      return why_not_live(offset);
    return FreeResult::kOk;
  }

  std::uint32_t allocate_from(Magazine& magazine, std::size_t bytes, SlabOwner owner) noexcept {
    const std::uint32_t block = magazine.pop();
    if (block != kNoBlock) [[likely]]
      mark_live(block, magazine.block_bytes(), magazine.block_bytes() - bytes, owner);
    return block;
  }

  static constexpr std::size_t kStayInside = 1024;

  template <class Pages>
  std::size_t release(Pages pages) noexcept;

  // The slow paths do all that takes a lock, and leave the fast ones without a call to return from:
  // they need no registers saved. See slab_slow_paths.h.
  template <class Take>
  bool take(Take take_once) noexcept;
  std::uint32_t allocate_slow(std::uint32_t size_class, std::size_t bytes,
                              SlabOwner owner) noexcept;
  std::uint32_t allocate_run(std::size_t bytes, SlabOwner owner) noexcept;
  void free_slow(std::uint32_t size_class, std::uint32_t block) noexcept;
  bool put_into(SlabCache& cache, std::uint32_t size_class, std::uint32_t block) noexcept;
  FreeResult why_not_live(std::uint32_t offset) const noexcept;

  std::uint32_t units_ = 0;  // 64-byte units of the arena; 0: closed
  std::uint32_t max_block_bytes_ = 0;
  Arena arena_;
  SlabMetadata metadata_;
  SizeClasses classes_;
  SlabCaches caches_;
  std::array<SlabClass, SizeClasses::kMaxClasses + 1> lists_;  // the last stands for runs: unused
  PagePool pool_;
  PageRuns runs_;
  SlabOwners owners_;
  std::atomic<std::uint64_t> uncached_{0};  // allocations from a class without a cache between
  std::atomic<std::uint64_t> exhausted_{0};
};

}  // namespace millrace

#include "millrace/memory/slab_slow_paths.h"
