#pragma once

#include <cstddef>
#include <cstdint>

#include "millrace/memory/size_classes.h"
#include "millrace/memory/slab_caches.h"
#include "millrace/memory/slab_metadata.h"
#include "millrace/memory/slab_page.h"

namespace millrace {

struct SlabOptions {
  static constexpr std::uint32_t kMaxThreadCaches = 4096;

  // Size of the arena, rounded down to whole pages of 64 KiB: at least one, less than 4 GiB.
  std::size_t max_bytes = std::size_t{64} << 20;
  // Smallest block and largest block that shares a page with others; in steps of 64, to 32 KiB.
  std::uint32_t min_block_bytes = SizeClasses::kUnitBytes;
  std::uint32_t max_block_bytes = SizeClasses::kMaxBlockBytes;
  // Largest ratio between neighbouring sizes: see SizeClasses::build().
  double growth = 1.25;
  // How many threads can have a cache at a time. More may use the slab, at the price of a lock a
  // call. A cache takes 280 bytes of metadata for each size class.
  std::uint32_t max_thread_caches = 32;
  // Off: as if the kernel had no membarrier(2) (see ThreadRegistry).
  bool use_membarrier = true;
  // Whether blocks can have owners (SlabAllocator::open_owner()), for 3 % of the arena's size more
  // of metadata.
  bool track_owners = false;
};

// What follows from the options.
struct SlabPlan {
  // False when the options make no sense.
  bool make(const SlabOptions& options) {
    pages = static_cast<std::uint32_t>(options.max_bytes >> SlabPage::kShift);
    if (pages == 0 || options.max_bytes >> 32 != 0) return false;
    if (options.max_thread_caches > SlabOptions::kMaxThreadCaches) return false;
    if (!classes.build(options.min_block_bytes, options.max_block_bytes, options.growth)) {
      return false;
    }
    classes.add_page();
    cache_bytes = SlabCaches::bytes(classes.count(), options.max_thread_caches);
    metadata_bytes = SlabMetadata::bytes(pages, cache_bytes, options.track_owners);
    return true;
  }

  SizeClasses classes;
  std::uint32_t pages = 0;
  std::size_t cache_bytes = 0;
  std::size_t metadata_bytes = 0;
};

}  // namespace millrace
