#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "millrace/concurrent/map_pages.h"

namespace millrace {

struct MapOptions {
  static constexpr std::size_t kMinBytes = std::size_t{64} << 10;
  // What an arena can reserve.
  static constexpr std::size_t kMaxBytes = (std::size_t{1} << 32) - (std::size_t{64} << 10);

  // Everything the map ever takes, from kMinBytes to kMaxBytes.
  std::size_t max_bytes = std::size_t{64} << 20;
  // 0: as many as max_bytes holds.
  std::uint64_t max_entries = 0;
  // When full: true removes what was used the longest ago, false refuses.
  bool evict = false;
  // Of the hash; 0: random. For tests: a map whose seed peers know can be flooded.
  std::uint64_t seed = 0;
};

// How a map divides its bytes, all decided before it is made.
//
//   object | shards | page notes | pages of 4 KiB
struct MapPlan {
  std::uint32_t shards;
  std::uint32_t pages;
  // Of the arena, which holds all but the object.
  std::size_t notes_at;
  std::size_t pages_at;
  std::size_t arena_bytes;

  static MapPlan make(const MapOptions& options, std::size_t object_bytes,
                      std::size_t shard_bytes) noexcept {
    MapPlan plan;
    plan.shards = shards_for(options);
    plan.notes_at = plan.shards * shard_bytes;
    const std::size_t room = options.max_bytes - object_bytes;
    plan.pages =
        static_cast<std::uint32_t>((room - plan.notes_at) / (kMapPageBytes + sizeof(MapPageNote)));
    for (;; --plan.pages) {
      const std::size_t notes_end = plan.notes_at + plan.pages * sizeof(MapPageNote);
      plan.pages_at = (notes_end + kMapPageBytes - 1) / kMapPageBytes * kMapPageBytes;
      plan.arena_bytes = plan.pages_at + std::size_t{plan.pages} * kMapPageBytes;
      if (plan.arena_bytes <= room) return plan;
    }
  }

 private:
  // 64 at the default of 64 MiB. More for large maps, so that a directory of one page suffices each
  // shard (256 pages, and four times that in the directory); fewer for small ones, which would
  // spread their few pages and entries too thin. A power of two, at least 2: an empty slot is
  // marked by a key of another shard.
  static std::uint32_t shards_for(const MapOptions& options) noexcept {
    const std::uint64_t pages = options.max_bytes / kMapPageBytes;
    std::uint64_t shards = std::min(pages / 16, std::max<std::uint64_t>(64, pages / 256));
    if (options.max_entries != 0) shards = std::min(shards, options.max_entries / 128);
    return static_cast<std::uint32_t>(std::bit_floor(std::max<std::uint64_t>(shards, 2)));
  }
};

}  // namespace millrace
