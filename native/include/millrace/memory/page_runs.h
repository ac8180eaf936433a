#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "millrace/memory/magazine.h"
#include "millrace/memory/page_pool.h"
#include "millrace/memory/slab_metadata.h"
#include "millrace/memory/slab_page.h"

namespace millrace {

// Requests above the largest size class: runs of adjacent whole pages.
// Any thread. Owns nothing. Taking a run searches the pool for one, under its lock.
class PageRuns {
 public:
  // `number` is what page_class says of a run's first page.
  void open(std::uint32_t number, PagePool& pool, SlabMetadata& metadata) noexcept {
    number_ = static_cast<std::uint8_t>(number);
    pool_ = &pool;
    metadata_ = &metadata;
    taken_.store(0, std::memory_order_relaxed);
    given_.store(0, std::memory_order_relaxed);
    pages_.store(0, std::memory_order_relaxed);
  }

  // Pages that a request takes.
  static std::size_t length(std::size_t bytes) {
    return (bytes >> SlabPage::kShift) + (bytes % SlabPage::kBytes != 0 ? 1 : 0);
  }

  // Offset of a run for so many bytes, or kNoBlock.
  std::uint32_t take(std::size_t bytes) noexcept {
    const std::size_t pages = length(bytes);
    if (pages > pool_->pages()) return kNoBlock;
    const auto count = static_cast<std::uint32_t>(pages);
    const std::uint32_t first = pool_->take_run(count);
    if (first == PagePool::kNoPage) return kNoBlock;
    for (std::uint32_t page = first + 1; page < first + count; ++page) {
      metadata_->page_class[page].store(SlabMetadata::kNoBlocks, std::memory_order_relaxed);
    }
    metadata_->page_class[first].store(number_, std::memory_order_relaxed);
    SlabPage& page = metadata_->pages[first];
    page.run_pages.store(count, std::memory_order_relaxed);
    page.run_requested.store(static_cast<std::uint32_t>(bytes), std::memory_order_relaxed);
    taken_.fetch_add(1, std::memory_order_relaxed);
    pages_.fetch_add(count, std::memory_order_relaxed);
    return first << SlabPage::kShift;
  }

  // REQUIRES: `offset` came from take() and has not been given since.
  void give(std::uint32_t offset) noexcept {
    const std::uint32_t count = run_pages(offset);
    given_.fetch_add(1, std::memory_order_relaxed);
    pages_.fetch_sub(count, std::memory_order_relaxed);
    pool_->give(offset >> SlabPage::kShift, count);
  }

  // Size of the live run that starts there.
  std::size_t bytes(std::uint32_t offset) const noexcept {
    return std::size_t{run_pages(offset)} << SlabPage::kShift;
  }

  std::uint64_t taken() const noexcept { return taken_.load(std::memory_order_relaxed); }
  std::uint64_t given() const noexcept { return given_.load(std::memory_order_relaxed); }
  std::uint32_t pages() const noexcept { return pages_.load(std::memory_order_relaxed); }

 private:
  std::uint32_t run_pages(std::uint32_t offset) const noexcept {
    const SlabPage& page = metadata_->pages[offset >> SlabPage::kShift];
    return page.run_pages.load(std::memory_order_relaxed);
  }

  std::uint8_t number_ = 0;
  PagePool* pool_ = nullptr;
  SlabMetadata* metadata_ = nullptr;
  std::atomic<std::uint64_t> taken_{0};
  std::atomic<std::uint64_t> given_{0};
  std::atomic<std::uint32_t> pages_{0};
};

}  // namespace millrace
