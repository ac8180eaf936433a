#include "millrace/base/clock.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

TEST(Clock, NeverGoesBack) {
  std::int64_t last = monotonic_ns();
  for (int i = 0; i < 10'000; ++i) {
    const std::int64_t now = monotonic_ns();
    ASSERT_GE(now, last);
    last = now;
  }
}

TEST(Clock, CoarseTimeIsNeverAheadOfExactTime) {
  for (int i = 0; i < 10'000; ++i) {
    const auto coarse = static_cast<std::int64_t>(coarse_ms());
    ASSERT_LE(coarse * kNanosPerMilli, monotonic_ns());
  }
}

TEST(Clock, WallTimeIsInMillisecondsSince1970) {
  EXPECT_GT(wall_ms(), 1'700'000'000'000);
  EXPECT_LT(wall_ms(), 10'000'000'000'000);
}

}  // namespace
}  // namespace millrace
