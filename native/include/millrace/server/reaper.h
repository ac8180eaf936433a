#pragma once

#include <algorithm>
#include <cstdint>

#include "millrace/base/clock.h"
#include "millrace/server/pipeline_core.h"

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

// The stage that closes what went silent. One thread runs step(); closing is by key, at any stage
// the connection may be in.
class Reaper {
 public:
  explicit Reaper(PipelineCore& core) : core_(core) {}

  // Closes what is due; answers when to come again, in coarse_ms() time.
  std::uint64_t step(std::uint64_t now_ms) {
    return core_.timers.advance(now_ms, [&](std::uint32_t fd) { visit(fd, now_ms); });
  }

 private:
  void visit(std::uint32_t fd, std::uint64_t now_ms) {
    Connection* connection = core_.table.pin_current(fd);
    if (connection == nullptr) return;
    CloseReason reason = CloseReason::kNone;
    const std::uint64_t deadline = next_deadline(core_.options, *connection, reason);
    if (deadline <= now_ms) {
      core_.close(*connection, reason);
    } else if (!core_.table.closing(*connection)) {
      core_.timers.arm(*connection, deadline);
    }
    core_.table.unpin(*connection);
  }

  PipelineCore& core_;
};

}  // namespace millrace
