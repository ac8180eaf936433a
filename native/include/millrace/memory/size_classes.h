#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace millrace {

// Which block sizes a slab has, and which one a request gets: the smallest that fits.
// Built once, read from any thread. A look-up is one load from a table of a kilobyte.
//
// Sizes are multiples of 64 bytes. With `steps` sizes a doubling (4 for a growth of 1.25) they are
//   64 128 192 256 | 320 384 448 512 | 640 768 896 1024 | 1280 1536 1792 2048 | ...
// so a request wastes at most 1/(steps + 1) of its block: 20 % for four. Where a step would be less
// than 64 bytes (below 64 x steps, thus 256) it is 64 bytes: there a request wastes at most 63
// bytes. One more size may stand above them, a whole page: what is beyond the largest block that
// shares a page.
class SizeClasses {
 public:
  static constexpr std::uint32_t kUnitBytes = 64;
  static constexpr std::uint32_t kMaxBlockBytes = std::uint32_t{32} << 10;
  static constexpr std::uint32_t kPageBytes = std::uint32_t{64} << 10;
  static constexpr std::uint32_t kMaxClasses = 64;
  static constexpr double kMinGrowth = 1.125;
  static constexpr double kMaxGrowth = 2.0;

  SizeClasses() = default;

  // False when the arguments make no sense; sizes are rounded up to whole units.
  // growth (kMinGrowth to kMaxGrowth): no size is more than this many times the one before it,
  // except where the step is 64 bytes. 1.125, 1.25, 1.5 and 2 give 8, 4, 2 and 1 steps a doubling;
  // a value between two of them counts as the lower.
  bool build(std::uint32_t min_block_bytes, std::uint32_t max_block_bytes, double growth) {
    if (!(growth >= kMinGrowth && growth <= kMaxGrowth)) return false;
    if (min_block_bytes == 0 || min_block_bytes > max_block_bytes ||
        max_block_bytes > kMaxBlockBytes) {
      return false;
    }
    const std::uint32_t steps = steps_per_doubling(growth);
    const std::uint32_t largest = units(max_block_bytes);
    std::uint32_t size = units(min_block_bytes);
    std::uint32_t filled = 0;
    count_ = 0;
    for (;;) {
      unit_counts_[count_] = static_cast<std::uint16_t>(size);
      while (filled <= size) class_of_[filled++] = static_cast<std::uint8_t>(count_);
      ++count_;
      if (size == largest) break;
      size = std::min(next_size(size, steps), largest);
    }
    return true;
  }

  // After build(): blocks of one page each, for what is larger than the others.
  void add_page() {
    std::uint32_t filled = std::uint32_t{unit_counts_[count_ - 1]} + 1;
    while (filled < class_of_.size()) class_of_[filled++] = static_cast<std::uint8_t>(count_);
    unit_counts_[count_++] = kPageBytes / kUnitBytes;
  }

  std::uint32_t count() const noexcept { return count_; }
  // 0 before build().
  std::uint32_t max_block_bytes() const noexcept {
    return count_ == 0 ? 0 : block_bytes(count_ - 1);
  }
  std::uint32_t block_bytes(std::uint32_t size_class) const noexcept {
    return std::uint32_t{unit_counts_[size_class]} * kUnitBytes;
  }
  std::uint32_t block_units(std::uint32_t size_class) const noexcept {
    return unit_counts_[size_class];
  }
  // REQUIRES: bytes <= max_block_bytes().
  std::uint32_t class_of(std::size_t bytes) const noexcept { return class_of_[units(bytes)]; }

 private:
  static constexpr std::size_t units(std::size_t bytes) {
    return (bytes + kUnitBytes - 1) / kUnitBytes;
  }

  static std::uint32_t steps_per_doubling(double growth) {
    std::uint32_t steps = 1;
    while (1.0 + 1.0 / steps > growth) steps *= 2;
    return steps;
  }

  // The next boundary above `size`, all in units: each doubling is cut into `steps` equal parts.
  static std::uint32_t next_size(std::uint32_t size, std::uint32_t steps) {
    const std::uint32_t octave = std::bit_floor(size);
    for (std::uint32_t step = 1; step <= steps; ++step) {
      const std::uint32_t boundary = octave + (octave * step + steps - 1) / steps;
      if (boundary > size) return boundary;
    }
    return octave * 2;
  }

  std::array<std::uint8_t, kPageBytes / kUnitBytes + 1> class_of_{};
  std::array<std::uint16_t, kMaxClasses> unit_counts_{};
  std::uint32_t count_ = 0;
};

}  // namespace millrace
