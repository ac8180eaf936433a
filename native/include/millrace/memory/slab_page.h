#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <span>

#include "millrace/base/cache_line.h"

namespace millrace {

// What the slab knows about one 64 KiB page that is cut into blocks of one class: which of its
// blocks are free. The page itself lies elsewhere and is never touched. A bit stands for 64 bytes;
// the bit of a block's first 64 bytes is the block's, the others stay 0: no division anywhere.
// Guarded by the lock of the page's class, but for run_pages. Taking or giving a block is constant
// time, and the lowest free block goes first.
class alignas(kCacheLineBytes) SlabPage {
 public:
  static constexpr std::uint32_t kShift = 16;
  static constexpr std::uint32_t kBytes = 1u << kShift;
  static constexpr std::uint32_t kUnitShift = 6;
  static constexpr std::uint32_t kUnits = kBytes >> kUnitShift;

  // Cuts the page into blocks of so many units (1 to kUnits), all of them free.
  void carve(std::uint32_t block_units) {
    bits_ = {};
    words_ = 0;
    const std::uint32_t blocks = kUnits / block_units;
    for (std::uint32_t block = 0; block < blocks; ++block) set(block * block_units);
    free_ = blocks_ = static_cast<std::uint16_t>(blocks);
  }

  // Takes free blocks, and answers how many: fewer than `out` has room for when none is left. They
  // are given as `base` | offset in the page. A word of bits stays in a register meanwhile: to
  // store and load it for each block would cost three times as much.
  std::uint32_t take(std::uint32_t base, std::span<std::uint32_t> out) {
    std::uint32_t taken = 0;
    while (words_ != 0 && taken < out.size()) {
      const auto word = static_cast<std::uint32_t>(std::countr_zero(words_));
      std::uint64_t bits = bits_[word];
      for (; bits != 0 && taken < out.size(); bits &= bits - 1) {
        const std::uint32_t unit = word * 64 + static_cast<std::uint32_t>(std::countr_zero(bits));
        out[taken++] = base | unit << kUnitShift;
      }
      bits_[word] = bits;
      if (bits == 0) words_ = static_cast<std::uint16_t>(words_ & (words_ - 1));
    }
    free_ = static_cast<std::uint16_t>(free_ - taken);
    return taken;
  }

  // REQUIRES: `unit` came from take() and has not been given since.
  void give(std::uint32_t unit) {
    set(unit);
    ++free_;
  }

  bool full() const { return free_ == 0; }
  bool empty() const { return free_ == blocks_; }

  // Neighbours in the class's list of pages that have free blocks.
  std::uint16_t previous;
  std::uint16_t next;

  // First page of a run of whole pages: how many, and how many bytes were asked for. Written before
  // the run is handed out; atomic because a lookup of a foreign offset may read it at any time.
  std::atomic<std::uint32_t> run_pages;
  std::atomic<std::uint32_t> run_requested;

 private:
  void set(std::uint32_t unit) {
    bits_[unit / 64] |= std::uint64_t{1} << (unit % 64);
    words_ = static_cast<std::uint16_t>(words_ | 1u << (unit / 64));
  }

  std::uint16_t words_;  // a bit for each word of bits_ that is not 0
  std::uint16_t free_;
  std::uint16_t blocks_;
  std::array<std::uint64_t, kUnits / 64> bits_;
};

}  // namespace millrace
