#include "millrace/memory/record_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "millrace/concurrent/mpmc_queue.h"
#include "seed.h"
#include "watchdog.h"

namespace millrace {
namespace {

TEST(RecordPool, RefusesSizesItCannotHold) {
  EXPECT_EQ(RecordPool().open(0, 1).code, EINVAL);
  EXPECT_EQ(RecordPool().open(1, 0).code, EINVAL);
  EXPECT_EQ(RecordPool().open(1, RecordPool::kMaxCapacity + 1).code, EINVAL);
  EXPECT_EQ(RecordPool().open(8, RecordPool::kMaxCapacity).code, EINVAL);
  RecordPool pool;
  EXPECT_FALSE(pool.open(3, 5));
  EXPECT_EQ(pool.record_bytes(), 3u);
  EXPECT_EQ(pool.capacity(), 5u);
}

TEST(RecordPool, RecordsOfAnySizeDoNotOverlap) {
  for (const std::uint32_t bytes : {1u, 3u, 24u, 4096u, 5000u}) {
    RecordPool pool;
    ASSERT_FALSE(pool.open(bytes, 100));
    const std::uint32_t holder = pool.new_holder();
    std::set<std::uint32_t> held;
    for (int i = 0; i < 100; ++i) {
      const std::uint32_t index = pool.acquire(holder);
      ASSERT_TRUE(held.insert(index).second);
      std::memset(pool.memory()->data() + std::size_t{index} * bytes, static_cast<int>(index + 1),
                  bytes);
    }
    EXPECT_EQ(pool.acquire(holder), kNoObject);
    for (const std::uint32_t index : held) {
      for (std::uint32_t at = 0; at < bytes; ++at) {
        ASSERT_EQ(pool.memory()->data()[std::size_t{index} * bytes + at],
                  static_cast<std::byte>(index + 1));
      }
      ASSERT_TRUE(pool.release(index));
      ASSERT_FALSE(pool.release(index));
    }
  }
}

TEST(RecordPool, TheEndOfAHolderFreesWhatItHeldAndDidNotHandOn) {
  RecordPool pool;
  ASSERT_FALSE(pool.open(16, 1000));
  const std::uint32_t one = pool.new_holder();
  const std::uint32_t other = pool.new_holder();
  ASSERT_NE(one, other);
  std::vector<std::uint32_t> of_one;
  for (int i = 0; i < 200; ++i) of_one.push_back(pool.acquire(one));
  const std::uint32_t of_other = pool.acquire(other);
  EXPECT_TRUE(pool.release(of_one[0]));
  EXPECT_TRUE(pool.hand_on(of_one[1]));
  EXPECT_TRUE(pool.adopt(of_one[2], other));
  EXPECT_FALSE(pool.hand_on(of_one[0]));
  EXPECT_FALSE(pool.adopt(of_one[0], other));
  EXPECT_EQ(pool.release_all_of(one), 197u);
  EXPECT_EQ(pool.release_all_of(one), 0u);
  EXPECT_EQ(pool.size(), 3u);
  for (const std::uint32_t index : {of_one[1], of_one[2], of_other})
    EXPECT_TRUE(pool.release(index));
  EXPECT_FALSE(pool.release(of_one[3]));
  std::set<std::uint32_t> held;
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(held.insert(pool.acquire(other)).second);
  EXPECT_EQ(pool.acquire(other), kNoObject);
}

TEST(RecordPool, BytesOutliveThePool) {
  auto pool = std::make_unique<RecordPool>();
  ASSERT_FALSE(pool->open(8, 4));
  const auto memory = pool->memory();
  memory->data()[31] = std::byte{7};
  pool.reset();
  EXPECT_EQ(memory->data()[31], std::byte{7});
}

// Holders come and go, with records in hand and on the way to others; every record is back at the
// end, and none has two holders.
TEST(RecordPool, HoldersThatEndAtAnyMomentLoseNothing) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  Watchdog watchdog("record pool stress, " + seed_note(seed));
  constexpr std::uint32_t kRecords = 500;
  RecordPool pool;
  ASSERT_FALSE(pool.open(sizeof(std::atomic<std::uint32_t>), kRecords));
  auto* const users = reinterpret_cast<std::atomic<std::uint32_t>*>(pool.memory()->data());
  MpmcQueue<std::uint32_t> on_the_way(64);
  std::atomic<int> wrong{0};
  // A record that two use at a time would be found in use.
  const auto use = [&](std::uint32_t index) {
    if (users[index].exchange(1, std::memory_order_relaxed) != 0) ++wrong;
  };
  const auto unuse = [&](std::uint32_t index) { users[index].store(0, std::memory_order_relaxed); };
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937_64 random(seed + t);
      for (int life = 0; life < 60; ++life) {
        const std::uint32_t holder = pool.new_holder();
        std::vector<std::uint32_t> mine;
        for (std::uint64_t step = random() % 500; step > 0; --step) {
          std::uint32_t index;
          if (const auto kind = random() % 4; kind < 2) {
            index = pool.acquire(holder);
            if (index == kNoObject) continue;
            use(index);
            mine.push_back(index);
          } else if (kind == 2 && !mine.empty()) {
            index = mine.back();
            mine.pop_back();
            if (random() % 2 == 0 && pool.hand_on(index) && on_the_way.try_push(index)) continue;
            unuse(index);
            if (!pool.release(index)) ++wrong;
          } else if (on_the_way.try_pop(index)) {
            if (!pool.adopt(index, holder)) ++wrong;
            mine.push_back(index);
          }
        }
        for (const std::uint32_t index : mine) unuse(index);
        if (pool.release_all_of(holder) != mine.size()) ++wrong;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  std::uint32_t index;
  while (on_the_way.try_pop(index)) ASSERT_TRUE(pool.release(index));
  EXPECT_EQ(wrong.load(), 0);
  EXPECT_EQ(pool.size(), 0u);
}

}  // namespace
}  // namespace millrace
