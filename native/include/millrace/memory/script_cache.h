#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "millrace/memory/slab_allocator.h"

namespace millrace {

// A few free blocks of each size for one user of a slab, in front of its thread's magazines and
// laid out so that a script can take and put them by itself: a call of native code costs it more
// than the allocation does. The script marks blocks live and free in the slab's metadata as
// SlabAllocator does, free by compare-and-swap from {live, this owner}, so that one of several that
// free a block succeeds; it caches only blocks of its own. One thread puts and takes; flush() is
// for that thread, or for after its end. Any thread may read the figures. Owns its blocks until
// flush(). Holds at most 8 blocks or 64 KiB of a size, and not more than 1/1024 of the arena.
//
//   byte    0  allocations f64: how many blocks were taken from here
//           8  counts u32 x 64: blocks there are, by size class
//         264  blocks u32 x 64 x 8: their offsets, the newest last
class ScriptCache {
 public:
  static constexpr std::uint32_t kBlocks = 8;

  // Most blocks of a class.
  static std::uint32_t limit(const SlabAllocator& slab, std::uint32_t size_class) noexcept {
    // The script knows nothing of guards.
    if constexpr (SlabGuard::kOn) return 0;
    const std::size_t bytes = std::min(std::size_t{64} << 10, slab.max_bytes() / 1024);
    const std::size_t blocks = bytes / slab.classes().block_bytes(size_class);
    return static_cast<std::uint32_t>(std::min<std::size_t>(blocks, kBlocks));
  }

  // Gives all blocks back. False when there were none.
  bool flush(SlabAllocator& slab) noexcept {
    bool any = false;
    for (std::uint32_t size_class = 0; size_class < SizeClasses::kMaxClasses; ++size_class) {
      std::uint32_t count = counts_[size_class].exchange(0, std::memory_order_relaxed);
      for (; count != 0; --count) {
        slab.put_back(blocks_[size_class * kBlocks + count - 1]);
        any = true;
      }
    }
    return any;
  }

  // Whether take_once() got memory: at the second try, which the slab counts no more than once, it
  // finds what lay here.
  template <class Take>
  bool take(SlabAllocator& slab, Take take_once) noexcept {
    if (take_once()) return true;
    if (!flush(slab)) return false;
    slab.forget_exhausted();
    return take_once();
  }

  // Blocks that were taken from here.
  std::uint64_t allocations() const noexcept {
    return static_cast<std::uint64_t>(allocations_.load(std::memory_order_relaxed));
  }

  // Corrects the slab's figures, for which what lies here is in use.
  void correct(SlabStats& stats) const noexcept {
    std::uint64_t held = 0;
    for (std::uint32_t i = 0; i < stats.class_count; ++i) {
      SlabClassStats& row = stats.classes[i];
      const std::uint64_t count =
          std::min<std::uint64_t>(counts_[i].load(std::memory_order_relaxed), row.in_use);
      row.in_use -= count;
      stats.in_use_bytes -= count * row.block_bytes;
      held += count;
    }
    stats.allocations += allocations();
    stats.frees += allocations() + held;
  }

 private:
  std::atomic<double> allocations_{0};
  std::atomic<std::uint32_t> counts_[SizeClasses::kMaxClasses]{};
  std::uint32_t blocks_[SizeClasses::kMaxClasses * kBlocks]{};
};
static_assert(sizeof(ScriptCache) == 8 + 4 * 64 + 4 * 64 * 8);

}  // namespace millrace
