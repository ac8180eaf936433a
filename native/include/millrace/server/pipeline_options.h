#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "millrace/base/cache_line.h"
#include "millrace/framing/framing_options.h"
#include "millrace/server/close_reason.h"
#include "millrace/server/published_figures.h"

namespace millrace {

enum class SlowConsumer : std::uint8_t { kPause, kDisconnect, kDropOldest, kConflate };

// What a pipeline is made of: numbers that are checked in TypeScript, and fixed for its life.
struct PipelineOptions {
  FramingOptions framing;
  std::uint32_t workers = 1;
  std::uint32_t max_connections = 0;
  std::uint32_t descriptors = 0;  // size of the table: the largest descriptor served, plus one
  std::size_t max_bytes = 0;      // of the arena
  std::uint32_t inbox_capacity = 0;
  std::uint32_t max_subscriptions = 0;
  std::uint32_t max_per_address = 0;  // 0: no limit
  std::uint32_t accept_rate = 0;      // a second; 0: no limit
  std::uint32_t idle_timeout_ms = 0;
  std::uint32_t first_byte_timeout_ms = 0;
  std::uint32_t max_lifetime_ms = 0;
  std::uint32_t read_budget_bytes = 0;
  std::uint32_t read_budget_us = 0;
  std::uint32_t high_water_bytes = 0;
  std::uint32_t low_water_bytes = 0;
  std::uint32_t max_write_bytes = 0;
  SlowConsumer slow_consumer = SlowConsumer::kPause;
  bool no_delay = true;
};

// Counters of the whole pipeline. Each is written by one stage, or rarely; all are relaxed.
struct PipelineCounters {
  using Counter = std::atomic<std::uint64_t>;
  // acceptor
  alignas(kCacheLineBytes) Counter accepted{0};
  Counter rejected[kRejectReasons] = {};
  // whoever closes
  alignas(kCacheLineBytes) Counter closed[kCloseReasons] = {};
  // receiver
  alignas(kCacheLineBytes) Counter bytes_read{0};
  Counter read_paused_ns{0};
  // sender
  alignas(kCacheLineBytes) Counter bytes_written{0};
  Counter operations_stale{0};  // operations on connections that were gone
  PublishedFigures published;
};

inline void count(PipelineCounters::Counter& counter, std::uint64_t n = 1) {
  counter.fetch_add(n, std::memory_order_relaxed);
}

}  // namespace millrace
