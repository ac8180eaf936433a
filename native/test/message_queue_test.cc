#include "millrace/queue/message_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <deque>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "millrace/queue/byte_queue.h"
#include "millrace/queue/byte_ring.h"
#include "seed.h"

namespace millrace {
namespace {

// Where counters of 32 and of 62 bits would go wrong.
constexpr std::uint64_t kStarts[] = {0, (std::uint64_t{1} << 32) - 100,
                                     (std::uint64_t{1} << 62) - 100};
constexpr MessageQueue::User kMe = 1;
constexpr MessageQueue::User kOther = 2;

std::shared_ptr<ByteQueue> queue_of(std::uint32_t capacity, std::uint32_t bytes,
                                    QueueOverflow overflow = QueueOverflow::kReject,
                                    std::uint64_t start = 0) {
  SystemError error;
  auto queue = ByteQueue::open(capacity, bytes, overflow, error, start);
  EXPECT_FALSE(error);
  return queue;
}

std::shared_ptr<ByteRing> ring_of(std::uint32_t bytes, std::uint64_t start = 0) {
  SystemError error;
  auto ring = ByteRing::open(bytes, 0, error, start);
  EXPECT_FALSE(error);
  return ring;
}

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

QueueResult push(MessageQueue& queue, const std::string& text, MessageQueue::User user = kMe) {
  return queue.push(user, bytes_of(text), false);
}

// What comes out, or "(empty)", "(ended)", "(short)", "(taken)".
std::string pop(MessageQueue& queue, std::uint32_t room = 4096, MessageQueue::User user = kMe) {
  std::string text(room, '?');
  std::uint32_t length = 0;
  switch (queue.pop(user, std::as_writable_bytes(std::span(text.data(), text.size())), length)) {
    case QueueResult::kDone:
      return text.substr(0, length);
    case QueueResult::kEmpty:
      return "(empty)";
    case QueueResult::kClosed:
      return "(ended)";
    case QueueResult::kTooSmall:
      return "(short of " + std::to_string(length) + ")";
    default:
      return "(taken)";
  }
}

TEST(ByteQueue, MovesMessagesOfAllSizesItTakes) {
  for (const std::uint32_t most : {0u, 1u, 7u, 8u, 9u, 300u}) {
    const auto queue = queue_of(2, most);
    for (std::uint32_t length = 0; length <= most; ++length) {
      const std::string text(length, static_cast<char>('a' + length % 26));
      ASSERT_EQ(push(*queue, text), QueueResult::kDone);
      ASSERT_EQ(pop(*queue, most), text);
    }
    EXPECT_EQ(push(*queue, std::string(most + 1, 'x')), QueueResult::kTooLarge);
    EXPECT_EQ(pop(*queue), "(empty)");
  }
}

TEST(ByteQueue, AMessageThatDoesNotFitStays) {
  for (const std::uint32_t most : {7u, 64u}) {
    const auto queue = queue_of(4, most);
    push(*queue, "sixsix");
    EXPECT_EQ(pop(*queue, 5), "(short of 6)");
    EXPECT_EQ(pop(*queue, 6), "sixsix");
    EXPECT_EQ(pop(*queue, 5), "(empty)");
  }
}

TEST(ByteQueue, RejectsWhatFindsNoRoom) {
  const auto queue = queue_of(2, 8);
  EXPECT_EQ(push(*queue, "a"), QueueResult::kDone);
  EXPECT_EQ(push(*queue, "b"), QueueResult::kDone);
  EXPECT_EQ(push(*queue, "c"), QueueResult::kFull);
  EXPECT_EQ(queue->stats().rejected, 1u);
  EXPECT_EQ(pop(*queue), "a");
  EXPECT_EQ(push(*queue, "c"), QueueResult::kDone);
  const QueueStats stats = queue->stats();
  EXPECT_EQ(stats.pushed, 3u);
  EXPECT_EQ(stats.popped, 1u);
  EXPECT_EQ(stats.depth, 2u);
  EXPECT_EQ(stats.high_water, 2u);
}

TEST(ByteQueue, DropsTheNewestAndSaysSo) {
  const auto queue = queue_of(2, 8, QueueOverflow::kDropNewest);
  push(*queue, "a");
  push(*queue, "b");
  EXPECT_EQ(push(*queue, "c"), QueueResult::kDropped);
  EXPECT_EQ(queue->stats().dropped_newest, 1u);
  EXPECT_EQ(queue->stats().rejected, 0u);
  EXPECT_EQ(pop(*queue), "a");
}

TEST(ByteQueue, DropsTheOldestAndTakesTheNew) {
  const auto queue = queue_of(4, 8, QueueOverflow::kDropOldest);
  for (char c = 'a'; c <= 'j'; ++c) EXPECT_EQ(push(*queue, std::string(1, c)), QueueResult::kDone);
  std::string rest;
  for (std::string one = pop(*queue); one != "(empty)"; one = pop(*queue)) rest += one;
  EXPECT_EQ(rest, "ghij");
  const QueueStats stats = queue->stats();
  EXPECT_EQ(stats.dropped_oldest, 6u);
  EXPECT_EQ(stats.pushed, 10u);
  EXPECT_EQ(stats.popped, 4u);
}

TEST(ByteQueue, BatchesGoInAsThePolicySays) {
  const std::string packed = "a.......b.......c.......d.......";
  const std::uint32_t lengths[] = {1, 1, 1, 1};
  std::uint32_t done = 0;
  for (const auto& [overflow, first, in] : {std::tuple{QueueOverflow::kReject, "a", 2u},
                                            std::tuple{QueueOverflow::kDropNewest, "a", 2u},
                                            std::tuple{QueueOverflow::kDropOldest, "c", 4u}}) {
    const auto queue = queue_of(2, 8, overflow);
    EXPECT_EQ(queue->push_many(kMe, bytes_of(packed), lengths, 4, done), QueueResult::kDone);
    EXPECT_EQ(done, in);
    EXPECT_EQ(pop(*queue), first);
    const QueueStats stats = queue->stats();
    EXPECT_EQ(stats.rejected + stats.dropped_newest + stats.dropped_oldest, 2u);
  }
}

TEST(ByteQueue, LengthsThatLieAreNotBelieved) {
  const auto queue = queue_of(8, 64);
  const auto ring = ring_of(1024);
  const std::string packed(16, 'p');
  std::uint32_t done = 0;
  const std::uint32_t lengths[] = {8, 9};
  for (MessageQueue* const one :
       {static_cast<MessageQueue*>(queue.get()), static_cast<MessageQueue*>(ring.get())}) {
    one->push_many(kMe, bytes_of(packed), lengths, 2, done);
    EXPECT_EQ(done, 1u);
    const std::uint32_t huge = std::numeric_limits<std::uint32_t>::max();
    one->push_many(kMe, bytes_of(packed), &huge, 1, done);
    EXPECT_EQ(done, 0u);
  }
}

TEST(ByteQueue, MemoryThatCannotBeHadIsAnError) {
  SystemError error;
  EXPECT_EQ(ByteQueue::open(std::uint32_t{1} << 20, ByteQueue::kMaxMessageBytes,
                            QueueOverflow::kReject, error),
            nullptr);
  EXPECT_EQ(error.code, ENOMEM);
}

TEST(ByteRing, EachSideIsOnesUntilItLeaves) {
  const auto ring = ring_of(256);
  EXPECT_EQ(push(*ring, "a"), QueueResult::kDone);
  EXPECT_EQ(push(*ring, "b", kOther), QueueResult::kTaken);
  EXPECT_EQ(pop(*ring, 64, kOther), "a");
  EXPECT_EQ(pop(*ring), "(taken)");
  ring->leave(kMe);
  EXPECT_EQ(push(*ring, "b", kOther), QueueResult::kDone);
  std::uint32_t offset = 0;
  EXPECT_EQ(ring->reserve(kOther, 8, offset), QueueResult::kDone);
  ring->leave(kOther);
  EXPECT_EQ(ring->commit(kMe, 8), QueueResult::kEmpty);
  EXPECT_EQ(pop(*ring), "b");
}

TEST(ByteRing, MessagesAreWrittenInPlace) {
  const auto ring = ring_of(128);
  std::uint32_t offset = 0;
  EXPECT_EQ(ring->commit(kMe, 1), QueueResult::kEmpty);
  ASSERT_EQ(ring->reserve(kMe, 10, offset), QueueResult::kDone);
  EXPECT_EQ(offset % 8, 0u);
  std::memcpy(ring->memory()->data() + offset, "in place", 8);
  EXPECT_EQ(ring->commit(kMe, 11), QueueResult::kTooLarge);
  EXPECT_EQ(ring->commit(kMe, 8), QueueResult::kDone);
  EXPECT_EQ(ring->commit(kMe, 8), QueueResult::kEmpty);
  EXPECT_EQ(pop(*ring), "in place");
  EXPECT_EQ(ring->reserve(kMe, 57, offset), QueueResult::kTooLarge);
  // A push takes the reservation back.
  ASSERT_EQ(ring->reserve(kMe, 8, offset), QueueResult::kDone);
  push(*ring, "pushed");
  EXPECT_EQ(ring->commit(kMe, 8), QueueResult::kEmpty);
  // Closed in between: it never went in.
  ASSERT_EQ(ring->reserve(kMe, 8, offset), QueueResult::kDone);
  ring->close();
  EXPECT_EQ(ring->commit(kMe, 8), QueueResult::kClosed);
  EXPECT_EQ(pop(*ring), "pushed");
  EXPECT_EQ(pop(*ring), "(ended)");
  EXPECT_EQ(ring->stats().dropped_closed, 1u);
  EXPECT_EQ(ring->stats().pushed, 2u);
}

TEST(ByteRing, AMessageThatDoesNotFitStays) {
  const auto ring = ring_of(64);
  for (int round = 0; round < 20; ++round) {
    push(*ring, "nine char");
    EXPECT_EQ(pop(*ring, 8), "(short of 9)");
    EXPECT_EQ(pop(*ring, 8), "(short of 9)");
    EXPECT_EQ(pop(*ring, 9), "nine char");
  }
}

TEST(MessageQueue, AClosedQueueGivesOutWhatIsInItAndEnds) {
  const auto queue = queue_of(8, 16);
  const auto ring = ring_of(256);
  for (MessageQueue* const one :
       {static_cast<MessageQueue*>(queue.get()), static_cast<MessageQueue*>(ring.get())}) {
    push(*one, "last");
    one->close();
    one->close();
    EXPECT_EQ(push(*one, "late"), QueueResult::kClosed);
    EXPECT_TRUE(one->closed());
    EXPECT_FALSE(one->ended());
    EXPECT_EQ(pop(*one), "last");
    EXPECT_TRUE(one->ended());
    EXPECT_EQ(pop(*one), "(ended)");
    EXPECT_EQ(one->stats().dropped_closed, 1u);
  }
}

// Against a deque, with counters about to wrap, one by one and in batches.
TEST(MessageQueue, BehavesLikeADequeOfStrings) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  std::mt19937_64 random(seed);
  for (const std::uint64_t start : kStarts) {
    for (int kind = 0; kind < 3; ++kind) {
      const std::uint32_t most = kind == 0 ? 7 : 40;
      std::shared_ptr<MessageQueue> queue;
      if (kind == 2) {
        queue = ring_of(256, start);
      } else {
        queue = queue_of(16, most, QueueOverflow::kReject, start);
      }
      std::deque<std::string> model;
      std::uint64_t pushed = 0, popped = 0, rejected = 0, deepest = 0;
      for (int step = 0; step < 20'000; ++step) {
        std::vector<std::string> texts(random() % 6);
        for (auto& text : texts) {
          text.assign(random() % (most + 1), static_cast<char>('a' + random() % 26));
        }
        std::string packed;
        std::vector<std::uint32_t> lengths;
        for (const auto& text : texts) {
          packed += text + std::string(align_message(text.size()) - text.size(), '.');
          lengths.push_back(static_cast<std::uint32_t>(text.size()));
        }
        std::uint32_t count = 0;
        if (random() % 2 == 0) {
          ASSERT_EQ(queue->push_many(kMe, bytes_of(packed), lengths.data(),
                                     static_cast<std::uint32_t>(texts.size()), count),
                    QueueResult::kDone);
          for (std::uint32_t i = 0; i < count; ++i) model.push_back(texts[i]);
          if (kind != 2) {
            ASSERT_EQ(count, std::min<std::size_t>(texts.size(), 16 - model.size() + count));
          }
          pushed += count;
          rejected += texts.size() - count;
          deepest = std::max<std::uint64_t>(deepest, model.size());
        } else {
          std::string room(1 + random() % 300, '?');
          std::uint32_t sizes[8];
          const auto wanted = static_cast<std::uint32_t>(1 + random() % 8);
          const QueueResult result = queue->pop_many(
              kMe, wanted, std::as_writable_bytes(std::span(room.data(), room.size())), sizes,
              count);
          if (result == QueueResult::kTooSmall) {
            ASSERT_EQ(count, model.front().size());
            ASSERT_GT(count, room.size());
            continue;
          }
          ASSERT_EQ(result, model.empty() ? QueueResult::kEmpty : QueueResult::kDone);
          std::size_t at = 0;
          for (std::uint32_t i = 0; i < count; ++i) {
            ASSERT_EQ(room.substr(at, sizes[i]), model.front());
            at += align_message(sizes[i]);
            model.pop_front();
          }
          popped += count;
        }
        const QueueStats stats = queue->stats();
        ASSERT_EQ(stats.pushed, pushed);
        ASSERT_EQ(stats.popped, popped);
        ASSERT_EQ(stats.rejected, rejected);
        ASSERT_EQ(stats.depth, model.size());
        ASSERT_EQ(stats.high_water, deepest);
        ASSERT_EQ(stats.pushed, stats.popped + stats.dropped_oldest + stats.depth);
      }
      EXPECT_GT(rejected, 0u);
    }
  }
}

}  // namespace
}  // namespace millrace
