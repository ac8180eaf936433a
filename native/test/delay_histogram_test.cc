#include "millrace/feed/delay_histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include "seed.h"

namespace millrace {
namespace {

TEST(DelayHistogram, IsZeroWithoutRecordings) {
  const DelayHistogram histogram;
  EXPECT_EQ(histogram.quantile(0.5), 0u);
  EXPECT_EQ(histogram.max(), 0u);
}

TEST(DelayHistogram, QuantilesAreAtMostASixteenthAboveTheTruth) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  std::mt19937_64 random(seed);
  DelayHistogram histogram;
  std::vector<std::uint64_t> values;
  for (int i = 0; i < 10'000; ++i) {
    values.push_back(random() >> (2 + random() % 62));
    histogram.record(static_cast<std::int64_t>(values.back()));
  }
  std::ranges::sort(values);
  for (const double share : {0.0, 0.1, 0.5, 0.9, 0.99, 0.999}) {
    const std::uint64_t truth = values[static_cast<std::size_t>(share * 10'000)];
    EXPECT_GE(histogram.quantile(share), truth) << share;
    EXPECT_LE(histogram.quantile(share), truth + truth / 16) << share;
  }
  EXPECT_EQ(histogram.quantile(1), values.back());
  EXPECT_EQ(histogram.max(), values.back());
}

TEST(DelayHistogram, TakesATimeThatWentBackwardsForNone) {
  DelayHistogram histogram;
  histogram.record(-5);
  EXPECT_EQ(histogram.quantile(1), 0u);
}

}  // namespace
}  // namespace millrace
