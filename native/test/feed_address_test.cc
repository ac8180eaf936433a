#include "millrace/feed/feed_address.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>

#include "feed_reader.h"
#include "millrace/feed/shared_feed.h"
#include "watchdog.h"

namespace millrace {
namespace {

std::shared_ptr<Feed> make_feed(FeedOverflow overflow, FeedKeyKind key) {
  auto feed = std::make_shared<Feed>();
  EXPECT_FALSE(feed->open(feed_options(overflow, 2, key)));
  return feed;
}

TEST(FeedAddress, PushesUntilTheFeedEndsAndIsToldThen) {
  const auto feed = make_feed(FeedOverflow::kDropNewest, FeedKeyKind::kNone);
  auto shared = SharedFeed::make(feed);
  const SharedToken token = shared->token();
  EXPECT_EQ(shared->address(), shared->address());
  millrace_feed* const producer = millrace_feed_open(shared->address());
  ASSERT_NE(producer, nullptr);
  EXPECT_EQ(millrace_feed_push(producer, "a", 1, nullptr), MILLRACE_FEED_ACCEPTED);
  EXPECT_EQ(millrace_feed_push(producer, "b", 1, nullptr), MILLRACE_FEED_ACCEPTED);
  EXPECT_EQ(millrace_feed_push(producer, "c", 1, nullptr), MILLRACE_FEED_DROPPED);
  EXPECT_EQ(millrace_feed_push(producer, "c", 1000, nullptr), MILLRACE_FEED_TOO_LARGE);
  EXPECT_EQ(SharedFeed::find(token), shared);
  shared.reset();
  EXPECT_EQ(millrace_feed_push(producer, "d", 1, nullptr), MILLRACE_FEED_CLOSED);
  const FeedStats stats = feed->stats();
  EXPECT_EQ(stats.dropped_closed, 3u);
  EXPECT_TRUE(stats.balanced());
  millrace_feed_release(producer);
  EXPECT_EQ(SharedFeed::find(token), nullptr);
}

TEST(FeedAddress, ReadsKeysOfTheFeedsKind) {
  const auto feed = make_feed(FeedOverflow::kConflate, FeedKeyKind::kAscii16);
  FeedAddress* const address = FeedAddress::make(feed);
  millrace_feed* const producer = millrace_feed_open(address->value());
  address->release();
  EXPECT_EQ(millrace_feed_push(producer, "x", 1, nullptr), MILLRACE_FEED_BAD_KEY);
  EXPECT_EQ(millrace_feed_push(producer, "x", 1, "caf\xc3\xa9"), MILLRACE_FEED_BAD_KEY);
  EXPECT_EQ(millrace_feed_push(producer, "old", 3, "BTCUSDT"), MILLRACE_FEED_ACCEPTED);
  EXPECT_EQ(millrace_feed_push(producer, "new", 3, "BTCUSDT\0tail"), MILLRACE_FEED_ACCEPTED);
  EXPECT_EQ(feed->stats().conflated, 1u);
  millrace_feed_release(producer);
}

TEST(FeedAddress, WaitsForRoomOnlyWhenAskedTo) {
  const Watchdog watchdog("a producer that waits for room");
  const auto feed = make_feed(FeedOverflow::kBlock, FeedKeyKind::kU64);
  FeedAddress* const address = FeedAddress::make(feed);
  millrace_feed* const producer = millrace_feed_open(address->value());
  const std::uint64_t key = 7;
  EXPECT_EQ(millrace_feed_try_push(producer, "a", 1, &key), MILLRACE_FEED_ACCEPTED);
  EXPECT_EQ(millrace_feed_try_push(producer, "b", 1, &key), MILLRACE_FEED_ACCEPTED);
  EXPECT_EQ(millrace_feed_try_push(producer, "c", 1, &key), MILLRACE_FEED_FULL);
  std::thread waiting(
      [&] { EXPECT_EQ(millrace_feed_push(producer, "c", 1, &key), MILLRACE_FEED_ACCEPTED); });
  FeedReader reader;
  seat_reader(*feed, reader);
  EXPECT_EQ(reader.next(*feed), 2);
  waiting.join();
  EXPECT_EQ(reader.next_or_wait(*feed, BatchOutcome::kDelivered), 1);
  feed->leave(reader.consumer());
  millrace_feed_release(producer);
  address->release();
}

}  // namespace
}  // namespace millrace
