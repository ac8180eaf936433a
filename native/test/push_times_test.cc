#include "millrace/feed/push_times.h"

#include <gtest/gtest.h>

#include "feed_reader.h"
#include "millrace/feed/feed.h"

namespace millrace {
namespace {

TEST(PushTimes, CountsWhatStandsForManyAsMany) {
  PushTimes times;
  for (int i = 0; i < 10; ++i) times.record(0, 10, 64);
  for (int i = 0; i < 320; ++i) times.record(0, 1000, 1);
  EXPECT_EQ(times.quantiles().p50_ns, 10u);
  EXPECT_EQ(times.quantiles().p99_ns, 1000u);
  EXPECT_EQ(times.quantiles().max_ns, 1000u);
}

TEST(PushTimes, ReportsWhatExceedsTheLimitAndNotTooOften) {
  PushTimes times;
  times.set_limit(100);
  const std::int64_t second = kNanosPerSecond;
  EXPECT_FALSE(times.record(second, second + 100, 1));
  EXPECT_TRUE(times.record(second, second + 101, 1));
  EXPECT_FALSE(times.record(second, second + 200, 1)) << "too soon after the report before";
  EXPECT_TRUE(times.record(2 * second, 2 * second + 300, 1));
  EXPECT_EQ(times.slow().count, 3u);
  EXPECT_EQ(times.slow().latest_ns, 300);
}

TEST(PushTimes, WithoutALimitReportNothing) {
  PushTimes times;
  EXPECT_FALSE(times.record(0, kNanosPerSecond, 1));
  EXPECT_EQ(times.slow().count, 0u);
}

TEST(PushTimes, AnEvenShareIsTimedHoweverCoarseTheClock) {
  for (const std::int64_t step : {1, 100, 4096, 1'000'000}) {
    int sampled = 0;
    for (std::int64_t i = 0; i < 512'000; ++i) sampled += PushTimes::sampled(i * step);
    EXPECT_GT(sampled, 800) << step;
    EXPECT_LT(sampled, 1200) << step;
  }
}

TEST(FeedPushTimes, WhoWaitsInSlicesSaysHowLong) {
  FeedOptions options = feed_options(FeedOverflow::kBlock, 1);
  options.warn_push_after_ns = 1;
  Feed feed;
  ASSERT_FALSE(feed.open(options));
  ASSERT_EQ(push_text(feed, "first"), PushResult::kAccepted);
  const std::int64_t began = monotonic_ns();
  ASSERT_EQ(push_text(feed, "second"), PushResult::kFull);
  FeedReader reader;
  ASSERT_NE(seat_reader(feed, reader).group, FeedSeats::kNoGroup);
  ASSERT_EQ(reader.next(feed), 1);
  const PushTimes::Slow before = feed.slow_pushes();
  EXPECT_EQ(feed.push_again("second", 6, number_key(1)), PushResult::kAccepted);
  feed.note_wait(began - PushTimes::kReportEveryNs);
  EXPECT_EQ(feed.slow_pushes().count, before.count + 1);
  EXPECT_GE(feed.slow_pushes().latest_ns, PushTimes::kReportEveryNs);
  feed.leave(reader.consumer());
}

TEST(FeedPushTimes, AProducerThatWaitedIsTimedAndObserversAreRung) {
  FeedOptions options = feed_options(FeedOverflow::kBlock, 1);
  options.warn_push_after_ns = kNanosPerMilli;
  Feed feed;
  ASSERT_FALSE(feed.open(options));
  FeedReader observer;
  feed.observe(observer.bell());
  ASSERT_EQ(push_text(feed, "first"), PushResult::kAccepted);
  const std::int64_t timeout = 2 * kNanosPerMilli;
  EXPECT_EQ(feed.push_waiting("second", 6, number_key(1), timeout), PushResult::kDropped);
  EXPECT_GE(feed.stats().push_max_ns, static_cast<std::uint64_t>(timeout));
  EXPECT_EQ(feed.slow_pushes().count, 1u);
  EXPECT_GE(feed.slow_pushes().latest_ns, timeout);
  EXPECT_TRUE(observer.rung());
  feed.unobserve(observer.bell().get());
}

TEST(FeedPushTimes, OfPushesThatDoNotWaitSomeAreTimed) {
  Feed feed;
  ASSERT_FALSE(feed.open(feed_options(FeedOverflow::kDropOldest, 4)));
  // Each is timed with a probability of 1/512: that none of so many is happens once in e^195 runs.
  for (int i = 0; i < 100'000; ++i) push_text(feed, "message");
  const FeedStats stats = feed.stats();
  EXPECT_GT(stats.push_p50_ns, 0u);
  EXPECT_LE(stats.push_p50_ns, stats.push_p99_ns);
  EXPECT_LE(stats.push_p99_ns, stats.push_max_ns);
}

}  // namespace
}  // namespace millrace
