#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "millrace/memory/page_pool.h"
#include "millrace/memory/page_runs.h"
#include "millrace/memory/size_classes.h"
#include "millrace/memory/slab_caches.h"
#include "millrace/memory/slab_class.h"
#include "millrace/memory/slab_metadata.h"
#include "millrace/memory/slab_page.h"

namespace millrace {

struct SlabClassStats {
  std::uint32_t block_bytes = 0;
  std::uint64_t blocks = 0;  // in the pages the class has now
  std::uint64_t in_use = 0;
};

// Taken while others allocate and free, the figures are not of one instant.
struct SlabStats {
  std::size_t max_bytes = 0;
  std::size_t reserved_bytes = 0;   // address space: the arena and its metadata
  std::size_t committed_bytes = 0;  // pages of the arena used since they were last trimmed
  std::size_t in_use_bytes = 0;     // live blocks, whole
  std::size_t requested_bytes = 0;  // what was asked for, of live blocks
  std::uint64_t allocations = 0;
  std::uint64_t frees = 0;
  std::uint64_t exhausted = 0;  // allocations that found no memory
  std::uint32_t free_pages = 0;
  std::uint32_t run_pages = 0;  // pages in runs, of requests above the largest class
  std::uint64_t runs = 0;
  std::uint32_t class_count = 0;
  std::array<SlabClassStats, SizeClasses::kMaxClasses> classes{};

  // Adds what the parts of a slab know.
  void add(const SizeClasses& sizes, std::span<const SlabClass> lists, const SlabCaches& caches,
           const SlabMetadata& metadata, const PagePool& pool, const PageRuns& page_runs) noexcept {
    committed_bytes = std::size_t{pool.committed_pages()} << SlabPage::kShift;
    free_pages = pool.free_pages();
    requested_bytes = metadata.requested_bytes(pool.pages(), sizes);
    allocations += page_runs.taken();
    runs = page_runs.taken() - page_runs.given();
    run_pages = page_runs.pages();
    in_use_bytes = std::size_t{run_pages} << SlabPage::kShift;
    std::uint64_t in_use = runs;
    class_count = sizes.count();
    for (std::uint32_t i = 0; i < class_count; ++i) {
      const SlabClass::Figures list = lists[i].figures();
      const SlabCaches::Figures cached = caches.figures(i);
      SlabClassStats& out = classes[i];
      out.block_bytes = sizes.block_bytes(i);
      out.blocks = std::uint64_t{list.pages} * (SlabPage::kBytes / out.block_bytes);
      out.in_use = list.blocks_out > cached.held ? list.blocks_out - cached.held : 0;
      in_use += out.in_use;
      in_use_bytes += out.in_use * out.block_bytes;
      allocations += cached.allocations;
    }
    frees = allocations > in_use ? allocations - in_use : 0;
  }
};

}  // namespace millrace
