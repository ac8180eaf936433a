#include "millrace/memory/object_pool.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <latch>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "millrace/concurrent/mpmc_queue.h"
#include "seed.h"
#include "watchdog.h"

namespace millrace {
namespace {

struct Record {
  Record() { ++constructed; }
  ~Record() { ++destroyed; }
  std::uint64_t value = 42;
  static inline std::atomic<int> constructed{0};
  static inline std::atomic<int> destroyed{0};
};

TEST(ObjectPool, HandsOutEachObjectOnceAndThenNone) {
  for (const std::uint32_t capacity : {1u, 2u, 100u, 5000u}) {
    ObjectPool<std::uint64_t> pool;
    ASSERT_FALSE(pool.open(capacity));
    for (int round = 0; round < 3; ++round) {
      std::set<std::uint32_t> held;
      for (std::uint32_t i = 0; i < capacity; ++i) {
        const std::uint32_t index = pool.acquire();
        ASSERT_LT(index, capacity);
        ASSERT_TRUE(held.insert(index).second);
        pool.at(index) = index;
      }
      EXPECT_EQ(pool.acquire(), kNoObject);
      EXPECT_EQ(pool.size(), capacity);
      for (const std::uint32_t index : held) {
        ASSERT_EQ(pool.at(index), index);
        ASSERT_TRUE(pool.release(index));
      }
      EXPECT_EQ(pool.size(), 0u);
    }
  }
}

TEST(ObjectPool, ConstructsAnObjectWhenItIsFirstUsedAndKeepsItForTheNextHolder) {
  Record::constructed = Record::destroyed = 0;
  {
    ObjectPool<Record> pool;
    ASSERT_FALSE(pool.open(1000));
    const std::uint32_t first = pool.acquire();
    EXPECT_EQ(Record::constructed, 1);
    EXPECT_EQ(pool.at(first).value, 42u);
    pool.at(first).value = 7;
    ASSERT_TRUE(pool.release(first));
    const std::uint32_t second = pool.acquire();
    EXPECT_EQ(second, first) << "the one used last is the one still in the core's cache";
    EXPECT_EQ(pool.at(second).value, 7u);
    pool.acquire();
    EXPECT_EQ(Record::constructed, 2);
  }
  EXPECT_EQ(Record::destroyed, 2);
}

TEST(ObjectPool, RefusesToReleaseWhatNobodyHolds) {
  ObjectPool<Record> pool;
  ASSERT_FALSE(pool.open(1000));
  EXPECT_FALSE(pool.release(0)) << "never acquired";
  EXPECT_FALSE(pool.release(1000));
  EXPECT_FALSE(pool.release(kNoObject));
  std::vector<std::uint32_t> held;
  for (int i = 0; i < 500; ++i) held.push_back(pool.acquire());
  EXPECT_TRUE(pool.held(held[3]));
  for (const std::uint32_t index : held) ASSERT_TRUE(pool.release(index));
  EXPECT_FALSE(pool.held(held[3]));
  for (const std::uint32_t index : held)
    ASSERT_FALSE(pool.release(index)) << "in a cache, or listed";
  pool.release_thread_cache();
  for (const std::uint32_t index : held) ASSERT_FALSE(pool.release(index)) << "listed";
  std::thread([&] { EXPECT_FALSE(pool.release(held[0])); }).join();
}

TEST(ObjectPool, OfSeveralThreadsThatReleaseAnObjectOneSucceeds) {
  ObjectPool<std::uint64_t> pool;
  ASSERT_FALSE(pool.open(2000));
  constexpr int kThreads = 3;
  for (int round = 0; round < 20; ++round) {
    std::vector<std::uint32_t> held;
    for (int i = 0; i < 2000; ++i) held.push_back(pool.acquire());
    ASSERT_EQ(std::count(held.begin(), held.end(), kNoObject), 0);
    std::latch start(kThreads);
    std::atomic<int> released{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&] {
        start.arrive_and_wait();
        int mine = 0;
        for (const std::uint32_t index : held) mine += pool.release(index) ? 1 : 0;
        released.fetch_add(mine, std::memory_order_relaxed);
      });
    }
    for (auto& thread : threads) thread.join();
    ASSERT_EQ(released.load(std::memory_order_relaxed), 2000);
    ASSERT_EQ(pool.size(), 0u);
  }
}

TEST(ObjectPool, WhatIdleThreadsCacheIsNotLost) {
  ObjectPool<std::uint64_t> pool;
  ASSERT_FALSE(pool.open(1000));
  std::latch cached(3);
  std::latch checked(1);
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      std::vector<std::uint32_t> mine;
      for (int i = 0; i < 100; ++i) mine.push_back(pool.acquire());
      for (const std::uint32_t index : mine) pool.release(index);
      cached.count_down();
      checked.wait();
    });
  }
  cached.wait();
  for (int i = 0; i < 1000; ++i) ASSERT_NE(pool.acquire(), kNoObject);
  EXPECT_EQ(pool.acquire(), kNoObject);
  checked.count_down();
  for (auto& thread : threads) thread.join();
}

TEST(ObjectPool, ALargePoolTakesPhysicalMemoryOnlyAsItIsUsed) {
  struct Page {
    unsigned char bytes[4096];
  };
  ObjectPool<Page> pool;
  ASSERT_FALSE(pool.open(1 << 20));
  const std::uint32_t first = pool.acquire();
  std::vector<unsigned char> resident(1000);
  ASSERT_EQ(::mincore(&pool.at(0), resident.size() * 4096, resident.data()), 0);
  EXPECT_EQ(std::count_if(resident.begin(), resident.end(), [](auto r) { return r & 1; }), 1);
  EXPECT_TRUE(pool.release(first));
}

TEST(ObjectPool, RefusesCapacitiesItCannotName) {
  ObjectPool<std::uint64_t> pool;
  EXPECT_EQ(pool.open(0).code, EINVAL);
  EXPECT_EQ(pool.open(0xffffffffu).code, EINVAL);
  EXPECT_EQ(pool.acquire(), kNoObject);
  EXPECT_FALSE(pool.release(0));
  EXPECT_EQ(pool.size(), 0u);
  ASSERT_FALSE(pool.open(8));
  pool.close();
  pool.close();
  EXPECT_EQ(pool.acquire(), kNoObject);
}

TEST(ObjectPool, MayBeDestroyedBeforeTheThreadsThatUsedIt) {
  std::thread([] {
    for (int i = 0; i < 50; ++i) {
      ObjectPool<Record> pool;
      ASSERT_FALSE(pool.open(1000));
      ASSERT_TRUE(pool.release(pool.acquire()));
    }
  }).join();
}

// Objects wander between threads; two holders of one would see each other's writes.
TEST(ObjectPool, NoObjectHasTwoHolders) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  Watchdog watchdog("object pool stress, " + seed_note(seed));
  for (const std::uint32_t capacity : {7u, 300u, 10'000u}) {
    ObjectPool<std::uint64_t> pool;
    ASSERT_FALSE(pool.open(capacity));
    MpmcQueue<std::uint32_t> queue(64);
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        std::mt19937_64 random(seed + t);
        const auto give_up = [&](std::uint32_t index) {
          if (pool.at(index) != index + 1) wrong.fetch_add(1, std::memory_order_relaxed);
          pool.at(index) = 0;
          if (!pool.release(index)) wrong.fetch_add(1, std::memory_order_relaxed);
        };
        for (int step = 0; step < 30'000; ++step) {
          std::uint32_t index = pool.acquire();
          if (index != kNoObject) {
            if (pool.at(index) != 0) wrong.fetch_add(1, std::memory_order_relaxed);
            pool.at(index) = index + 1;
            if (random() % 2 == 0 || !queue.try_push(index)) give_up(index);
          }
          while (random() % 4 == 0 && queue.try_pop(index)) give_up(index);
        }
      });
    }
    for (auto& thread : threads) thread.join();
    std::uint32_t index;
    while (queue.try_pop(index)) ASSERT_TRUE(pool.release(index));
    EXPECT_EQ(wrong.load(std::memory_order_relaxed), 0);
    EXPECT_EQ(pool.size(), 0u);
  }
}

}  // namespace
}  // namespace millrace
