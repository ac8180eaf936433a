#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "millrace/memory/size_classes.h"

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
};

}  // namespace millrace
