#pragma once

#include <array>
#include <cstdint>
#include <mutex>

#include "millrace/base/cache_line.h"
#include "millrace/base/spin_lock.h"

namespace millrace {

// What became of published messages, one count for each message and subscriber: offered is the sum
// of the outcomes at every look. Any thread; the sender's writes nearly all of it. Owns nothing. A
// change costs an uncontended lock, which is never held over anything but the counts.
class PublishedFigures {
 public:
  enum Outcome : std::uint8_t {
    kWaiting,    // in flight: in a subscriber's queue
    kDelivered,  // to the connection's output
    kConflated,  // a newer one of its key took its place
    kOldest,     // dropped for newer ones
    kSlow,       // its subscriber is too slow
    kClosed,     // its subscriber has gone
    kMemory,     // no block for it
  };
  static constexpr std::size_t kOutcomes = kMemory + 1;
  struct Counts {
    std::uint64_t offered = 0;
    std::array<std::uint64_t, kOutcomes> of = {};
  };

  // One message more, and what it meets first.
  void offer(Outcome first) {
    const std::lock_guard guard(lock_);
    ++counts_.offered;
    ++counts_.of[first];
  }

  // One that waited waits no more.
  void settle(Outcome last) {
    const std::lock_guard guard(lock_);
    --counts_.of[kWaiting];
    ++counts_.of[last];
  }

  Counts counts() const {
    const std::lock_guard guard(lock_);
    return counts_;
  }

 private:
  alignas(kCacheLineBytes) mutable SpinLock lock_;
  Counts counts_;
};

}  // namespace millrace
