#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace millrace {

// Timers that a wheel's owner has cancelled without calling it, as a call from JavaScript costs
// more than the wheel. Used by the owner only, and by what it calls; owns nothing. Whoever cancels
// a live timer so clears the flag in its node (timer_node.h) and notes its index; the wheel unlinks
// the noted ones before it does anything else. The last live timer and a timer for which there is
// no room here are left to the wheel.
//
//   byte  0  count u32, size u32
//         8  indices u32[126]
struct CancelLog {
  static constexpr std::uint32_t kCapacity = 126;

  std::span<const std::uint32_t> noted() const noexcept { return {indices.data(), count}; }

  std::uint32_t count = 0;
  // Live timers, those too that have been noted since.
  std::uint32_t size = 0;
  std::array<std::uint32_t, kCapacity> indices{};
};
static_assert(sizeof(CancelLog) == 512 && offsetof(CancelLog, indices) == 8);

}  // namespace millrace
