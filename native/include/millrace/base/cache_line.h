#pragma once

#include <cstddef>

namespace millrace {

// What two threads write to must lie this far apart, or each write takes the line from the other.
// 64 on x86-64 and on most of AArch64. std::hardware_destructive_interference_size is not used: it
// changes with compiler flags, and layouts here are shared between separately built addons.
inline constexpr std::size_t kCacheLineBytes = 64;

// Tells the core that this is a spin loop, so that its sibling thread gets the execution units.
inline void cpu_relax() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield" ::: "memory");
#else
  asm volatile("" ::: "memory");
#endif
}

}  // namespace millrace
