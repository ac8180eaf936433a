#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "millrace/memory/poison.h"

namespace millrace {

// In a build for debugging (MILLRACE_SLAB_GUARDS) each block ends in a zone that nobody may write
// to, looked at when the block is freed, and a freed block is filled with 0xdd, so that whoever
// still reads it sees it. In any other build all of this is nothing. Any thread, about its own
// block. Owns nothing. Costs 64 bytes a block, and a write to all of it.
class SlabGuard {
 public:
#ifdef MILLRACE_SLAB_GUARDS
  static constexpr bool kOn = true;
  static constexpr std::size_t kBytes = 64;
#else
  static constexpr bool kOn = false;
  static constexpr std::size_t kBytes = 0;
#endif

  // What a block for so many bytes must have.
  static constexpr std::size_t with_zone(std::size_t bytes) noexcept {
    return bytes <= ~std::size_t{0} - kBytes ? bytes + kBytes : bytes;
  }

  // `size`: of the whole block, zone included.
  static void begin(std::byte* block, std::size_t size) noexcept {
    unpoison(block, size);
    if constexpr (!kOn) return;
    std::memset(block + size - kBytes, kZone, kBytes);
    poison(block + size - kBytes, kBytes);
  }

  // False when the zone has been written to.
  static bool end(std::byte* block, std::size_t size) noexcept {
    bool intact = true;
    if constexpr (kOn) {
      const std::byte* const zone = block + size - kBytes;
      unpoison(zone, kBytes);
      intact = std::all_of(zone, zone + kBytes, [](std::byte b) { return b == std::byte{kZone}; });
      std::memset(block, kFreed, size);
    }
    poison(block, size);
    return intact;
  }

 private:
  static constexpr int kZone = 0xfd;
  static constexpr int kFreed = 0xdd;
};

}  // namespace millrace
