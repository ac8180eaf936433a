#include "millrace/queue/wait_list.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "millrace/queue/queue_wait.h"
#include "seed.h"
#include "watchdog.h"

namespace millrace {
namespace {

// Counts how often it is rung.
struct Counter {
  Counter() : waiter(std::make_shared<Doorbell>(&Counter::count, this)) {}
  static void count(void* self) { ++static_cast<Counter*>(self)->rings; }

  int rings = 0;
  Waiter waiter;
};

TEST(WaitList, WakesInTheOrderOfEntry) {
  WaitList list;
  Counter first, second;
  list.wake_one();
  list.enter(first.waiter);
  list.enter(second.waiter);
  list.enter(first.waiter);
  list.wake_one();
  EXPECT_EQ(first.rings, 1);
  EXPECT_EQ(second.rings, 0);
  list.wake_one_published();
  list.wake_one();
  EXPECT_EQ(first.rings, 1);
  EXPECT_EQ(second.rings, 1);
}

TEST(WaitList, WhoWasWokenForNothingKeepsItsPlace) {
  WaitList list;
  Counter first, second;
  list.enter(first.waiter);
  list.enter(second.waiter);
  list.wake_one();
  list.enter(first.waiter);
  list.wake_one();
  EXPECT_EQ(first.rings, 2);
  EXPECT_EQ(second.rings, 0);
}

TEST(WaitList, WhoSettledGoesToTheEnd) {
  WaitList list;
  Counter first, second;
  list.enter(first.waiter);
  list.enter(second.waiter);
  EXPECT_TRUE(first.waiter.waits());
  list.settle(first.waiter);
  EXPECT_FALSE(first.waiter.waits());
  list.enter(first.waiter);
  list.wake_one();
  EXPECT_EQ(second.rings, 1);
  list.wake_all();
  EXPECT_EQ(first.rings, 1);
  list.wake_all();
  EXPECT_EQ(first.rings, 1);
}

// A word is published, or given, to one at a time; each waits for it in the list.
TEST(WaitList, LosesNoWakeUp) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  const Watchdog watchdog("wait list, " + seed_note(seed));
  constexpr int kThings = 40'000;
  WaitList list;
  std::atomic<int> things{0};
  std::atomic<int> taken{0};
  const auto take = [&] {
    int left = things.load(std::memory_order_relaxed);
    while (left > 0) {
      if (things.compare_exchange_weak(left, left - 1, std::memory_order_acq_rel)) return true;
    }
    return false;
  };
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      FutexSleeper sleeper;
      Waiter waiter(sleeper.bell);
      while (taken.load() < kThings) {
        if (!take()) {
          list.enter(waiter);
          if (taken.load() < kThings && !take()) {
            sleeper.sleep(-1);
            continue;
          }
        }
        list.settle(waiter);
        if (taken.fetch_add(1) + 1 >= kThings) {
          list.wake_all();
        } else if (things.load() > 0) {
          list.wake_one();
        }
      }
    });
  }
  std::minstd_rand random(static_cast<std::uint32_t>(seed));
  for (int made = 0; made < kThings;) {
    const int batch = std::min<int>(1 + static_cast<int>(random() % 3), kThings - made);
    things.fetch_add(batch, std::memory_order_release);
    list.wake_one();
    made += batch;
    if (random() % 4 == 0) std::this_thread::yield();
  }
  while (taken.load() < kThings) std::this_thread::yield();
  list.wake_all();
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(things.load(), 0);
}

}  // namespace
}  // namespace millrace
