#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <mutex>

#include "millrace/base/spin_lock.h"

namespace millrace {

// Who owns a block: a number below 4096 that SlabOwners gave out, or 0 for nobody.
using SlabOwner = std::uint16_t;
inline constexpr SlabOwner kNobody = 0;

// Numbers for the owners of a slab's blocks: a JavaScript environment, for one, whose end is to
// give back what it still had. Any thread. Owns nothing but its bits. Giving a number out takes a
// lock and looks at 64 words at most.
class SlabOwners {
 public:
  static constexpr std::uint32_t kMost = 4095;

  // A number that nobody has, or kNobody when all are taken.
  SlabOwner take() noexcept {
    std::lock_guard guard(lock_);
    for (std::uint32_t word = 0; word < taken_.size(); ++word) {
      const auto bit = static_cast<std::uint32_t>(std::countr_one(taken_[word]));
      if (bit == 64) continue;
      taken_[word] |= std::uint64_t{1} << bit;
      return static_cast<SlabOwner>(word * 64 + bit);
    }
    return kNobody;
  }

  // REQUIRES: no block is that owner's any more.
  void give(SlabOwner owner) noexcept {
    std::lock_guard guard(lock_);
    taken_[owner / 64] &= ~(std::uint64_t{1} << (owner % 64));
  }

 private:
  SpinLock lock_;
  std::array<std::uint64_t, (kMost + 1) / 64> taken_{1};  // the first is nobody
};

}  // namespace millrace
