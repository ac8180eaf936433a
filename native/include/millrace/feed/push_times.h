#pragma once

#include <cstdint>
#include <mutex>

#include "millrace/base/clock.h"
#include "millrace/base/spin_lock.h"
#include "millrace/feed/delay_histogram.h"
#include "millrace/feed/feed_options.h"

namespace millrace {

// How long pushes take, as their callers see it, and which of them took longer than a limit.
// Any thread may call anything. Owns 8 KiB. Reading the clock costs about 20 ns, a fifth of a push,
// and recording more than that: one push in kSampleEvery, too few to show among the slowest
// hundredth, is timed to its end and stands for the others; a push that had to wait is always timed
// and stands for itself.
class PushTimes {
 public:
  static constexpr std::uint32_t kSampleEvery = 512;
  // Reports do not come closer together.
  static constexpr std::int64_t kReportEveryNs = 100 * kNanosPerMilli;

  struct Slow {
    std::uint64_t count = 0;     // of those that were timed
    std::int64_t latest_ns = 0;  // how long the last of them took
  };
  struct Quantiles {
    std::uint64_t p50_ns = 0;
    std::uint64_t p99_ns = 0;
    std::uint64_t max_ns = 0;
  };

  // 0: no limit. To be called before anything else.
  void set_limit(std::int64_t limit_ns) { limit_ns_ = limit_ns; }

  // Whether a push that began then is one of those to be timed. Clocks may tick in steps of many
  // nanoseconds, so all bits decide.
  static bool sampled(std::int64_t began_ns) {
    return mix_bits(static_cast<std::uint32_t>(began_ns)) % kSampleEvery == 0;
  }

  // weight: how many pushes it stands for. True when it is time to say that pushes are slow.
  bool record(std::int64_t began_ns, std::int64_t now_ns, std::uint32_t weight) {
    const std::lock_guard guard(lock_);
    times_.record(now_ns - began_ns, weight);
    if (limit_ns_ == 0 || now_ns - began_ns <= limit_ns_) return false;
    ++slow_.count;
    slow_.latest_ns = now_ns - began_ns;
    if (reported_ns_ != 0 && now_ns - reported_ns_ < kReportEveryNs) return false;
    reported_ns_ = now_ns;
    return true;
  }

  Slow slow() const {
    const std::lock_guard guard(lock_);
    return slow_;
  }

  Quantiles quantiles() const {
    const std::lock_guard guard(lock_);
    return {times_.quantile(0.5), times_.quantile(0.99), times_.max()};
  }

 private:
  mutable SpinLock lock_;
  DelayHistogram times_;
  Slow slow_;
  std::int64_t limit_ns_ = 0;
  std::int64_t reported_ns_ = 0;
};

}  // namespace millrace
