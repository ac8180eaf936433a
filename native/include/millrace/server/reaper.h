#pragma once

#include <algorithm>
#include <cstdint>

#include "millrace/base/clock.h"
#include "millrace/server/deadline.h"
#include "millrace/server/pipeline_core.h"

namespace millrace {

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
      core_.timers.arm_by(*connection, [&] {
        CloseReason why = CloseReason::kNone;
        return next_deadline(core_.options, *connection, why);
      });
    }
    core_.table.unpin(*connection);
  }

  PipelineCore& core_;
};

}  // namespace millrace
