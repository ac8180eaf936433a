#pragma once

#include <cstdint>

#include "millrace/server/close_reason.h"
#include "millrace/server/connection.h"
#include "millrace/server/idle_timers.h"
#include "millrace/server/pipeline_options.h"

namespace millrace {

// The earliest time at which a connection may have to be closed, IdleTimers::kNever for none; what
// the acceptor arms and the reaper re-arms. A timeout of 0 is off. There is no ceiling.
inline std::uint64_t next_deadline(const PipelineOptions& options, const Connection& c,
                                   CloseReason& reason) {
  // acquire: pairs with Sender::finish_end(). Who has been told of the end is not idle.
  if (c.lingering.load(std::memory_order_acquire)) {
    reason = c.send.end_reason;
    return c.linger_until_ms.load(std::memory_order_relaxed);
  }
  std::uint64_t deadline = IdleTimers::kNever;
  const auto consider = [&](std::uint64_t from, std::uint64_t timeout, CloseReason why) {
    if (timeout == 0 || from + timeout >= deadline) return;
    deadline = from + timeout;
    reason = why;
  };
  consider(c.activity_ms.load(std::memory_order_relaxed),
           c.idle_timeout_ms.load(std::memory_order_relaxed), CloseReason::kIdle);
  if (!c.first_byte.load(std::memory_order_relaxed)) {
    consider(c.opened_ms, options.first_byte_timeout_ms, CloseReason::kFirstByte);
  }
  consider(c.opened_ms, options.max_lifetime_ms, CloseReason::kLifetime);
  return deadline;
}

}  // namespace millrace
