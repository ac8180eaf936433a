#pragma once

#include <sys/mman.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "millrace/base/system_error.h"
#include "millrace/memory/page_pool.h"
#include "millrace/memory/size_classes.h"
#include "millrace/memory/slab_page.h"

namespace millrace {

// Everything a slab knows about its arena, in one mapping of its own: JavaScript can write to the
// arena, and must not be able to break the allocator with it. Physical memory is taken as pages of
// the arena come into use.
// open() and close() on one thread; what the parts hold is synchronised by their users.
// Owns the mapping. Per 64 KiB of arena: 2 KiB of unit states (and 2 KiB more where owners are
// tracked), a SlabPage, a byte, two bits.
class SlabMetadata {
 public:
  // In page_class: there are no blocks in this page, or it is inside a run.
  static constexpr std::uint8_t kNoBlocks = 0xff;

  // In units: a live block starts here. The other bits are how many bytes less than it has were
  // asked for or, where owners are tracked, its owner, so that one word says whether a block is
  // live and whose. Anything else is 0.
  static constexpr std::uint16_t kLive = 0x8000;
  static constexpr std::uint16_t kRestMask = 0x7fff;

  SlabMetadata() = default;
  SlabMetadata(const SlabMetadata&) = delete;
  SlabMetadata& operator=(const SlabMetadata&) = delete;
  ~SlabMetadata() { close(); }

  SystemError open(std::uint32_t page_count, std::size_t cache_bytes, bool track_owners) {
    const Layout layout(page_count, cache_bytes, track_owners);
    void* const memory = ::mmap(nullptr, layout.total, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return last_system_error("mmap");
    base_ = static_cast<std::byte*>(memory);
    bytes_ = layout.total;
    caches = base_ + layout.caches;
    pages = reinterpret_cast<SlabPage*>(base_ + layout.pages);
    units = reinterpret_cast<std::atomic<std::uint16_t>*>(base_ + layout.units);
    slack = track_owners ? reinterpret_cast<std::atomic<std::uint16_t>*>(base_ + layout.slack)
                         : nullptr;
    page_class = reinterpret_cast<std::atomic<std::uint8_t>*>(base_ + layout.page_class);
    for (std::uint32_t page = 0; page < page_count; ++page) {
      page_class[page].store(kNoBlocks, std::memory_order_relaxed);
    }
    page_bits = reinterpret_cast<std::uint64_t*>(base_ + layout.page_bits);
    return {};
  }

  void close() noexcept {
    if (base_ != nullptr) ::munmap(base_, bytes_);
    base_ = nullptr;
    bytes_ = 0;
  }

  std::byte* base() const noexcept { return base_; }
  std::size_t bytes() const noexcept { return bytes_; }
  static std::size_t bytes(std::uint32_t page_count, std::size_t cache_bytes, bool track_owners) {
    return Layout(page_count, cache_bytes, track_owners).total;
  }

  // Whether a block, live or not, starts at a multiple of 64, as its page is used now or was last.
  bool block_starts(std::uint32_t offset, const SizeClasses& classes) const noexcept {
    const std::uint32_t size_class =
        page_class[offset >> SlabPage::kShift].load(std::memory_order_relaxed);
    if (size_class == kNoBlocks) return false;
    const std::uint32_t inside = offset % SlabPage::kBytes;
    if (size_class == classes.count()) return inside == 0;
    const std::uint32_t size = classes.block_bytes(size_class);
    return inside % size == 0 && inside + size <= SlabPage::kBytes;
  }

  // Of a block of a whole page, which can have more to spare than the unit's other bits hold:
  // answers what these are to be.
  std::size_t note_large_slack(std::uint32_t block, std::size_t size, std::size_t unused) noexcept {
    pages[block >> SlabPage::kShift].run_requested.store(static_cast<std::uint32_t>(size - unused),
                                                         std::memory_order_relaxed);
    return kRestMask;
  }

  // Calls visit(offset, size class, state) for each live block. Looks at every place where a block
  // can start.
  template <class Visit>
  void for_each_live(std::uint32_t page_count, const SizeClasses& classes, Visit visit) const {
    for (std::uint32_t page = 0; page < page_count; ++page) {
      const std::uint32_t size_class = page_class[page].load(std::memory_order_relaxed);
      if (size_class == kNoBlocks) continue;
      const bool is_run = size_class == classes.count();
      const std::uint32_t step = is_run ? SlabPage::kUnits : classes.block_units(size_class);
      for (std::uint32_t at = 0; at + step <= SlabPage::kUnits; at += step) {
        const std::uint32_t index = page * SlabPage::kUnits + at;
        const std::uint16_t state = units[index].load(std::memory_order_relaxed);
        if (state != 0) visit(index << SlabPage::kUnitShift, size_class, state);
      }
    }
  }

  // What was asked for, of all live blocks.
  std::size_t requested_bytes(std::uint32_t page_count, const SizeClasses& classes) const noexcept {
    std::size_t sum = 0;
    for_each_live(page_count, classes, [&](std::uint32_t offset, auto size_class, auto state) {
      const std::uint32_t index = offset >> SlabPage::kUnitShift;
      if (size_class == classes.count()) {
        sum += pages[index / SlabPage::kUnits].run_requested.load(std::memory_order_relaxed);
        return;
      }
      if (slack == nullptr && (state & kRestMask) == kRestMask) {
        sum += pages[index / SlabPage::kUnits].run_requested.load(std::memory_order_relaxed);
        return;
      }
      const std::uint32_t unused =
          slack != nullptr ? slack[index].load(std::memory_order_relaxed) : state & kRestMask;
      sum += classes.block_bytes(size_class) - unused;
    });
    return sum;
  }

  // For each page.
  SlabPage* pages = nullptr;
  // For each page: number of its size class, that of runs, or kNoBlocks. Stays as it was when the
  // page is given back, so that a block freed twice is still known as a block.
  std::atomic<std::uint8_t>* page_class = nullptr;
  // For each 64 bytes.
  std::atomic<std::uint16_t>* units = nullptr;
  // Where owners are tracked, else null, for each 64 bytes: what a block that starts there has more
  // than was asked for.
  std::atomic<std::uint16_t>* slack = nullptr;
  // For the pool.
  std::uint64_t* page_bits = nullptr;
  // For the threads' caches.
  std::byte* caches = nullptr;

 private:
  struct Layout {
    Layout(std::uint32_t page_count, std::size_t cache_bytes, bool track_owners) {
      caches = place(cache_bytes);
      pages = place(sizeof(SlabPage) * page_count);
      units = place(sizeof(std::uint16_t) * SlabPage::kUnits * page_count);
      slack = place(track_owners ? sizeof(std::uint16_t) * SlabPage::kUnits * page_count : 0);
      page_bits = place(PagePool::bytes(page_count));
      page_class = place(page_count);
      total = (total + 4095) / 4096 * 4096;
    }
    std::size_t place(std::size_t bytes) {
      const std::size_t at = total;
      total += (bytes + kCacheLineBytes - 1) / kCacheLineBytes * kCacheLineBytes;
      return at;
    }
    std::size_t total = 0;
    std::size_t caches, pages, units, slack, page_bits, page_class;
  };

  std::byte* base_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace millrace
