#include "millrace/time/shared_timer_wheel.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <map>
#include <random>
#include <thread>
#include <vector>

#include "seed.h"
#include "watchdog.h"

namespace millrace {
namespace {

using Clock = SharedTimerWheel::ClockKind;
using Ids = std::vector<std::uint32_t>;

// Waits until the wheel says that it is time, and collects.
void wait_and_collect(SharedTimerWheel& wheel, Ids& ids) {
  pollfd descriptor{wheel.descriptor(), POLLIN, 0};
  ASSERT_EQ(::poll(&descriptor, 1, -1), 1);
  wheel.collect(ids);
}

bool readable(const SharedTimerWheel& wheel) {
  pollfd descriptor{wheel.descriptor(), POLLIN, 0};
  return ::poll(&descriptor, 1, 0) == 1;
}

TEST(SharedTimerWheel, AManualClockStandsStillUntilItIsAdvanced) {
  const auto wheel = SharedTimerWheel::make(10, 1, Clock::kManual);
  ASSERT_FALSE(wheel->open());
  EXPECT_EQ(wheel->descriptor(), -1);
  ASSERT_NE(wheel->schedule(100, 7, true), SharedTimerWheel::kNoTimer);
  EXPECT_EQ(wheel->next_expiry_ms(), 100u);
  Ids ids;
  wheel->advance(99, ids);
  EXPECT_TRUE(ids.empty());
  EXPECT_EQ(wheel->now_ms(), 99u);
  wheel->advance(50, ids);
  EXPECT_EQ(wheel->now_ms(), 99u);
  ASSERT_NE(wheel->schedule(1, 8, true), SharedTimerWheel::kNoTimer);
  wheel->advance(100, ids);
  std::sort(ids.begin(), ids.end());
  EXPECT_EQ(ids, (Ids{7, 8}));
  EXPECT_EQ(wheel->size(), 0u);
  EXPECT_EQ(wheel->next_expiry_ms(), SharedTimerWheel::kNever);
}

TEST(SharedTimerWheel, NothingIsCollectedEarly) {
  const auto wheel = SharedTimerWheel::make(1000, 1, Clock::kRunning);
  ASSERT_FALSE(wheel->open());
  std::vector<std::int64_t> due(200);
  for (std::uint32_t id = 0; id < due.size(); ++id) {
    const std::uint64_t delay = id % 20;
    due[id] = monotonic_ns() + static_cast<std::int64_t>(delay) * kNanosPerMilli;
    ASSERT_NE(wheel->schedule(delay, id, true), SharedTimerWheel::kNoTimer);
  }
  Ids ids;
  while (wheel->size() != 0) {
    ids.clear();
    wait_and_collect(*wheel, ids);
    for (const std::uint32_t id : ids) ASSERT_GE(monotonic_ns(), due[id]);
  }
  EXPECT_FALSE(readable(*wheel)) << "an empty wheel wakes nobody";
}

TEST(SharedTimerWheel, AnEarlierTimeFromAnotherThreadWakesTheOwner) {
  Watchdog watchdog("an earlier time");
  const auto wheel = SharedTimerWheel::make(10, 1, Clock::kRunning);
  ASSERT_FALSE(wheel->open());
  ASSERT_NE(wheel->schedule(1'000'000'000, 1, true), SharedTimerWheel::kNoTimer);
  wheel->share();
  std::thread other([&] { ASSERT_NE(wheel->schedule(5, 2, false), SharedTimerWheel::kNoTimer); });
  Ids ids;
  while (ids.empty()) wait_and_collect(*wheel, ids);
  other.join();
  EXPECT_EQ(ids, (Ids{2}));
}

TEST(SharedTimerWheel, TheFirstTimerAndTheEndOfTheLastFromAnotherThreadAreToldAtOnce) {
  const auto wheel = SharedTimerWheel::make(10, 1, Clock::kRunning);
  ASSERT_FALSE(wheel->open());
  const auto handle = wheel->schedule(SharedTimerWheel::kMaxMs, 2, false);
  ASSERT_NE(handle, SharedTimerWheel::kNoTimer);
  EXPECT_TRUE(readable(*wheel));
  Ids ids;
  wheel->collect(ids);
  EXPECT_FALSE(readable(*wheel));
  EXPECT_TRUE(wheel->cancel(handle, false));
  EXPECT_TRUE(readable(*wheel));
  wheel->collect(ids);
  EXPECT_TRUE(ids.empty());
  EXPECT_FALSE(readable(*wheel));
}

// As JavaScript does it, in the same bytes. False: the wheel must be asked.
bool cancel_without_a_call(SharedTimerWheel& wheel, SharedTimerWheel::Handle handle) {
  CancelLog& log = wheel.cancel_log();
  const auto index = static_cast<std::uint32_t>(handle);
  TimerNode& node = wheel.nodes()[index];
  if (!node.is_live(handle >> 32)) return false;
  if (log.count == CancelLog::kCapacity || log.size - log.count <= 1) return false;
  std::uint16_t time = 0;
  void* const bytes = &node;
  std::memcpy(&time, bytes, sizeof time);
  time ^= 0x20;
  std::memcpy(bytes, &time, sizeof time);
  log.indices[log.count++] = index;
  return true;
}

TEST(SharedTimerWheel, WhatIsCancelledWithoutACallIsGone) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  std::mt19937_64 random(seed);
  constexpr std::uint32_t kCapacity = 300;
  const auto wheel = SharedTimerWheel::make(kCapacity, 1, Clock::kManual);
  ASSERT_FALSE(wheel->open());
  struct Timer {
    SharedTimerWheel::Handle handle;
    std::uint64_t time;
  };
  std::map<std::uint32_t, Timer> live;
  std::uint32_t next_id = 0;
  std::uint32_t noted = 0;
  std::uint32_t filled = 0;
  for (int step = 0; step < 20'000; ++step) {
    auto some = live.lower_bound(next_id - static_cast<std::uint32_t>(random() % kCapacity));
    if (some == live.end()) some = live.begin();
    const std::uint64_t delay = 1 + random() % 5000;
    switch (random() % 16) {
      default:
        for (std::uint64_t count = random() % 64; count > 0; --count) {
          const auto handle = wheel->schedule(delay, next_id, true);
          ASSERT_EQ(handle == SharedTimerWheel::kNoTimer, live.size() == kCapacity);
          if (handle == SharedTimerWheel::kNoTimer) break;
          live[next_id++] = {handle, wheel->now_ms() + delay};
        }
        break;
      case 0:
        for (std::size_t i = 0; i < kCapacity && some != live.end(); ++i) {
          const auto handle = some->second.handle;
          const bool done = cancel_without_a_call(*wheel, handle);
          noted += done ? 1 : 0;
          filled += wheel->cancel_log().count == CancelLog::kCapacity ? 1 : 0;
          ASSERT_NE(done,
                    done ? cancel_without_a_call(*wheel, handle) : wheel->cancel(handle, true));
          some = live.erase(some);
          ASSERT_EQ(wheel->size(), live.size());
        }
        break;
      case 1:
      case 2:
      case 3:
        if (some == live.end()) break;
        if (cancel_without_a_call(*wheel, some->second.handle)) {
          ASSERT_FALSE(random() % 2 == 0 ? wheel->cancel(some->second.handle, true)
                                         : wheel->reschedule(some->second.handle, delay));
          live.erase(some);
        }
        break;
      case 4:
        if (some == live.end()) break;
        ASSERT_TRUE(wheel->reschedule(some->second.handle, delay));
        some->second.time = wheel->now_ms() + delay;
        break;
      case 5: {
        const std::uint64_t now = wheel->now_ms() + random() % 500;
        Ids ids;
        wheel->advance(now, ids);
        Ids due;
        for (const auto& [id, timer] : live) {
          if (timer.time <= now) due.push_back(id);
        }
        std::sort(ids.begin(), ids.end());
        ASSERT_EQ(ids, due);
        for (const std::uint32_t id : ids) live.erase(id);
        break;
      }
      case 6: {
        std::uint64_t next = SharedTimerWheel::kNever;
        for (const auto& [id, timer] : live) next = std::min(next, timer.time);
        ASSERT_EQ(wheel->next_expiry_ms(), next);
      }
    }
    ASSERT_EQ(wheel->size(), live.size());
  }
  EXPECT_GT(noted, 1000u);
  EXPECT_GT(filled, 10u);
  while (!live.empty() && cancel_without_a_call(*wheel, live.begin()->second.handle))
    live.erase(live.begin());
  wheel->share();
  EXPECT_EQ(wheel->cancel_log().count, 0u);
  EXPECT_EQ(wheel->size(), live.size());
}

TEST(SharedTimerWheel, BatchesTakeWhatThereIsRoomFor) {
  const auto wheel = SharedTimerWheel::make(3, 1, Clock::kManual);
  ASSERT_FALSE(wheel->open());
  std::vector<SharedTimerWheel::Handle> handles(5);
  const auto scheduled = wheel->schedule_many(
      5, true,
      [](std::size_t i, std::uint64_t& delay, std::uint32_t& id) {
        delay = 10 * (i + 1);
        id = static_cast<std::uint32_t>(i);
      },
      [&](std::size_t i, SharedTimerWheel::Handle handle) { handles[i] = handle; });
  EXPECT_EQ(scheduled, 3u);
  EXPECT_EQ(handles[3], SharedTimerWheel::kNoTimer);
  EXPECT_EQ(wheel->schedule(1, 9, true), SharedTimerWheel::kNoTimer);
  EXPECT_TRUE(wheel->reschedule(handles[2], 1));
  EXPECT_EQ(wheel->cancel_many(5, true, [&](std::size_t i) { return handles[i == 2 ? 0 : i]; }),
            2u);
  Ids ids;
  wheel->advance(1, ids);
  EXPECT_EQ(ids, (Ids{2}));
}

TEST(SharedTimerWheel, AfterTheEndNothingHappens) {
  const auto wheel = SharedTimerWheel::make(3, 1, Clock::kRunning);
  ASSERT_FALSE(wheel->open());
  const auto handle = wheel->schedule(0, 1, true);
  wheel->end();
  wheel->end();
  Ids ids;
  wheel->collect(ids);
  EXPECT_TRUE(ids.empty());
  EXPECT_TRUE(wheel->ended());
  EXPECT_EQ(wheel->size(), 0u);
  EXPECT_EQ(wheel->descriptor(), -1);
  EXPECT_EQ(wheel->schedule(0, 2, false), SharedTimerWheel::kNoTimer);
  EXPECT_FALSE(wheel->reschedule(handle, 1));
  EXPECT_EQ(wheel->next_expiry_ms(), SharedTimerWheel::kNever);
}

// Each timer is collected or cancelled, once, whichever thread was faster.
TEST(SharedTimerWheel, EachTimerOfSeveralThreadsEndsOnce) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  Watchdog watchdog("shared timer wheel stress, " + seed_note(seed));
  constexpr std::uint32_t kThreads = 3;
  constexpr std::uint32_t kTimers = 20'000;
  const auto wheel = SharedTimerWheel::make(5000, 1, Clock::kRunning);
  ASSERT_FALSE(wheel->open());
  wheel->share();
  std::vector<std::atomic<int>> ends(kThreads * kTimers);
  std::atomic<std::uint32_t> cancelled{0};
  std::atomic<std::uint32_t> working{kThreads};
  std::vector<std::thread> threads;
  for (std::uint32_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937_64 random(seed + t);
      std::vector<std::pair<SharedTimerWheel::Handle, std::uint32_t>> mine;
      for (std::uint32_t i = 0; i < kTimers; ++i) {
        const std::uint32_t id = t * kTimers + i;
        SharedTimerWheel::Handle handle;
        while ((handle = wheel->schedule(random() % 8, id, false)) == SharedTimerWheel::kNoTimer) {
          std::this_thread::yield();
        }
        mine.emplace_back(handle, id);
        if (random() % 2 == 0) continue;
        auto& [other, other_id] = mine[random() % mine.size()];
        if (random() % 4 == 0) {
          wheel->reschedule(other, random() % 8);
        } else if (wheel->cancel(other, false)) {
          ends[other_id].fetch_add(1, std::memory_order_relaxed);
          cancelled.fetch_add(1, std::memory_order_relaxed);
        }
      }
      // Release: pairs with the load below, so that the owner sees the last timers.
      working.fetch_sub(1, std::memory_order_release);
      wheel->schedule(0, kThreads * kTimers, false);
    });
  }
  std::uint32_t collected = 0;
  Ids ids;
  while (working.load(std::memory_order_acquire) != 0 || wheel->size() != 0) {
    ids.clear();
    wait_and_collect(*wheel, ids);
    for (const std::uint32_t id : ids) {
      if (id == kThreads * kTimers) continue;
      ends[id].fetch_add(1, std::memory_order_relaxed);
      ++collected;
    }
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(collected + cancelled.load(), kThreads * kTimers);
  for (const auto& end : ends) ASSERT_EQ(end.load(), 1);
}

}  // namespace
}  // namespace millrace
