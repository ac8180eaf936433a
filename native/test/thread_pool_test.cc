#include "millrace/concurrent/thread_pool.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <future>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "seed.h"
#include "watchdog.h"

namespace millrace {
namespace {

// Holds tasks until it is opened, and tells how many have come to it.
class Gate {
 public:
  void pass() {
    arrived_.fetch_add(1);
    arrived_.notify_all();
    open_.wait(false);
  }
  void await_arrivals(int count) {
    for (int seen = arrived_.load(); seen < count; seen = arrived_.load()) arrived_.wait(seen);
  }
  void open() {
    open_.store(true);
    open_.notify_all();
  }

 private:
  std::atomic<int> arrived_{0};
  std::atomic<bool> open_{false};
};

TEST(ThreadPool, AnswersWhatTheFunctionReturns) {
  const Watchdog watchdog("returns");
  ThreadPool pool(2);
  EXPECT_EQ(pool.threads(), 2u);
  EXPECT_EQ(pool.capacity(), 4096u);
  EXPECT_EQ(pool.enqueue([](int a, int b) { return a + b; }, 1, 2).get(), 3);
  EXPECT_EQ(pool.enqueue([](const std::string& text) { return text + "!"; }, "quote").get(),
            "quote!");
  int touched = 0;
  pool.enqueue([&touched] { touched = 1; }).get();
  EXPECT_EQ(touched, 1);
  pool.enqueue([](int& value) { value = 2; }, std::ref(touched)).get();
  EXPECT_EQ(touched, 2);
}

TEST(ThreadPool, TakesWhatCanOnlyBeMovedAndWhatIsLarge) {
  const Watchdog watchdog("moves");
  ThreadPool pool(1);
  auto held = std::make_unique<int>(5);
  EXPECT_EQ(pool.enqueue([held = std::move(held)] { return *held; }).get(), 5);
  EXPECT_EQ(
      *pool.enqueue([](std::unique_ptr<int> given) { return given; }, std::make_unique<int>(6))
           .get(),
      6);
  std::array<std::uint64_t, 64> large{};
  large[63] = 7;
  EXPECT_EQ(pool.enqueue([large] { return large[63]; }).get(), 7u);
}

TEST(ThreadPool, TheFutureHasWhatTheFunctionThrows) {
  const Watchdog watchdog("throws");
  ThreadPool pool(1);
  auto failing = pool.enqueue([]() -> int { throw std::range_error("no quote"); });
  EXPECT_THROW(failing.get(), std::range_error);
  EXPECT_EQ(pool.enqueue([] { return 1; }).get(), 1);
}

TEST(ThreadPool, ThrowsAfterStopAndRunsWhatItTook) {
  const Watchdog watchdog("stops");
  Gate gate;
  std::atomic<int> ran{0};
  ThreadPool pool(1);
  pool.post([&gate] { gate.pass(); });
  for (int i = 0; i < 100; ++i) pool.post([&ran] { ran.fetch_add(1); });
  auto last = pool.enqueue([&ran] { return ran.load(); });
  pool.stop();
  pool.stop();
  EXPECT_THROW(pool.enqueue([] {}), ThreadPoolStopped);
  EXPECT_THROW(pool.post([] {}), ThreadPoolStopped);
  gate.open();
  EXPECT_EQ(last.get(), 100);
}

TEST(ThreadPool, TheDestructorDrainsAndJoins) {
  const Watchdog watchdog("drains");
  for (int round = 0; round < 100; ++round) {
    std::atomic<int> ran{0};
    {
      ThreadPool pool(2);
      for (int i = 0; i < 50; ++i) pool.post([&ran] { ran.fetch_add(1); });
    }
    ASSERT_EQ(ran.load(), 50);
  }
}

TEST(ThreadPool, OneThreadRunsTasksInTheirOrder) {
  const Watchdog watchdog("order");
  std::vector<int> order;
  {
    ThreadPool pool(1, 16);
    for (int i = 0; i < 1000; ++i) pool.post([&order, i] { order.push_back(i); });
  }
  ASSERT_EQ(order.size(), 1000u);
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(order[static_cast<std::size_t>(i)], i);
}

TEST(ThreadPool, AFullPoolMakesItsCallersWait) {
  const Watchdog watchdog("waits");
  Gate gate;
  std::atomic<int> pushed{0};
  std::atomic<int> ran{0};
  ThreadPool pool(1, 4);
  pool.post([&gate] { gate.pass(); });
  gate.await_arrivals(1);
  std::vector<std::thread> callers;
  for (int i = 0; i < 3; ++i) {
    callers.emplace_back([&] {
      for (int j = 0; j < 100; ++j) {
        pool.post([&ran] { ran.fetch_add(1); });
        pushed.fetch_add(1);
      }
    });
  }
  while (pushed.load() < 4) std::this_thread::yield();
  EXPECT_EQ(pushed.load(), 4);
  gate.open();
  for (std::thread& caller : callers) caller.join();
  pool.stop();
  while (ran.load() < 300) std::this_thread::yield();
  EXPECT_EQ(pushed.load(), 300);
}

TEST(ThreadPool, StopReleasesCallersThatWaitForRoom) {
  const Watchdog watchdog("released");
  Gate gate;
  std::atomic<int> refused{0};
  std::atomic<int> pushed{0};
  ThreadPool pool(1, 2);
  pool.post([&gate] { gate.pass(); });
  gate.await_arrivals(1);
  std::thread caller([&] {
    try {
      for (;;) {
        pool.post([] {});
        pushed.fetch_add(1);
      }
    } catch (const ThreadPoolStopped&) {
      refused.fetch_add(1);
    }
  });
  while (pushed.load() < 2) std::this_thread::yield();
  pool.stop();
  caller.join();
  EXPECT_EQ(refused.load(), 1);
  gate.open();
}

TEST(ThreadPool, ATaskOfAFullPoolRunsWhatItEnqueuesItself) {
  const Watchdog watchdog("nested");
  ThreadPool pool(1, 2);
  std::atomic<int> ran{0};
  const int sum = pool.enqueue([&] {
                        for (int i = 0; i < 100; ++i) pool.post([&ran] { ran.fetch_add(1); });
                        return 1;
                      })
                      .get();
  EXPECT_EQ(sum, 1);
  pool.stop();
  while (ran.load() < 100) std::this_thread::yield();
}

TEST(ThreadPool, WhatIsOutOfRangeIsRefused) {
  EXPECT_THROW(ThreadPool(1, 0), std::out_of_range);
  EXPECT_THROW(ThreadPool(5000), std::out_of_range);
}

TEST(RingTask, DestroysWhatWasNotRunOnce) {
  const auto counted = std::make_shared<int>(0);
  {
    TaskRing ring(4);
    for (int i = 0; i < 3; ++i) {
      RingTask task;
      task.emplace([counted] { ++*counted; });
      ASSERT_EQ(ring.try_push(task), TaskRing::Push::kDone);
    }
    EXPECT_EQ(counted.use_count(), 4);
    RingTask task;
    ASSERT_TRUE(ring.try_pop(task));
    task.run();
    EXPECT_EQ(*counted, 1);
    EXPECT_EQ(counted.use_count(), 3);
  }
  EXPECT_EQ(counted.use_count(), 1);
}

// Bursts and pauses, so that threads fall asleep and are woken at every moment there is: a task
// that is never run is a wake-up that was lost.
TEST(ThreadPool, LosesNoTaskAndNoWakeUp) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  const Watchdog watchdog(seed_note(seed));
  constexpr int kCallers = 3;
  constexpr int kTasks = 20'000;
  std::vector<std::atomic<int>> runs(kCallers * kTasks);
  {
    ThreadPool pool(3, 64);
    std::vector<std::thread> callers;
    for (int caller = 0; caller < kCallers; ++caller) {
      callers.emplace_back([&, caller] {
        std::mt19937_64 random(seed + static_cast<std::uint64_t>(caller));
        for (int i = 0; i < kTasks;) {
          const int burst = std::min<int>(kTasks - i, 1 + static_cast<int>(random() % 40));
          std::future<void> last;
          for (int end = i + burst; i < end; ++i) {
            auto& count = runs[static_cast<std::size_t>(caller * kTasks + i)];
            if (i + 1 < end) {
              pool.post([&count] { count.fetch_add(1); });
            } else {
              last = pool.enqueue([&count] { count.fetch_add(1); });
            }
          }
          if (random() % 2 == 0) last.get();
        }
      });
    }
    for (std::thread& caller : callers) caller.join();
  }
  for (const auto& count : runs) ASSERT_EQ(count.load(), 1);
}

}  // namespace
}  // namespace millrace
