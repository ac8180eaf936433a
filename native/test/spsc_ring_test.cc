#include "millrace/concurrent/spsc_ring.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <random>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "millrace/base/parker.h"
#include "seed.h"
#include "watchdog.h"

namespace millrace {
namespace {

constexpr std::uint64_t kStarts[] = {0, (std::uint64_t{1} << 32) - 100,
                                     (std::uint64_t{1} << 62) - 100};

// A ring whose memory is an allocation of exactly its size, so that the address sanitizer sees
// every step outside of it.
struct Ring {
  explicit Ring(std::uint32_t bytes, std::uint64_t start = 0)
      : memory(bytes / 8), ring(reinterpret_cast<std::byte*>(memory.data()), bytes, start) {}
  std::vector<std::uint64_t> memory;
  SpscRing ring;
};

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// What the record of one number holds: its length and bytes follow from it.
std::string record_of(std::uint64_t number, std::uint32_t longest) {
  std::string text((number * 2654435761u >> 7) % (longest + 1), '\0');
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(number * 31 + i);
  return text;
}

TEST(SpscRing, RecordsComeOutAsTheyWentIn) {
  Ring owner(256);
  SpscRing& ring = owner.ring;
  ASSERT_TRUE(ring.try_push(bytes_of("hello")));
  ASSERT_TRUE(ring.try_push({}));
  ASSERT_TRUE(ring.try_push(bytes_of("world!!!")));
  EXPECT_TRUE(ring.has_next());
  EXPECT_EQ(ring.depth_bytes(), 16u + 8u + 16u);
  std::span<std::byte> record;
  ASSERT_TRUE(ring.next(record));
  EXPECT_EQ(text_of(record), "hello");
  ASSERT_TRUE(ring.next(record));
  EXPECT_TRUE(record.empty());
  ASSERT_TRUE(ring.next(record));
  EXPECT_EQ(text_of(record), "world!!!");
  EXPECT_FALSE(ring.next(record));
  EXPECT_EQ(ring.depth_bytes(), 40u);
  EXPECT_EQ(ring.popped(), 0u);
  ring.release();
  EXPECT_EQ(ring.depth_bytes(), 0u);
  EXPECT_EQ(ring.pushed(), 3u);
  EXPECT_EQ(ring.popped(), 3u);
  EXPECT_EQ(ring.high_water_bytes(), 40u);
}

TEST(SpscRing, TakesRecordsUpToHalfOfItsMemoryWhereverItStands) {
  for (const std::uint32_t bytes : {SpscRing::kMinBytes, 256u, 4096u}) {
    for (std::uint64_t start = 0; start < bytes / 8; ++start) {
      Ring owner(bytes, start);
      SpscRing& ring = owner.ring;
      EXPECT_EQ(ring.capacity_bytes(), bytes);
      ASSERT_EQ(ring.max_record_bytes(), bytes / 2 - 8);
      const std::string largest(ring.max_record_bytes(), 'x');
      EXPECT_FALSE(ring.try_push(bytes_of(largest + 'x')));
      for (int turn = 0; turn < 3; ++turn) {
        ASSERT_TRUE(ring.try_push(bytes_of(largest)));
        std::span<std::byte> record;
        ASSERT_TRUE(ring.next(record));
        EXPECT_EQ(text_of(record), largest);
        ring.release();
        ASSERT_EQ(ring.depth_bytes(), 0u);
      }
    }
  }
}

TEST(SpscRing, NothingIsSeenBeforePublish) {
  Ring owner(256);
  SpscRing& ring = owner.ring;
  for (const char* text : {"a", "bb", "ccc"}) {
    std::byte* room = ring.reserve(100);
    ASSERT_NE(room, nullptr);
    std::memcpy(room, text, std::strlen(text));
    ring.commit(static_cast<std::uint32_t>(std::strlen(text)));
  }
  EXPECT_FALSE(ring.has_next());
  EXPECT_EQ(ring.pushed(), 0u);
  ring.publish();
  EXPECT_EQ(ring.pushed(), 3u);
  std::string seen;
  EXPECT_EQ(ring.drain(2, [&](std::span<std::byte> record) { seen += text_of(record) + ','; }), 2u);
  EXPECT_EQ(ring.drain(9, [&](std::span<std::byte> record) { seen += text_of(record) + ','; }), 1u);
  EXPECT_EQ(seen, "a,bb,ccc,");
}

TEST(SpscRing, AReservationThatIsNotCommittedLeavesNoTrace) {
  Ring owner(128);
  SpscRing& ring = owner.ring;
  ASSERT_TRUE(ring.try_push(bytes_of(std::string(50, 'a'))));  // 64 bytes: the next wraps
  ASSERT_NE(ring.reserve(56), nullptr);
  ring.publish();
  EXPECT_EQ(ring.pushed(), 1u);
  ASSERT_TRUE(ring.try_push(bytes_of("b")));
  std::string seen;
  ring.drain(9, [&](std::span<std::byte> record) { seen += text_of(record).substr(0, 1); });
  EXPECT_EQ(seen, "ab");
}

TEST(SpscRing, PayloadsAreAlignedToEightBytes) {
  Ring owner(512);
  for (std::uint32_t bytes = 0; bytes < 20; ++bytes) {
    std::byte* room = owner.ring.reserve(bytes);
    ASSERT_NE(room, nullptr);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(room) % 8, 0u);
    owner.ring.commit(bytes);
  }
}

TEST(SpscRing, BehavesLikeADequeOfStrings) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  std::mt19937_64 random(seed);
  for (const std::uint64_t start : kStarts) {
    for (const std::uint32_t bytes : {64u, 256u, 4096u}) {
      Ring owner(bytes, start);
      SpscRing& ring = owner.ring;
      std::deque<std::string> staged;
      std::deque<std::string> published;
      std::uint64_t number = 0;
      std::uint32_t refused = 0;
      for (int step = 0; step < 20'000; ++step) {
        switch (random() % 4) {
          case 0:
          case 1: {
            const std::string text = record_of(number, ring.max_record_bytes());
            // Ask for more than is needed now and then.
            const auto extra = static_cast<std::uint32_t>(
                random() % 2 == 0 ? 0 : random() % (ring.max_record_bytes() - text.size() + 1));
            std::byte* room = ring.reserve(static_cast<std::uint32_t>(text.size()) + extra);
            if (room == nullptr) {
              // Only ever for want of room: with nothing in it, everything fits.
              ASSERT_FALSE(staged.empty() && published.empty());
              ++refused;
              break;
            }
            std::memcpy(room, text.data(), text.size());
            ring.commit(static_cast<std::uint32_t>(text.size()));
            staged.push_back(text);
            ++number;
            break;
          }
          case 2:
            ring.publish();
            published.insert(published.end(), staged.begin(), staged.end());
            staged.clear();
            break;
          default: {
            const auto most = static_cast<std::uint32_t>(random() % 6);
            const std::uint32_t got = ring.drain(most, [&](std::span<std::byte> record) {
              ASSERT_FALSE(published.empty());
              ASSERT_EQ(text_of(record), published.front());
              published.pop_front();
            });
            ASSERT_TRUE(got == most || published.empty());
          }
        }
        ASSERT_EQ(ring.pushed() - ring.popped(), published.size());
        ASSERT_EQ(ring.has_next(), !published.empty());
        ASSERT_LE(ring.high_water_bytes(), ring.capacity_bytes());
      }
      EXPECT_GT(refused, 0u);
      EXPECT_EQ(ring.damaged(), 0u);
    }
  }
}

void stress(std::uint32_t bytes, std::uint64_t start, std::uint64_t records, std::uint64_t seed) {
  const Watchdog watchdog("ring stress, " + seed_note(seed));
  Ring owner(bytes, start);
  SpscRing& ring = owner.ring;
  Parker room_parker;
  Parker work_parker;
  std::atomic<std::uint64_t> released{0};
  std::thread producer([&] {
    std::minstd_rand random(static_cast<std::uint32_t>(seed));
    for (std::uint64_t number = 0; number < records;) {
      const std::uint32_t batch = 1 + random() % 8;
      for (std::uint32_t i = 0; i < batch && number < records; ++i) {
        const std::string text = record_of(number, std::min(ring.max_record_bytes(), 200u));
        std::byte* room = ring.reserve(static_cast<std::uint32_t>(text.size()));
        if (room == nullptr) {
          ring.publish();
          work_parker.unpark_published();
          const std::uint64_t seen = released.load(std::memory_order_seq_cst);
          room = ring.reserve(static_cast<std::uint32_t>(text.size()));
          if (room == nullptr) {
            room_parker.park([&] { return released.load(std::memory_order_seq_cst) != seen; });
            continue;
          }
        }
        std::memcpy(room, text.data(), text.size());
        ring.commit(static_cast<std::uint32_t>(text.size()));
        ++number;
      }
      ring.publish();
      work_parker.unpark_published();
    }
    ring.close();
    work_parker.unpark();
  });
  std::minstd_rand random(static_cast<std::uint32_t>(seed + 1));
  std::uint64_t number = 0;
  std::uint64_t wrong = 0;
  while (!ring.drained()) {
    const std::uint32_t got = ring.drain(1 + random() % 16, [&](std::span<std::byte> record) {
      wrong += text_of(record) != record_of(number++, std::min(ring.max_record_bytes(), 200u));
    });
    if (got != 0) {
      released.fetch_add(1, std::memory_order_seq_cst);
      room_parker.unpark_published();
    } else {
      work_parker.park([&] { return ring.has_next() || ring.closed(); });
    }
  }
  producer.join();
  EXPECT_EQ(number, records);
  EXPECT_EQ(wrong, 0u);
  EXPECT_EQ(ring.pushed(), records);
  EXPECT_EQ(ring.popped(), records);
  EXPECT_EQ(ring.damaged(), 0u);
}

TEST(SpscRing, LosesAndTearsNothingUnderStress) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  for (const std::uint64_t start : kStarts) {
    stress(64, start, 20'000, seed);
    stress(1024, start, 50'000, seed);
    stress(65'536, start, 50'000, seed);
  }
}

TEST(SpscRing, CloseRefusesRecordsAndKeepsWhatIsIn) {
  Ring owner(256);
  SpscRing& ring = owner.ring;
  ASSERT_TRUE(ring.try_push(bytes_of("last")));
  ring.close();
  ring.close();
  EXPECT_TRUE(ring.closed());
  EXPECT_FALSE(ring.drained());
  EXPECT_FALSE(ring.try_push(bytes_of("more")));
  EXPECT_EQ(ring.reserve(0), nullptr);
  std::string seen;
  EXPECT_EQ(ring.drain(9, [&](std::span<std::byte> record) { seen = text_of(record); }), 1u);
  EXPECT_EQ(seen, "last");
  EXPECT_TRUE(ring.drained());
}

// The memory may be shared with JavaScript: whatever stands in it, no byte outside is touched.
TEST(SpscRing, SurvivesScribblingOverItsMemory) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  std::mt19937_64 random(seed);
  std::uint64_t damaged = 0;
  for (int round = 0; round < 2'000; ++round) {
    Ring owner(256, random() >> 2);
    SpscRing& ring = owner.ring;
    const auto* first = reinterpret_cast<const std::byte*>(owner.memory.data());
    for (int step = 0; step < 30; ++step) {
      ring.try_push(bytes_of(record_of(random(), 60)));
      const std::uint64_t length = random() % 3 == 0 ? random() : random() % 300;
      owner.memory[random() % owner.memory.size()] = length;
      ring.drain(4, [&](std::span<std::byte> record) {
        ASSERT_GE(record.data(), first);
        ASSERT_LE(record.data() + record.size(), first + 256);
      });
      ASSERT_LE(ring.depth_bytes(), 256u);
    }
    damaged += ring.damaged();
    // It goes on working: what is left is thrown away or drained, and the next record arrives.
    while (ring.has_next()) ring.drain(99, [](std::span<std::byte>) {});
    ASSERT_TRUE(ring.try_push(bytes_of("fresh")));
    std::string seen;
    ASSERT_EQ(ring.drain(9, [&](std::span<std::byte> record) { seen = text_of(record); }), 1u);
    ASSERT_EQ(seen, "fresh");
  }
  EXPECT_GT(damaged, 0u);
}

}  // namespace
}  // namespace millrace
