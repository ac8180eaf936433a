#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <span>

#include "millrace/base/cache_line.h"
#include "millrace/base/spin_lock.h"
#include "millrace/memory/magazine.h"
#include "millrace/memory/page_pool.h"
#include "millrace/memory/slab_metadata.h"
#include "millrace/memory/slab_page.h"

namespace millrace {

// The pages of one size class, behind one lock: a list of those that have free blocks. Blocks come
// and go in batches. A page is taken from the pool when the list is empty and goes back to it with
// its last block, at once: no page waits for a class that may never want it again.
// Any thread. Owns nothing; locks the pool inside its own lock. A batch costs one lock and a few
// nanoseconds a block.
class alignas(kCacheLineBytes) SlabClass {
 public:
  void open(std::uint32_t number, std::uint32_t block_units, PagePool& pool,
            SlabMetadata& metadata) {
    pool_ = &pool;
    metadata_ = &metadata;
    number_ = static_cast<std::uint8_t>(number);
    block_units_ = block_units;
    first_ = kNone;
    page_count_ = 0;
    blocks_out_ = 0;
  }

  // Fills `out` with offsets of free blocks and answers how many: fewer when the pool ran dry.
  std::uint32_t take(std::span<std::uint32_t> out) {
    std::lock_guard guard(lock_);
    std::uint32_t taken = 0;
    while (taken < out.size()) {
      if (first_ == kNone && !add_page()) break;
      SlabPage& page = metadata_->pages[first_];
      const std::uint32_t base = std::uint32_t{first_} << SlabPage::kShift;
      taken += page.take(base, out.subspan(taken));
      if (page.full()) unlink(first_);
    }
    blocks_out_ += taken;
    return taken;
  }

  std::uint32_t take_one() {
    std::uint32_t block;
    return take(std::span(&block, 1)) == 1 ? block : kNoBlock;
  }

  // True when at least one page went back to the pool.
  bool give(std::span<const std::uint32_t> blocks) {
    std::lock_guard guard(lock_);
    bool returned = false;
    blocks_out_ -= blocks.size();
    for (const std::uint32_t block : blocks) {
      const auto index = static_cast<std::uint16_t>(block >> SlabPage::kShift);
      SlabPage& page = metadata_->pages[index];
      if (page.full()) link(index);
      page.give((block & (SlabPage::kBytes - 1)) >> SlabPage::kUnitShift);
      if (!page.empty()) continue;
      unlink(index);
      --page_count_;
      pool_->give(index, 1);
      returned = true;
    }
    return returned;
  }

  struct Figures {
    std::uint32_t pages;
    std::uint64_t blocks_out;  // taken and not given: in use, or in a thread's cache
  };
  Figures figures() const {
    std::lock_guard guard(lock_);
    return {page_count_, blocks_out_};
  }

 private:
  static constexpr std::uint16_t kNone = 0xffff;

  bool add_page() {
    const std::uint32_t page = pool_->take_page();
    if (page == PagePool::kNoPage) return false;
    metadata_->pages[page].carve(block_units_);
    // Relaxed: whoever looks it up for a block of this page got the block through the lock.
    metadata_->page_class[page].store(number_, std::memory_order_relaxed);
    ++page_count_;
    link(static_cast<std::uint16_t>(page));
    return true;
  }

  void link(std::uint16_t index) {
    SlabPage& page = metadata_->pages[index];
    page.previous = kNone;
    page.next = first_;
    if (first_ != kNone) metadata_->pages[first_].previous = index;
    first_ = index;
  }

  void unlink(std::uint16_t index) {
    const SlabPage& page = metadata_->pages[index];
    if (page.previous == kNone) {
      first_ = page.next;
    } else {
      metadata_->pages[page.previous].next = page.next;
    }
    if (page.next != kNone) metadata_->pages[page.next].previous = page.previous;
  }

  mutable SpinLock lock_;
  std::uint16_t first_ = kNone;
  std::uint8_t number_ = 0;
  std::uint32_t block_units_ = 0;
  std::uint32_t page_count_ = 0;
  std::uint64_t blocks_out_ = 0;
  PagePool* pool_ = nullptr;
  SlabMetadata* metadata_ = nullptr;
};

}  // namespace millrace
