#pragma once

// Included before headers of the core, compiles them for the checker: the code that is checked is
// the code that ships. What the standard library itself makes of std::atomic must have been
// included before.

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <mutex>
#include <new>
#include <span>
#include <thread>
#include <type_traits>
#include <utility>

#include "checked_atomic.h"
#include "millrace/base/cache_line.h"
#include "millrace/base/clock.h"

namespace millrace::model {

inline void pause_checked() { Explorer::instance().pause(); }

template <class Word>
long futex_checked(long, const Word* address, int operation, std::uint32_t value, const void*,
                   const void*, int) {
  if (operation == FUTEX_WAIT_PRIVATE) {
    Explorer::instance().futex_wait(address, value);
  } else {
    Explorer::instance().futex_wake(address);
  }
  return 0;
}

}  // namespace millrace::model

namespace std {
using millrace::model::CheckedAtomic;
}

#define atomic CheckedAtomic
#define cpu_relax ::millrace::model::pause_checked
#define sched_yield ::millrace::model::pause_checked
#define syscall ::millrace::model::futex_checked
