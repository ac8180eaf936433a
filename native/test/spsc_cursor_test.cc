#include "millrace/concurrent/spsc_cursor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <thread>
#include <vector>

#include "seed.h"
#include "watchdog.h"

namespace millrace {
namespace {

constexpr std::uint64_t kStarts[] = {0, (std::uint64_t{1} << 32) - 100,
                                     (std::uint64_t{1} << 62) - 100};

TEST(SpscCursor, EverySlotIsUsable) {
  for (const std::uint64_t start : kStarts) {
    for (const std::uint32_t capacity : {1u, 2u, 256u, std::uint32_t{1} << 31}) {
      SpscCursor cursor(capacity, start);
      EXPECT_EQ(cursor.mask(), capacity - 1);
      EXPECT_EQ(cursor.writable(), capacity);
      EXPECT_EQ(cursor.readable(), 0u);
      cursor.publish(capacity);
      EXPECT_EQ(cursor.writable(), 0u);
      EXPECT_EQ(cursor.readable(), capacity);
      EXPECT_EQ(cursor.depth(), capacity);
      cursor.release(capacity);
      EXPECT_EQ(cursor.writable(), capacity);
      EXPECT_EQ(cursor.readable(), 0u);
      EXPECT_EQ(cursor.depth(), 0u);
    }
  }
}

TEST(SpscCursor, LooksAgainOnlyWhenTooLittleIsKnown) {
  SpscCursor cursor(8);
  cursor.publish(2);
  EXPECT_EQ(cursor.readable(), 2u);
  cursor.publish(3);
  EXPECT_EQ(cursor.readable(), 2u);
  EXPECT_EQ(cursor.readable(3), 5u);
  EXPECT_EQ(cursor.writable(), 3u);
  cursor.release(5);
  EXPECT_EQ(cursor.writable(), 3u);
  EXPECT_EQ(cursor.writable(4), 8u);
}

TEST(SpscCursor, BehavesLikeTwoCounters) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  std::mt19937_64 random(seed);
  for (const std::uint64_t start : kStarts) {
    SpscCursor cursor(64, start);
    std::uint32_t depth = 0;
    std::uint64_t published = start;
    std::uint64_t released = start;
    for (int step = 0; step < 20'000; ++step) {
      if (random() % 2 == 0) {
        const std::uint32_t room = cursor.writable(64);
        ASSERT_EQ(room, 64 - depth);
        const auto count = static_cast<std::uint32_t>(random() % (room + 1));
        cursor.publish(count);
        published += count;
        depth += count;
      } else {
        const std::uint32_t ready = cursor.readable(64);
        ASSERT_EQ(ready, depth);
        const auto count = static_cast<std::uint32_t>(random() % (ready + 1));
        cursor.release(count);
        released += count;
        depth -= count;
      }
      ASSERT_EQ(cursor.published(), published);
      ASSERT_EQ(cursor.write_position(), published);
      ASSERT_EQ(cursor.released(), released);
      ASSERT_EQ(cursor.read_position(), released);
      ASSERT_EQ(cursor.depth(), depth);
    }
  }
}

TEST(SpscCursor, HandsPlainSlotsOverUnderStress) {
  const std::uint64_t seed = test_seed();
  const Watchdog watchdog("cursor stress, " + seed_note(seed));
  constexpr std::uint64_t kItems = 300'000;
  for (const std::uint64_t start : kStarts) {
    for (const std::uint32_t capacity : {1u, 2u, 64u}) {
      SpscCursor cursor(capacity, start);
      std::vector<std::uint64_t> slots(capacity);
      const std::uint64_t items = capacity == 1 ? kItems / 10 : kItems;
      std::thread producer([&] {
        std::minstd_rand random(static_cast<std::uint32_t>(seed));
        for (std::uint64_t item = 0; item < items;) {
          const std::uint32_t room = cursor.writable(1 + random() % capacity);
          if (room == 0) {
            std::this_thread::yield();
            continue;
          }
          const auto batch = static_cast<std::uint32_t>(
              std::min<std::uint64_t>(1 + random() % room, items - item));
          for (std::uint32_t i = 0; i < batch; ++i) {
            slots[(cursor.write_position() + i) & cursor.mask()] = item++;
          }
          cursor.publish(batch);
        }
      });
      std::uint64_t wrong = 0;
      for (std::uint64_t item = 0; item < items;) {
        const std::uint32_t ready = cursor.readable();
        if (ready == 0) std::this_thread::yield();
        for (std::uint32_t i = 0; i < ready; ++i) {
          wrong += slots[(cursor.read_position() + i) & cursor.mask()] != item++;
        }
        cursor.release(ready);
        ASSERT_LE(cursor.depth(), capacity);
      }
      producer.join();
      EXPECT_EQ(wrong, 0u);
    }
  }
}

}  // namespace
}  // namespace millrace
