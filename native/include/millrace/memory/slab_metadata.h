#pragma once

#include <sys/mman.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "millrace/base/system_error.h"
#include "millrace/memory/page_pool.h"
#include "millrace/memory/slab_page.h"
#include "millrace/memory/thread_cache.h"

namespace millrace {

// Everything a slab knows about its arena, in one mapping of its own: JavaScript can write to the
// arena, and must not be able to break the allocator with it. Physical memory is taken as pages of
// the arena come into use.
// open() and close() on one thread; what the parts hold is synchronised by their users.
// Owns the mapping. Per 64 KiB of arena: 2 KiB of unit states, a SlabPage, a byte, two bits.
class SlabMetadata {
 public:
  // How a page is used: the number of its size class, or one of these. Stays as it was when the
  // page is given back, so that a block freed twice is still known as a block.
  static constexpr std::uint8_t kRunPage = 0xfe;  // the first page of a run
  static constexpr std::uint8_t kNoBlocks = 0xff;

  // State of the 64 bytes where a block starts: kLive and how much less than the block was asked
  // for. 0 everywhere else.
  static constexpr std::uint16_t kLive = 0x8000;
  static constexpr std::uint16_t kSlackMask = 0x7fff;

  SlabMetadata() = default;
  SlabMetadata(const SlabMetadata&) = delete;
  SlabMetadata& operator=(const SlabMetadata&) = delete;
  ~SlabMetadata() { close(); }

  SystemError open(std::uint32_t page_count, std::uint32_t class_count, std::uint32_t cache_count) {
    const Layout layout(page_count, class_count, cache_count);
    void* const memory = ::mmap(nullptr, layout.total, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return last_system_error("mmap");
    base_ = static_cast<std::byte*>(memory);
    bytes_ = layout.total;
    caches_ = base_ + layout.caches;
    cache_bytes_ = ThreadCache::bytes(class_count);
    pages = reinterpret_cast<SlabPage*>(base_ + layout.pages);
    units = reinterpret_cast<std::atomic<std::uint16_t>*>(base_ + layout.units);
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

  std::size_t bytes() const noexcept { return bytes_; }
  static std::size_t bytes(std::uint32_t page_count, std::uint32_t class_count,
                           std::uint32_t cache_count) {
    return Layout(page_count, class_count, cache_count).total;
  }

  ThreadCache& cache(std::uint32_t index) const noexcept {
    return *reinterpret_cast<ThreadCache*>(caches_ + index * cache_bytes_);
  }

  SlabPage* pages = nullptr;
  std::atomic<std::uint16_t>* units = nullptr;
  std::atomic<std::uint8_t>* page_class = nullptr;
  std::uint64_t* page_bits = nullptr;

 private:
  struct Layout {
    Layout(std::uint32_t page_count, std::uint32_t class_count, std::uint32_t cache_count) {
      caches = place(ThreadCache::bytes(class_count) * cache_count);
      pages = place(sizeof(SlabPage) * page_count);
      units = place(sizeof(std::uint16_t) * SlabPage::kUnits * page_count);
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
    std::size_t caches, pages, units, page_bits, page_class;
  };

  std::byte* base_ = nullptr;
  std::byte* caches_ = nullptr;
  std::size_t bytes_ = 0;
  std::size_t cache_bytes_ = 0;
};

}  // namespace millrace
