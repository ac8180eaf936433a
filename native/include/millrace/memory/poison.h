#pragma once

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#define MILLRACE_POISON 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MILLRACE_POISON 1
#endif
#endif

#ifdef MILLRACE_POISON
#include <sanitizer/asan_interface.h>
#endif

namespace millrace {

#ifdef MILLRACE_POISON
inline constexpr bool kPoisons = true;
#else
inline constexpr bool kPoisons = false;
#endif

// In a build with AddressSanitizer, reports whoever touches the range until unpoison(): an
// allocator of its own otherwise hides every use after free from it. Nothing in any other build.
inline void poison([[maybe_unused]] const void* start, [[maybe_unused]] std::size_t bytes) {
#ifdef MILLRACE_POISON
  __asan_poison_memory_region(start, bytes);
#endif
}

inline void unpoison([[maybe_unused]] const void* start, [[maybe_unused]] std::size_t bytes) {
#ifdef MILLRACE_POISON
  __asan_unpoison_memory_region(start, bytes);
#endif
}

}  // namespace millrace
