#include "millrace/feed/feed.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "feed_model.h"
#include "feed_reader.h"
#include "seed.h"

namespace millrace {
namespace {

struct Case {
  FeedOverflow overflow;
  bool sticky;
  const char* name;
};

class FeedAgainstModel : public testing::TestWithParam<Case> {};

// One thread does everything that threads can do to a feed, in a random order; after each step the
// feed and the model must hold the same messages, in the same order, with the same counts.
class ModelRun {
 public:
  ModelRun(const Case& given, std::uint64_t seed)
      : options_(feed_options(given.overflow, 48)),
        sticky_(given.sticky),
        random_(seed),
        model_(options_) {
    EXPECT_FALSE(feed_.open(options_));
  }
  ~ModelRun() {
    for (Place& place : places_) leave(place);
  }

  void step() {
    const std::uint32_t choice = pick(100);
    if (choice < 60) {
      push();
    } else if (choice < 90) {
      if (!places_.empty()) next(places_[pick(places_.size())]);
    } else if (choice < 94) {
      if (!places_.empty()) replace(places_[pick(places_.size())]);
    } else if (choice < 97) {
      join();
    } else {
      part();
    }
    check();
  }

 private:
  struct Place {
    Seated seated;
    std::unique_ptr<FeedReader> reader;
    std::vector<FeedModel::Message> lease;
  };

  std::uint32_t pick(std::size_t below) { return static_cast<std::uint32_t>(random_() % below); }

  void push() {
    const FeedKey key = number_key(pick(80) + (std::uint64_t{pick(2)} << 32));
    std::string text(pick(4) == 0 ? 0 : pick(options_.max_message_bytes), 'a');
    for (char& letter : text) letter = static_cast<char>('a' + pick(26));
    const bool expected = model_.push(key, text);
    const PushResult result = push_text(feed_, text, key);
    EXPECT_EQ(result == PushResult::kAccepted, expected);
    if (!expected) {
      EXPECT_EQ(result == PushResult::kFull, options_.overflow == FeedOverflow::kBlock);
    }
  }

  std::uint32_t shard(const Place& place) const {
    return sticky_ ? static_cast<std::uint32_t>(&place - places_.data()) : 0;
  }

  bool barrier() const { return sticky_ && barrier_; }

  void next(Place& place) {
    const bool failed = pick(8) == 0;
    const auto outcome = place.lease.empty() ? BatchOutcome::kNone
                         : failed            ? BatchOutcome::kFailed
                                             : BatchOutcome::kDelivered;
    model_.counts[failed ? "failed" : "delivered"] += place.lease.size();
    place.lease.clear();
    lift_barrier();
    const std::int32_t count = place.reader->next(feed_, outcome);
    const bool expected = model_.depth(shard(place)) != 0 && !barrier();
    EXPECT_EQ(count > 0, expected);
    if (count <= 0) {
      EXPECT_EQ(count, Feed::kIdle);
      return;
    }
    place.lease = model_.claim(shard(place), static_cast<std::size_t>(count));
    ASSERT_EQ(place.lease.size(), static_cast<std::size_t>(count));
    for (std::uint32_t row = 0; row < place.lease.size(); ++row) {
      EXPECT_EQ(place.reader->bytes(feed_, row), place.lease[row].text);
      EXPECT_EQ(place.reader->key_low(row), place.lease[row].key.low);
    }
  }

  // The reader dies: in its thread (leave), or is taken for stuck (evict) and leaves later.
  void replace(Place& place) {
    const std::uint32_t started = pick(place.lease.size() + 2);
    place.reader->start(started);
    const bool evicted = pick(2) == 0;
    if (evicted) {
      EXPECT_TRUE(feed_.evict(place.seated.ticket));
      EXPECT_EQ(place.reader->next(feed_, BatchOutcome::kDelivered), Feed::kEnded);
    }
    feed_.leave(place.reader->consumer());
    settle_dead(place, started);
    place.reader = std::make_unique<FeedReader>();
    EXPECT_TRUE(feed_.occupy(place.seated.ticket, place.reader->consumer()));
  }

  void settle_dead(Place& place, std::uint32_t started) {
    for (std::size_t row = place.lease.size(); row-- > 0;) {
      if (row < started) {
        ++model_.counts["failed"];
      } else {
        model_.put_back(place.lease[row]);
      }
    }
    place.lease.clear();
    lift_barrier();
  }

  void join() {
    if (places_.size() == 4) return;
    auto reader = std::make_unique<FeedReader>();
    const Seated seated = seat_reader(feed_, *reader, sticky_);
    ASSERT_NE(seated.group, FeedSeats::kNoGroup);
    places_.push_back({seated, std::move(reader), {}});
    seats_changed();
  }

  void part() {
    if (places_.empty()) return;
    // The last one, so that the others' seats keep their numbers.
    Place& place = places_.back();
    const std::uint32_t started = pick(place.lease.size() + 2);
    place.reader->start(started);
    feed_.close_group(place.seated.group);
    model_.shards =
        sticky_ ? std::max<std::uint32_t>(1, static_cast<std::uint32_t>(places_.size()) - 1) : 1;
    feed_.leave(place.reader->consumer());
    settle_dead(place, started);
    places_.pop_back();
    seats_changed();
  }

  void leave(Place& place) { feed_.leave(place.reader->consumer()); }

  void seats_changed() {
    model_.shards =
        sticky_ ? std::max<std::uint32_t>(1, static_cast<std::uint32_t>(places_.size())) : 1;
    // Which leases are from before the change is followed by the text of their first message.
    old_leases_.clear();
    for (const Place& place : places_) {
      if (!place.lease.empty()) old_leases_.push_back(place.seated.ticket);
    }
    barrier_ = !old_leases_.empty();
  }

  void lift_barrier() {
    std::erase_if(old_leases_, [this](std::uint32_t ticket) {
      return std::ranges::none_of(places_, [ticket](const Place& place) {
        return place.seated.ticket == ticket && !place.lease.empty();
      });
    });
    barrier_ = !old_leases_.empty();
  }

  void check() {
    const FeedStats stats = feed_.stats();
    std::size_t leased = 0;
    for (const Place& place : places_) leased += place.lease.size();
    EXPECT_EQ(stats.offered, model_.counts["offered"]);
    EXPECT_EQ(stats.delivered, model_.counts["delivered"]);
    EXPECT_EQ(stats.failed, model_.counts["failed"]);
    EXPECT_EQ(stats.conflated, model_.counts["conflated"]);
    EXPECT_EQ(stats.dropped_newest, model_.counts["newest"]);
    EXPECT_EQ(stats.dropped_oldest, model_.counts["oldest"]);
    EXPECT_EQ(stats.dropped_sampled, model_.counts["sampled"]);
    EXPECT_EQ(stats.waiting, model_.waiting.size());
    EXPECT_EQ(stats.leased, leased);
    EXPECT_TRUE(stats.balanced());
    EXPECT_EQ(feed_.walk(), stats.in_flight());
  }

  FeedOptions options_;
  bool sticky_;
  bool barrier_ = false;
  std::vector<std::uint32_t> old_leases_;
  std::mt19937_64 random_;
  FeedModel model_;
  Feed feed_;
  std::vector<Place> places_;
};

TEST_P(FeedAgainstModel, SameMessagesInTheSameOrderWithTheSameCounts) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  for (std::uint64_t round = 0; round < 20 && !HasFailure(); ++round) {
    ModelRun run(GetParam(), seed + round);
    for (int step = 0; step < 2000 && !HasFailure(); ++step) run.step();
  }
}

INSTANTIATE_TEST_SUITE_P(Policies, FeedAgainstModel,
                         testing::Values(Case{FeedOverflow::kBlock, false, "BlockShared"},
                                         Case{FeedOverflow::kBlock, true, "BlockSticky"},
                                         Case{FeedOverflow::kDropNewest, false, "DropNewestShared"},
                                         Case{FeedOverflow::kDropNewest, true, "DropNewestSticky"},
                                         Case{FeedOverflow::kDropOldest, false, "DropOldestShared"},
                                         Case{FeedOverflow::kDropOldest, true, "DropOldestSticky"},
                                         Case{FeedOverflow::kConflate, false, "ConflateShared"},
                                         Case{FeedOverflow::kConflate, true, "ConflateSticky"},
                                         Case{FeedOverflow::kSample, false, "SampleShared"},
                                         Case{FeedOverflow::kSample, true, "SampleSticky"}),
                         [](const testing::TestParamInfo<Case>& info) { return info.param.name; });

// One page of memory for blocks of 512 bytes: 128 messages fill it, long before `capacity` is.
FeedOptions tight(FeedOverflow overflow) {
  FeedOptions options = feed_options(overflow, 1000);
  options.max_bytes = 64 << 10;
  return options;
}
constexpr int kFit = 128;

void fill(Feed& feed) {
  for (int i = 0; i < kFit; ++i) {
    ASSERT_EQ(push_text(feed, std::string(500, 'x'), number_key(static_cast<std::uint64_t>(i))),
              PushResult::kAccepted);
  }
}

TEST(FeedWithoutMemory, BlockTellsTheProducerToWait) {
  Feed feed;
  ASSERT_FALSE(feed.open(tight(FeedOverflow::kBlock)));
  fill(feed);
  EXPECT_EQ(push_text(feed, std::string(500, 'y')), PushResult::kFull);
  EXPECT_EQ(feed.stats().offered, 128u);
  EXPECT_EQ(feed.push_waiting("y", 1, {}, 0), PushResult::kDropped);
  EXPECT_EQ(feed.stats().dropped_timeout, 1u);
}

TEST(FeedWithoutMemory, DropNewestRefuses) {
  Feed feed;
  ASSERT_FALSE(feed.open(tight(FeedOverflow::kDropNewest)));
  fill(feed);
  EXPECT_EQ(push_text(feed, std::string(500, 'y')), PushResult::kDropped);
  EXPECT_EQ(feed.stats().dropped_newest, 1u);
}

TEST(FeedWithoutMemory, DropOldestTakesOnlyWhatNobodyHasClaimed) {
  Feed feed;
  ASSERT_FALSE(feed.open(tight(FeedOverflow::kDropOldest)));
  fill(feed);
  FeedReader reader;
  seat_reader(feed, reader);
  const std::int32_t leased = reader.next(feed);
  ASSERT_GT(leased, 0);
  ASSERT_LT(leased, kFit) << "a lease must leave room to push into";
  const int waiting = kFit - leased;
  for (int i = 0; i < 3 * waiting; ++i) {
    EXPECT_EQ(push_text(feed, std::string(500, 'y')), PushResult::kAccepted);
  }
  EXPECT_EQ(feed.stats().dropped_oldest, 3u * static_cast<unsigned>(waiting));
  for (std::int32_t row = 0; row < leased; ++row) {
    EXPECT_EQ(reader.bytes(feed, static_cast<std::uint32_t>(row)), std::string(500, 'x'));
  }
  EXPECT_TRUE(feed.stats().balanced());
  feed.leave(reader.consumer());
}

TEST(FeedWithoutMemory, ConflateWritesOverTheValueItReplaces) {
  Feed feed;
  ASSERT_FALSE(feed.open(tight(FeedOverflow::kConflate)));
  fill(feed);
  EXPECT_EQ(push_text(feed, std::string(400, 'y'), number_key(7)), PushResult::kAccepted);
  EXPECT_EQ(push_text(feed, "new key", number_key(1'000'000)), PushResult::kDropped);
  const FeedStats stats = feed.stats();
  EXPECT_EQ(stats.conflated, 1u);
  EXPECT_EQ(stats.dropped_newest, 1u);
  EXPECT_TRUE(stats.balanced());
  FeedReader reader;
  seat_reader(feed, reader);
  ASSERT_GT(reader.next(feed), 7);
  EXPECT_EQ(reader.bytes(feed, 7), std::string(400, 'y'));
  feed.leave(reader.consumer());
}

TEST(Feed, RefusesWhatIsTooLongAndCountsNothing) {
  Feed feed;
  ASSERT_FALSE(feed.open(feed_options(FeedOverflow::kDropOldest, 4)));
  EXPECT_EQ(push_text(feed, std::string(513, 'x')), PushResult::kTooLarge);
  EXPECT_EQ(push_text(feed, std::string(512, 'x')), PushResult::kAccepted);
  EXPECT_EQ(feed.stats().offered, 1u);
}

TEST(Feed, OnlyTheLowHalfOfAWideKeyChoosesTheConsumer) {
  Feed feed;
  ASSERT_FALSE(feed.open(feed_options(FeedOverflow::kConflate, 4096)));
  std::array<FeedReader, 3> readers;
  std::array<std::uint32_t, 3> tickets;
  ASSERT_TRUE(feed.open_group(true, tickets));
  for (std::size_t i = 0; i < 3; ++i) ASSERT_TRUE(feed.occupy(tickets[i], readers[i].consumer()));
  for (std::uint64_t high = 0; high < 100; ++high) {
    push_text(feed, "x", number_key(high << 32 | 0x1234));
  }
  int busy = 0;
  for (FeedReader& reader : readers) {
    const std::int32_t count = reader.next(feed);
    if (count == Feed::kIdle) continue;
    ++busy;
    EXPECT_EQ(count, 100);
    for (std::uint32_t row = 0; row < 100; ++row) EXPECT_EQ(reader.key_low(row) >> 32, row);
  }
  EXPECT_EQ(busy, 1);
  for (FeedReader& reader : readers) feed.leave(reader.consumer());
}

TEST(Feed, WhoWaitsForItsGroupIsToldOfTheEnd) {
  Feed feed;
  ASSERT_FALSE(feed.open(feed_options(FeedOverflow::kDropNewest, 16)));
  push_text(feed, "x");
  FeedReader reader;
  std::array<std::uint32_t, 2> tickets;
  ASSERT_NE(feed.open_group(true, tickets), FeedSeats::kNoGroup);
  ASSERT_TRUE(feed.occupy(tickets[0], reader.consumer()));
  EXPECT_EQ(reader.next(feed), Feed::kIdle);
  feed.close();
  EXPECT_FALSE(reader.rung()) << "a message still waits for the group";
  feed.discard(true);
  EXPECT_TRUE(reader.rung());
  EXPECT_EQ(reader.next(feed), Feed::kEnded);
  feed.leave(reader.consumer());
}

TEST(Feed, AGroupStartsWhenAllItsSeatsAreTaken) {
  Feed feed;
  ASSERT_FALSE(feed.open(feed_options(FeedOverflow::kDropNewest, 16)));
  push_text(feed, "x");
  std::array<FeedReader, 2> readers;
  std::array<std::uint32_t, 2> tickets;
  const std::uint32_t group = feed.open_group(true, tickets);
  ASSERT_NE(group, FeedSeats::kNoGroup);
  ASSERT_TRUE(feed.occupy(tickets[0], readers[0].consumer()));
  EXPECT_EQ(feed.members(), 0u);
  EXPECT_EQ(readers[0].next(feed), Feed::kIdle);
  ASSERT_TRUE(feed.occupy(tickets[1], readers[1].consumer()));
  EXPECT_EQ(feed.members(), 2u);
  EXPECT_NE(readers[0].rung(), readers[1].next(feed) > 0);
  feed.close_group(group);
  EXPECT_EQ(feed.members(), 0u);
  FeedReader late;
  EXPECT_FALSE(feed.occupy(tickets[0], late.consumer()))
      << "the seat is gone, though its index is free";
  for (FeedReader& reader : readers) feed.leave(reader.consumer());
}

TEST(Feed, RingsAnIdleConsumerOnce) {
  Feed feed;
  ASSERT_FALSE(feed.open(feed_options(FeedOverflow::kDropNewest, 16)));
  FeedReader reader;
  seat_reader(feed, reader);
  EXPECT_FALSE(reader.rung());
  EXPECT_EQ(reader.next(feed), Feed::kIdle);
  push_text(feed, "a");
  EXPECT_TRUE(reader.rung());
  push_text(feed, "b");
  EXPECT_FALSE(reader.rung());
  EXPECT_EQ(reader.next(feed), 2);
  feed.leave(reader.consumer());
}

TEST(Feed, LetsTheEventLoopTurnAfterSixteenBatches) {
  Feed feed;
  ASSERT_FALSE(feed.open(feed_options(FeedOverflow::kDropNewest, 8)));
  FeedReader reader;
  seat_reader(feed, reader);
  std::uint32_t batches = 0;
  std::int32_t count = 0;
  for (auto outcome = BatchOutcome::kNone;; outcome = BatchOutcome::kDelivered) {
    push_text(feed, "x");
    count = feed.next(reader.consumer(), outcome, true);
    if (count <= 0) break;
    ++batches;
  }
  EXPECT_EQ(count, Feed::kYield);
  EXPECT_LE(batches, FeedConsumer::kTurnBatches);
  feed.answer(reader.consumer(), true);
  EXPECT_GT(feed.next(reader.consumer(), BatchOutcome::kNone, true), 0);
  feed.leave(reader.consumer());
}

TEST(Feed, KnowsWhenAProducerWaitsForItself) {
  Feed feed;
  ASSERT_FALSE(feed.open(feed_options(FeedOverflow::kBlock, 1)));
  push_text(feed, "x");
  EXPECT_FALSE(feed.waits_for_itself(1)) << "a consumer may still come";
  FeedReader mine(1);
  FeedReader other(2);
  seat_reader(feed, mine);
  EXPECT_TRUE(feed.waits_for_itself(1));
  EXPECT_FALSE(feed.waits_for_itself(2));
  seat_reader(feed, other);
  EXPECT_FALSE(feed.waits_for_itself(1));
  feed.leave(mine.consumer());
  feed.leave(other.consumer());
}

TEST(Feed, ClosedRefusesAndHandsOutTheRest) {
  Feed feed;
  ASSERT_FALSE(feed.open(feed_options(FeedOverflow::kDropOldest, 16)));
  FeedReader reader;
  seat_reader(feed, reader);
  push_text(feed, "x");
  feed.close();
  EXPECT_EQ(push_text(feed, "y"), PushResult::kClosed);
  EXPECT_EQ(reader.next(feed), 1);
  EXPECT_EQ(reader.next(feed, BatchOutcome::kDelivered), Feed::kEnded);
  const FeedStats stats = feed.stats();
  EXPECT_EQ(stats.delivered, 1u);
  EXPECT_EQ(stats.dropped_closed, 1u);
  EXPECT_TRUE(stats.balanced());
  feed.leave(reader.consumer());
}

TEST(Feed, DiscardCountsWhatWasBegunAsFailedAndTheRestAsDropped) {
  Feed feed;
  ASSERT_FALSE(feed.open(feed_options(FeedOverflow::kDropOldest, 16)));
  FeedReader reader;
  seat_reader(feed, reader);
  for (int i = 0; i < 5; ++i) push_text(feed, "x");
  ASSERT_EQ(reader.next(feed), 5);
  for (int i = 0; i < 3; ++i) push_text(feed, "y");
  reader.start(2);
  feed.close();
  feed.discard(true);
  const FeedStats stats = feed.stats();
  EXPECT_EQ(stats.failed, 2u);
  EXPECT_EQ(stats.dropped_closed, 6u);
  EXPECT_EQ(stats.in_flight(), 0u);
  EXPECT_TRUE(stats.balanced());
  EXPECT_EQ(reader.next(feed, BatchOutcome::kDelivered), Feed::kEnded);
  feed.leave(reader.consumer());
}

TEST(Feed, TellsWatchersThatNothingIsInFlight) {
  Feed feed;
  ASSERT_FALSE(feed.open(feed_options(FeedOverflow::kDropOldest, 16)));
  FeedReader reader;
  FeedReader watcher;
  seat_reader(feed, reader);
  push_text(feed, "x");
  feed.observe(watcher.bell());
  feed.watch_empty(true);
  EXPECT_FALSE(feed.empty());
  EXPECT_EQ(reader.next(feed), 1);
  EXPECT_FALSE(watcher.rung());
  EXPECT_EQ(reader.next(feed, BatchOutcome::kDelivered), Feed::kIdle);
  EXPECT_TRUE(watcher.rung());
  EXPECT_TRUE(feed.empty());
  feed.watch_empty(false);
  feed.unobserve(watcher.bell().get());
  feed.leave(reader.consumer());
}

TEST(Feed, PlansAllOfItsMemory) {
  FeedOptions options = feed_options(FeedOverflow::kConflate, 1000);
  Feed feed;
  ASSERT_FALSE(feed.open(options));
  const FeedMemoryPlan plan = feed.memory_plan();
  EXPECT_EQ(plan.messages, options.max_bytes);
  EXPECT_EQ(plan.entries, (1000u + LeaseTable::kMaxRows) * 64u);
  EXPECT_EQ(plan.keys, 1024u * 4u);
  FeedReader one;
  FeedReader two;
  seat_reader(feed, one);
  seat_reader(feed, two);
  EXPECT_EQ(feed.memory_plan().consumers, 2 * plan.consumers);
  feed.leave(one.consumer());
  feed.leave(two.consumer());
}

}  // namespace
}  // namespace millrace
