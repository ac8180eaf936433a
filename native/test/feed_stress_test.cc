#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "feed_reader.h"
#include "millrace/feed/feed.h"
#include "seed.h"
#include "watchdog.h"

namespace millrace {
namespace {

constexpr std::uint32_t kProducers = 3;
constexpr std::uint32_t kReaders = 3;
constexpr std::uint32_t kKeys = 7;
constexpr std::uint32_t kEach = 15'000;  // messages a producer

struct Message {
  std::uint32_t producer;
  std::uint32_t number;
  std::uint64_t key;
  std::uint64_t check;  // a torn or reused message does not add up

  static Message make(std::uint32_t producer, std::uint32_t number, std::uint64_t key) {
    return {producer, number, key, key * 31 + number * 7919u + producer};
  }
  bool whole() const { return check == key * 31 + number * 7919u + producer; }
};

// What readers have seen, to be judged at the end.
class Journal {
 public:
  void note(const Message& message) {
    const std::lock_guard guard(lock_);
    ++seen_[{message.producer, message.number}];
    std::uint64_t& last = last_[{message.producer, message.key}];
    if (message.number < last) ++out_of_order;
    last = message.number + 1;
  }
  std::uint64_t distinct() const { return seen_.size(); }
  std::uint64_t repeated() const {
    std::uint64_t repeated = 0;
    for (const auto& [message, times] : seen_) repeated += times > 1;
    return repeated;
  }
  std::uint64_t out_of_order = 0;

 private:
  std::mutex lock_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t> seen_;
  std::map<std::pair<std::uint32_t, std::uint64_t>, std::uint64_t> last_;
};

struct Case {
  FeedOverflow overflow;
  bool sticky;
  const char* name;
};

class FeedStress : public testing::TestWithParam<Case> {
 protected:
  void open(std::uint32_t capacity) {
    FeedOptions options = feed_options(GetParam().overflow, capacity);
    options.max_bytes = 1 << 20;
    ASSERT_FALSE(feed_.open(options));
    ASSERT_TRUE(feed_.open_group(GetParam().sticky, tickets_));
  }

  void produce(std::uint32_t producer, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    for (std::uint32_t number = 0; number < kEach; ++number) {
      const Message message = Message::make(producer, number, random() % kKeys);
      const PushResult result =
          feed_.push_waiting(&message, sizeof(message), number_key(message.key), -1);
      if (result == PushResult::kClosed) return;
      ASSERT_NE(result, PushResult::kFull);
      if (random() % 512 == 0) std::this_thread::yield();
    }
  }

  // Reads until the feed ends. Dies now and then, in the middle of a batch, by its own hand or by
  // that of the supervisor, and another one takes its seat.
  void read(std::uint32_t index, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    for (bool ended = false; !ended;) {
      FeedReader reader(index);
      // A feed that has been discarded takes nobody in.
      if (!feed_.occupy(tickets_[index], reader.consumer())) {
        EXPECT_TRUE(feed_.closing());
        return;
      }
      ended = read_until_death(reader, index, random);
      feed_.leave(reader.consumer());
    }
  }

  // True when the feed has ended.
  bool read_until_death(FeedReader& reader, std::uint32_t index, std::mt19937_64& random) {
    auto outcome = BatchOutcome::kNone;
    for (;;) {
      const std::int32_t count = reader.next_or_wait(feed_, outcome);
      if (count == Feed::kEnded) return true;
      const std::uint64_t fate = random() % 64;
      const auto rows = static_cast<std::uint32_t>(count);
      const std::uint32_t begun =
          fate < 2 ? static_cast<std::uint32_t>(random() % (rows + 1)) : rows;
      for (std::uint32_t row = 0; row < begun; ++row) note(reader, row);
      if (fate == 0) return false;
      if (fate == 1) {
        const std::lock_guard guard(evictions_);
        EXPECT_TRUE(feed_.evict(tickets_[index]));
        return false;
      }
      outcome = fate < 6 ? BatchOutcome::kFailed : BatchOutcome::kDelivered;
    }
  }

  void note(FeedReader& reader, std::uint32_t row) {
    reader.start(row + 1);
    Message message;
    ASSERT_EQ(reader.length(row), sizeof(message));
    std::memcpy(&message, feed_.arena() + reader.offset(row), sizeof(message));
    EXPECT_TRUE(message.whole());
    EXPECT_EQ(reader.key_low(row), message.key);
    journal_.note(message);
  }

  Feed feed_;
  std::array<std::uint32_t, kReaders> tickets_;
  Journal journal_;
  std::mutex evictions_;
};

// Hazards 16 and 22: no torn message, and books that balance whenever they are looked at.
TEST_P(FeedStress, EveryMessageIsAccountedForAtEveryInstant) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  const Watchdog watchdog(seed_note(seed));
  open(256);
  std::vector<std::thread> readers;
  for (std::uint32_t i = 0; i < kReaders; ++i)
    readers.emplace_back([=, this] { read(i, seed + 100 + i); });
  std::vector<std::thread> producers;
  for (std::uint32_t i = 0; i < kProducers; ++i)
    producers.emplace_back([=, this] { produce(i, seed + i); });
  std::atomic<bool> done{false};
  std::thread auditor([&] {
    while (!done.load(std::memory_order_relaxed)) {
      EXPECT_TRUE(feed_.stats().balanced());
      std::this_thread::yield();
    }
  });
  for (std::thread& producer : producers) producer.join();
  feed_.close();
  for (std::thread& reader : readers) reader.join();
  done = true;
  auditor.join();

  const FeedStats stats = feed_.stats();
  EXPECT_TRUE(stats.balanced());
  EXPECT_EQ(stats.offered, kProducers * kEach);
  EXPECT_EQ(stats.in_flight(), 0u);
  EXPECT_EQ(feed_.walk(), 0u);
  EXPECT_EQ(stats.dropped_closed, 0u);
  EXPECT_EQ(journal_.repeated(), 0u) << "what was begun is never handed out again";
  EXPECT_EQ(journal_.distinct(), stats.delivered + stats.failed);
  if (GetParam().sticky) {
    EXPECT_EQ(journal_.out_of_order, 0u);
  }
  if (GetParam().overflow == FeedOverflow::kBlock) {
    EXPECT_EQ(stats.delivered + stats.failed, stats.offered);
  }
}

TEST_P(FeedStress, ConsumersComeAndGoWithoutBreakingTheOrderOfAKey) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  const Watchdog watchdog(seed_note(seed));
  open(64);
  std::vector<std::thread> readers;
  for (std::uint32_t i = 0; i < kReaders; ++i)
    readers.emplace_back([=, this] { read(i, seed + 100 + i); });
  // A fourth reader joins and parts all the time: each time all keys are dealt out anew.
  std::atomic<bool> done{false};
  std::thread guest([&] {
    while (!done.load(std::memory_order_relaxed)) {
      FeedReader reader(99);
      const Seated seated = seat_reader(feed_, reader, GetParam().sticky);
      if (seated.group == FeedSeats::kNoGroup) break;
      auto outcome = BatchOutcome::kNone;
      for (int batch = 0; batch < 20 && !done.load(std::memory_order_relaxed); ++batch) {
        const std::int32_t count = reader.next(feed_, outcome);
        outcome = BatchOutcome::kNone;
        if (count == Feed::kEnded) break;
        for (std::int32_t row = 0; row < count; ++row)
          note(reader, static_cast<std::uint32_t>(row));
        if (count > 0) outcome = BatchOutcome::kDelivered;
      }
      feed_.close_group(seated.group);
      reader.next(feed_, outcome);
      feed_.leave(reader.consumer());
    }
  });
  std::vector<std::thread> producers;
  for (std::uint32_t i = 0; i < kProducers; ++i)
    producers.emplace_back([=, this] { produce(i, seed + i); });
  for (std::thread& producer : producers) producer.join();
  feed_.close();
  done = true;
  guest.join();
  for (std::thread& reader : readers) reader.join();
  const FeedStats stats = feed_.stats();
  EXPECT_TRUE(stats.balanced());
  EXPECT_EQ(stats.in_flight(), 0u);
  EXPECT_EQ(journal_.repeated(), 0u);
  EXPECT_EQ(journal_.distinct(), stats.delivered + stats.failed);
  if (GetParam().sticky) {
    EXPECT_EQ(journal_.out_of_order, 0u);
  }
}

TEST_P(FeedStress, ClosingUnderLoadLosesCountOfNothing) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  const Watchdog watchdog(seed_note(seed));
  open(64);
  std::vector<std::thread> threads;
  for (std::uint32_t i = 0; i < kReaders; ++i)
    threads.emplace_back([=, this] { read(i, seed + 100 + i); });
  for (std::uint32_t i = 0; i < kProducers; ++i)
    threads.emplace_back([=, this] { produce(i, seed + i); });
  const std::uint64_t enough = seed % 20'000;
  while (feed_.stats().offered < enough) std::this_thread::yield();
  feed_.close();
  feed_.discard(seed % 2 == 0);
  for (std::thread& thread : threads) thread.join();
  const FeedStats stats = feed_.stats();
  EXPECT_TRUE(stats.balanced());
  EXPECT_EQ(stats.in_flight(), 0u);
  EXPECT_EQ(feed_.walk(), 0u);
}

// Hazard 11: each message needs a ring of the reader, which sleeps, and a wake-up of the producer,
// which waits for room: if one of them were lost, everything would stand still.
TEST(FeedWakeUps, NoneIsLost) {
  const Watchdog watchdog("a reader and two producers that wake each other");
  Feed feed;
  ASSERT_FALSE(feed.open(feed_options(FeedOverflow::kBlock, 1)));
  FeedReader reader;
  ASSERT_NE(seat_reader(feed, reader).group, FeedSeats::kNoGroup);
  constexpr std::uint64_t kRounds = 20'000;
  const auto produce = [&] {
    for (std::uint64_t i = 0; i < kRounds; ++i) {
      ASSERT_EQ(feed.push_waiting("x", 1, number_key(i), -1), PushResult::kAccepted);
    }
  };
  std::thread one(produce);
  std::thread other(produce);
  auto outcome = BatchOutcome::kNone;
  for (std::uint64_t seen = 0; seen < 2 * kRounds; outcome = BatchOutcome::kDelivered) {
    seen += static_cast<std::uint64_t>(reader.next_or_wait(feed, outcome));
  }
  one.join();
  other.join();
  EXPECT_EQ(reader.next(feed, outcome), Feed::kIdle);
  EXPECT_EQ(feed.stats().delivered, 2 * kRounds);
  feed.leave(reader.consumer());
}

INSTANTIATE_TEST_SUITE_P(Policies, FeedStress,
                         testing::Values(Case{FeedOverflow::kBlock, false, "BlockShared"},
                                         Case{FeedOverflow::kBlock, true, "BlockSticky"},
                                         Case{FeedOverflow::kDropNewest, true, "DropNewestSticky"},
                                         Case{FeedOverflow::kDropOldest, false, "DropOldestShared"},
                                         Case{FeedOverflow::kDropOldest, true, "DropOldestSticky"},
                                         Case{FeedOverflow::kConflate, false, "ConflateShared"},
                                         Case{FeedOverflow::kConflate, true, "ConflateSticky"},
                                         Case{FeedOverflow::kSample, true, "SampleSticky"}),
                         [](const testing::TestParamInfo<Case>& info) { return info.param.name; });

}  // namespace
}  // namespace millrace
