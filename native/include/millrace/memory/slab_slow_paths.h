#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "millrace/memory/slab_allocator.h"

// What SlabAllocator does with a lock, or for many blocks at a time. Included by slab_allocator.h.

namespace millrace {

// Whether take_once() got something from the common memory; if it did not, it is called once more
// with what the caches held.
template <class Take>
bool SlabAllocator::take(Take take_once) noexcept {
  if (take_once()) return true;
  caches_.empty_all();
  if (take_once()) return true;
  exhausted_.fetch_add(1, std::memory_order_relaxed);
  return false;
}

[[gnu::noinline]] inline std::uint32_t SlabAllocator::allocate_slow(std::uint32_t size_class,
                                                                    std::size_t bytes,
                                                                    SlabOwner owner) noexcept {
  if (units_ == 0) return kNoBlock;
  ThreadRegistry::Thread& self = ThreadRegistry::self();
  if (SlabCache* const cache = caches_.enter_slow(self)) {
    Magazine& magazine = cache->magazine(size_class);
    std::uint32_t block = allocate_from(magazine, bytes, owner);
    if (block == kNoBlock && magazine.refill(lists_[size_class])) {
      block = allocate_from(magazine, bytes, owner);
    }
    caches_.leave(self);
    if (block != kNoBlock) return block;
  }
  std::uint32_t block = kNoBlock;
  const auto take_one = [&] { return (block = lists_[size_class].take_one()) != kNoBlock; };
  if (!take(take_one)) return kNoBlock;
  const std::size_t size = classes_.block_bytes(size_class);
  mark_live(block, size, size - bytes, owner);
  uncached_.fetch_add(1, std::memory_order_relaxed);
  return block;
}

[[gnu::noinline]] inline std::uint32_t SlabAllocator::allocate_run(std::size_t bytes,
                                                                   SlabOwner owner) noexcept {
  std::uint32_t block = kNoBlock;
  const std::size_t whole = SlabGuard::with_zone(bytes);
  if (bytes > arena_.max_bytes()) {
    exhausted_.fetch_add(1, std::memory_order_relaxed);
    return kNoBlock;
  }
  if (!take([&] { return (block = runs_.take(whole)) != kNoBlock; })) return kNoBlock;
  mark_live(block, runs_.bytes(block), 0, owner);
  return block;
}

[[gnu::noinline]] inline void SlabAllocator::free_slow(std::uint32_t size_class,
                                                       std::uint32_t block) noexcept {
  if (size_class == classes_.count()) {
    runs_.give(block);
    caches_.pages_freed();
    return;
  }
  SlabClass& list = lists_[size_class];
  ThreadRegistry::Thread& self = ThreadRegistry::self();
  if (SlabCache* const cache = caches_.enter_slow(self)) {
    const bool cached = put_into(*cache, size_class, block);
    caches_.leave(self);
    if (cached) return;
  }
  if (list.give(std::span(&block, 1))) caches_.pages_freed();
}

// False when the cache keeps no blocks of that class.
inline bool SlabAllocator::put_into(SlabCache& cache, std::uint32_t size_class,
                                    std::uint32_t block) noexcept {
  Magazine& magazine = cache.magazine(size_class);
  if (magazine.push(block)) return true;
  return size_class != classes_.count() && magazine.make_room(lists_[size_class]) &&
         magazine.push(block);
}

// What to answer for a unit of the arena where no live block starts.
[[gnu::noinline]] inline FreeResult SlabAllocator::why_not_live(
    std::uint32_t offset) const noexcept {
  return metadata_.block_starts(offset, classes_) ? FreeResult::kDoubleFree : FreeResult::kForeign;
}

inline std::size_t SlabAllocator::allocate_many(std::size_t bytes, std::span<std::uint32_t> out,
                                                SlabOwner owner) noexcept {
  std::size_t count = 0;
  if (units_ == 0) return 0;
  if (SlabGuard::with_zone(bytes) > max_block_bytes_) {
    while (count < out.size() && (out[count] = allocate_run(bytes, owner)) != kNoBlock) ++count;
    return count;
  }
  const std::uint32_t size_class = class_for(bytes);
  ThreadRegistry::Thread& self = ThreadRegistry::self();
  SlabCache* cache = caches_.enter(self);
  if (cache == nullptr) cache = caches_.enter_slow(self);
  if (cache != nullptr) {
    Magazine& magazine = cache->magazine(size_class);
    while (count < out.size() && (out[count] = allocate_from(magazine, bytes, owner)) != kNoBlock) {
      ++count;
    }
    caches_.leave(self);
  }
  // The rest past the cache: there is nothing to be gained by filling it first.
  const std::size_t size = classes_.block_bytes(size_class);
  while (count < out.size()) {
    const std::span<std::uint32_t> batch =
        out.subspan(count, std::min<std::size_t>(out.size() - count, Magazine::kMaxBlocks));
    std::uint32_t taken = 0;
    if (!take([&] { return (taken = lists_[size_class].take(batch)) != 0; })) break;
    for (const std::uint32_t block : batch.first(taken))
      mark_live(block, size, size - bytes, owner);
    uncached_.fetch_add(taken, std::memory_order_relaxed);
    count += taken;
  }
  return count;
}

inline SlabAllocator::Refused SlabAllocator::free_many(
    std::span<const std::uint32_t> blocks) noexcept {
  Refused refused;
  ThreadRegistry::Thread& self = ThreadRegistry::self();
  std::size_t i = 0;
  while (i < blocks.size()) {
    SlabCache* cache = caches_.enter(self);
    if (cache == nullptr) cache = caches_.enter_slow(self);
    // Not for ever: somebody may wait until this thread is outside.
    const std::size_t end = std::min<std::size_t>(i + kStayInside, blocks.size());
    std::uint32_t left_over = kNoBlock;
    for (; i < end && left_over == kNoBlock; ++i) {
      const std::uint32_t block = blocks[i];
      FreeResult result = unmark(block);
      const bool was_live = result == FreeResult::kOk;
      const std::uint32_t size_class = was_live ? page_class(block) : 0;
      if (was_live) result = retire(size_class, block);
      if (result != FreeResult::kOk && refused.result == FreeResult::kOk) refused = {result, i};
      if (!was_live) continue;
      if (cache == nullptr || !put_into(*cache, size_class, block)) left_over = block;
    }
    if (cache != nullptr) caches_.leave(self);
    if (left_over != kNoBlock) free_slow(page_class(left_over), left_over);
  }
  return refused;
}

template <class Pages>
std::size_t SlabAllocator::release(Pages pages) noexcept {
  const auto give_back = [this](std::uint32_t first, std::uint32_t count) {
    arena_.decommit(std::size_t{first} << SlabPage::kShift, std::size_t{count} << SlabPage::kShift);
  };
  return std::size_t{pages(give_back)} << SlabPage::kShift;
}

inline std::size_t SlabAllocator::trim() noexcept {
  if (units_ == 0) return 0;
  caches_.empty_all();
  return release([this](auto give_back) { return pool_.trim(give_back); });
}

inline std::size_t SlabAllocator::decay() noexcept {
  if (units_ == 0) return 0;
  return release([this](auto give_back) { return pool_.decay(give_back); });
}

inline SlabStats SlabAllocator::stats() const noexcept {
  SlabStats stats;
  if (units_ == 0) return stats;
  stats.max_bytes = arena_.max_bytes();
  stats.reserved_bytes = arena_.max_bytes() + metadata_.bytes();
  stats.exhausted = exhausted_.load(std::memory_order_relaxed);
  stats.allocations = uncached_.load(std::memory_order_relaxed);
  stats.add(classes_, lists_, caches_, metadata_, pool_, runs_);
  return stats;
}

inline SlabOwner SlabAllocator::open_owner() noexcept {
  return metadata_.slack == nullptr || units_ == 0 ? kNobody : owners_.take();
}

inline std::size_t SlabAllocator::close_owner(SlabOwner owner) noexcept {
  if (owner == kNobody || units_ == 0) return 0;
  std::size_t count = 0;
  const auto mine = static_cast<std::uint16_t>(SlabMetadata::kLive | owner);
  metadata_.for_each_live(
      pool_.pages(), classes_, [&](std::uint32_t offset, std::uint32_t, std::uint16_t state) {
        // One word says both that the block is live and whose it is: somebody else who frees it
        // meanwhile, and a third who gets it, cannot be robbed.
        if (state != mine) return;
        std::atomic<std::uint16_t>& unit = metadata_.units[offset >> SlabPage::kUnitShift];
        if (!unit.compare_exchange_strong(state, 0, std::memory_order_relaxed)) return;
        put_back(offset);
        ++count;
      });
  owners_.give(owner);
  return count;
}

inline bool SlabAllocator::set_owner(std::uint32_t offset, SlabOwner owner) noexcept {
  const std::uint32_t index = std::rotr(offset, SlabPage::kUnitShift);
  if (index >= units_ || metadata_.slack == nullptr) return false;
  std::atomic<std::uint16_t>& unit = metadata_.units[index];
  std::uint16_t state = unit.load(std::memory_order_relaxed);
  const auto next = static_cast<std::uint16_t>(SlabMetadata::kLive | owner);
  while (state != 0) {
    // Relaxed: decides whose the block is, and orders nothing.
    if (unit.compare_exchange_weak(state, next, std::memory_order_relaxed)) return true;
  }
  return false;
}

}  // namespace millrace
