#pragma once

#include <time.h>

#include <cstdint>

namespace millrace {

inline constexpr std::int64_t kNanosPerSecond = 1'000'000'000;
inline constexpr std::int64_t kNanosPerMilli = 1'000'000;

inline std::int64_t clock_ns(clockid_t clock) noexcept {
  timespec now;
  clock_gettime(clock, &now);
  return static_cast<std::int64_t>(now.tv_sec) * kNanosPerSecond + now.tv_nsec;
}

// Nanoseconds since an arbitrary start; never goes back. About 20 ns a call.
inline std::int64_t monotonic_ns() noexcept { return clock_ns(CLOCK_MONOTONIC); }

// Milliseconds of the same clock as of the last kernel tick: up to 4 ms (CONFIG_HZ=250) behind
// monotonic_ns(), never ahead of it. A few nanoseconds a call.
inline std::uint64_t coarse_ms() noexcept {
  return static_cast<std::uint64_t>(clock_ns(CLOCK_MONOTONIC_COARSE) / kNanosPerMilli);
}

// Milliseconds since 1970 UTC. Jumps when somebody sets the clock: for people, not for deadlines.
inline std::int64_t wall_ms() noexcept { return clock_ns(CLOCK_REALTIME) / kNanosPerMilli; }

}  // namespace millrace
