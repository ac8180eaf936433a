#pragma once

#include <cstddef>
#include <cstdint>

namespace millrace {

// What became of the messages. At every instant
//   offered = delivered + failed + conflated + dropped (all five) + waiting + leased
// where waiting and leased are counted on their own, by the queue and by the leases.
struct FeedStats {
  std::uint64_t offered = 0;
  std::uint64_t accepted = 0;
  std::uint64_t delivered = 0;
  std::uint64_t failed = 0;
  std::uint64_t conflated = 0;
  std::uint64_t dropped_newest = 0;
  std::uint64_t dropped_oldest = 0;
  std::uint64_t dropped_sampled = 0;
  std::uint64_t dropped_timeout = 0;
  std::uint64_t dropped_closed = 0;
  std::uint32_t waiting = 0;
  std::uint32_t leased = 0;
  std::uint32_t high_water = 0;  // of waiting
  // From push to the start of the batch.
  std::uint64_t latency_p50_ns = 0;
  std::uint64_t latency_p99_ns = 0;
  std::uint64_t latency_max_ns = 0;
  // That a push took, as PushTimes sees it; those refused without being copied do not count.
  std::uint64_t push_p50_ns = 0;
  std::uint64_t push_p99_ns = 0;
  std::uint64_t push_max_ns = 0;

  std::uint64_t in_flight() const { return std::uint64_t{waiting} + leased; }
  std::uint64_t settled() const {
    return delivered + failed + conflated + dropped_newest + dropped_oldest + dropped_sampled +
           dropped_timeout + dropped_closed;
  }
  bool balanced() const { return offered == settled() + in_flight(); }
};

// Native bytes a feed can come to use, part by part.
struct FeedMemoryPlan {
  std::size_t messages = 0;   // the arena of message bytes
  std::size_t allocator = 0;  // what the allocator knows about it
  std::size_t entries = 0;    // a cache line for each message that waits or is leased
  std::size_t keys = 0;       // index of waiting keys, if conflating
  std::size_t consumers = 0;  // leases, for as many consumers as there are, at least one
  std::size_t feed = 0;       // the rest
};

}  // namespace millrace
