#include "millrace/time/timer_wheel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <random>
#include <unordered_map>
#include <utility>
#include <vector>

#include "seed.h"

namespace millrace {
namespace {

constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

std::vector<std::uint32_t> fired_at(TimerWheel& wheel, std::uint64_t now_ms) {
  std::vector<std::uint32_t> ids;
  const std::uint32_t count = wheel.advance(now_ms, [&](std::uint32_t id) { ids.push_back(id); });
  EXPECT_EQ(count, ids.size());
  return ids;
}

using Ids = std::vector<std::uint32_t>;

TEST(TimerWheel, FiresAtItsTimeAndNotBefore) {
  TimerWheel wheel(10, 1, 1000);
  wheel.schedule(1050, 7);
  EXPECT_EQ(fired_at(wheel, 1049), Ids{});
  EXPECT_EQ(wheel.size(), 1u);
  EXPECT_EQ(fired_at(wheel, 1050), Ids{7});
  EXPECT_EQ(wheel.size(), 0u);
  EXPECT_EQ(fired_at(wheel, 5000), Ids{});
}

TEST(TimerWheel, ACoarseTickRoundsUp) {
  TimerWheel wheel(10, 100, 0);
  wheel.schedule(101, 1);
  wheel.schedule(200, 2);
  wheel.schedule(201, 3);
  EXPECT_EQ(fired_at(wheel, 199), Ids{});
  EXPECT_EQ(fired_at(wheel, 200), (Ids{1, 2}));
  EXPECT_EQ(fired_at(wheel, 299), Ids{});
  EXPECT_EQ(fired_at(wheel, 300), Ids{3});
}

TEST(TimerWheel, ATimeThatHasPassedFiresOneTickLater) {
  TimerWheel wheel(10, 1, 500);
  wheel.schedule(0, 1);
  wheel.schedule(500, 2);
  EXPECT_EQ(wheel.next_expiry_ms(), 501u);
  EXPECT_EQ(fired_at(wheel, 500), Ids{});
  EXPECT_EQ(fired_at(wheel, 501), (Ids{1, 2}));
}

TEST(TimerWheel, CapacityBoundsLiveTimersExactly) {
  TimerWheel wheel(3, 1, 0);
  const TimerWheel::Handle first = wheel.schedule(10, 1);
  ASSERT_NE(first, TimerWheel::kNoTimer);
  ASSERT_NE(wheel.schedule(10, 2), TimerWheel::kNoTimer);
  ASSERT_NE(wheel.schedule(20, 3), TimerWheel::kNoTimer);
  EXPECT_EQ(wheel.schedule(30, 4), TimerWheel::kNoTimer);
  EXPECT_EQ(wheel.size(), 3u);
  EXPECT_TRUE(wheel.cancel(first));
  EXPECT_EQ(wheel.size(), 2u);
  EXPECT_NE(wheel.schedule(30, 4), TimerWheel::kNoTimer);
  EXPECT_EQ(wheel.schedule(30, 5), TimerWheel::kNoTimer);
  EXPECT_EQ(fired_at(wheel, 15), Ids{2});
  EXPECT_NE(wheel.schedule(30, 6), TimerWheel::kNoTimer);
  EXPECT_EQ(fired_at(wheel, 100), (Ids{3, 4, 6}));
}

TEST(TimerWheel, ACapacityOfZeroTakesNothing) {
  TimerWheel wheel(0, 1, 0);
  EXPECT_EQ(wheel.schedule(1, 1), TimerWheel::kNoTimer);
  EXPECT_FALSE(wheel.cancel(0));
  EXPECT_FALSE(wheel.cancel(kNever));
  EXPECT_EQ(wheel.next_expiry_ms(), kNever);
  EXPECT_EQ(fired_at(wheel, 100), Ids{});
}

TEST(TimerWheel, StaleAndForgedHandlesDoNothing) {
  TimerWheel wheel(4, 1, 0);
  const TimerWheel::Handle handle = wheel.schedule(10, 1);
  EXPECT_TRUE(wheel.cancel(handle));
  EXPECT_FALSE(wheel.cancel(handle));
  EXPECT_FALSE(wheel.reschedule(handle, 20));
  const TimerWheel::Handle next = wheel.schedule(10, 2);
  EXPECT_NE(next, handle);
  EXPECT_FALSE(wheel.cancel(handle));
  EXPECT_EQ(fired_at(wheel, 10), Ids{2});
  EXPECT_FALSE(wheel.cancel(next));
  // Any generation of any index, free ones and the heads of the lists included.
  wheel.schedule(50, 3);
  const std::uint32_t size = wheel.size();
  std::uint32_t cancelled = 0;
  for (std::uint64_t generation = 0; generation < 6; ++generation) {
    for (std::uint64_t index = 0; index < 2000; ++index) {
      cancelled += wheel.cancel(generation << 32 | index) ? 1 : 0;
    }
  }
  EXPECT_EQ(cancelled, size);
  EXPECT_FALSE(wheel.cancel(TimerWheel::kNoTimer));
  EXPECT_FALSE(wheel.cancel(kNever));
  EXPECT_EQ(wheel.size(), 0u);
  EXPECT_EQ(wheel.next_expiry_ms(), kNever);
}

TEST(TimerWheel, HandlesStayBelow2To53WhenGenerationsWrap) {
  TimerWheel wheel(1, 1, 0);
  TimerWheel::Handle last = TimerWheel::kNoTimer;
  for (std::uint32_t turn = 0; turn < (1u << 21) + 10; ++turn) {
    const TimerWheel::Handle handle = wheel.schedule(10, 1);
    ASSERT_NE(handle, TimerWheel::kNoTimer);
    ASSERT_LT(handle, std::uint64_t{1} << 53);
    ASSERT_NE(handle, last);
    ASSERT_FALSE(wheel.cancel(last));
    ASSERT_TRUE(wheel.cancel(handle));
    last = handle;
  }
}

TEST(TimerWheel, RescheduleMovesBothWays) {
  TimerWheel wheel(10, 1, 0);
  const TimerWheel::Handle later = wheel.schedule(100, 1);
  const TimerWheel::Handle sooner = wheel.schedule(5000, 2);
  EXPECT_TRUE(wheel.reschedule(later, 9000));
  EXPECT_TRUE(wheel.reschedule(sooner, 50));
  EXPECT_EQ(fired_at(wheel, 49), Ids{});
  EXPECT_EQ(fired_at(wheel, 50), Ids{2});
  EXPECT_EQ(fired_at(wheel, 8999), Ids{});
  EXPECT_TRUE(wheel.reschedule(later, 9500));
  EXPECT_EQ(fired_at(wheel, 9499), Ids{});
  EXPECT_EQ(fired_at(wheel, 9500), Ids{1});
}

TEST(TimerWheel, ATimerPutOffForEverIsMovedNoMoreThanItsSlotsDemand) {
  TimerWheel wheel(1, 1, 0);
  const TimerWheel::Handle handle = wheel.schedule(1000, 1);
  for (std::uint64_t now = 1; now < 100'000; ++now) {
    ASSERT_TRUE(wheel.reschedule(handle, now + 1000));
    ASSERT_EQ(fired_at(wheel, now), Ids{});
  }
  EXPECT_EQ(fired_at(wheel, 100'999), Ids{1});  // the last now was 99,999
}

TEST(TimerWheel, FiresInTheOrderOfTimeAcrossAJump) {
  TimerWheel wheel(1000, 1, 0);
  std::vector<std::uint32_t> expected;
  for (std::uint32_t i = 0; i < 1000; ++i) {
    const std::uint32_t time = i * 7919 % 1000 * 97 + 1;
    wheel.schedule(time, time);
    expected.push_back(time);
  }
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(fired_at(wheel, std::uint64_t{1} << 40), expected);
}

TEST(TimerWheel, HasNoCeilingOnDelays) {
  TimerWheel wheel(100, 1, 12'345);
  std::vector<std::uint64_t> times;
  for (int bit = 14; bit < 58; ++bit) times.push_back((std::uint64_t{1} << bit) + 3);
  for (std::size_t i = 0; i < times.size(); ++i) {
    ASSERT_NE(wheel.schedule(times[i], static_cast<std::uint32_t>(i)), TimerWheel::kNoTimer);
  }
  for (std::size_t i = 0; i < times.size(); ++i) {
    ASSERT_EQ(fired_at(wheel, times[i] - 1), Ids{});
    ASSERT_EQ(fired_at(wheel, times[i]), Ids{static_cast<std::uint32_t>(i)});
  }
}

TEST(TimerWheel, TheEndOfTimeIsNever) {
  for (const std::uint32_t tick : {1u, 7u, 1000u}) {
    TimerWheel wheel(4, tick, 0);
    wheel.schedule(kNever, 1);
    EXPECT_LT(wheel.next_expiry_ms(), kNever);
    if (tick == 1) {
      EXPECT_EQ(fired_at(wheel, kNever), Ids{});
    }
    std::uint32_t calls = 0;
    wheel.advance(kNever, [&](std::uint32_t) {
      ++calls;
      wheel.schedule(0, 2);
    });
    EXPECT_LE(calls, 1u);
    EXPECT_EQ(wheel.size(), 1u);
  }
  TimerWheel late(4, 1, kNever);
  EXPECT_NE(late.schedule(0, 1), TimerWheel::kNoTimer);
  EXPECT_EQ(fired_at(late, kNever), Ids{});
}

TEST(TimerWheel, AClockThatGoesBackDoesNothing) {
  TimerWheel wheel(4, 1, 1000);
  wheel.schedule(1100, 1);
  EXPECT_EQ(fired_at(wheel, 10), Ids{});
  EXPECT_EQ(fired_at(wheel, 1099), Ids{});
  EXPECT_EQ(fired_at(wheel, 1000), Ids{});
  EXPECT_EQ(fired_at(wheel, 1100), Ids{1});
}

TEST(TimerWheel, NextExpiryLeadsThereInFewSteps) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 5000; ++round) {
    const auto tick = static_cast<std::uint32_t>(1 + random() % 20);
    const std::uint64_t now = random() >> (8 + random() % 56);
    TimerWheel wheel(1, tick, now);
    const std::uint64_t expiry = now + (random() >> (8 + random() % 56));
    wheel.schedule(expiry, 1);
    int steps = 0;
    std::uint64_t time = 0;
    while (wheel.size() != 0) {
      ASSERT_GT(wheel.next_expiry_ms(), time);
      time = wheel.next_expiry_ms();
      wheel.advance(time, [](std::uint32_t) {});
      ASSERT_LE(++steps, 10);
    }
    ASSERT_GE(time, expiry);
    ASSERT_LT(time, std::max(expiry, now) + 2 * tick);
    ASSERT_EQ(wheel.next_expiry_ms(), kNever);
  }
}

TEST(TimerWheel, ACallbackMayScheduleItsSuccessorAtFullCapacity) {
  TimerWheel wheel(1, 1, 0);
  wheel.schedule(10, 0);
  std::vector<std::uint64_t> times;
  for (std::uint64_t now = 1; now <= 100; ++now) {
    wheel.advance(now, [&](std::uint32_t id) {
      times.push_back(now);
      EXPECT_NE(wheel.schedule(now + 10, id + 1), TimerWheel::kNoTimer);
    });
  }
  EXPECT_EQ(times, (std::vector<std::uint64_t>{10, 20, 30, 40, 50, 60, 70, 80, 90, 100}));
}

TEST(TimerWheel, WhatACallbackSchedulesFiresInALaterCall) {
  TimerWheel wheel(10, 1, 0);
  wheel.schedule(10, 1);
  Ids ids;
  wheel.advance(1'000'000, [&](std::uint32_t id) {
    ids.push_back(id);
    wheel.schedule(0, id + 1);
    wheel.schedule(500'000, id + 2);
  });
  EXPECT_EQ(ids, Ids{1});
  EXPECT_EQ(wheel.size(), 2u);
  EXPECT_EQ(fired_at(wheel, 1'000'001), (Ids{2, 3}));
}

TEST(TimerWheel, ACallbackMayCancelAndPutOffTimersOfTheSameTick) {
  TimerWheel wheel(10, 1, 0);
  std::vector<TimerWheel::Handle> handles;
  for (std::uint32_t id = 0; id < 6; ++id) handles.push_back(wheel.schedule(10, id));
  Ids ids;
  wheel.advance(20, [&](std::uint32_t id) {
    ids.push_back(id);
    if (id != 0) return;
    EXPECT_FALSE(wheel.cancel(handles[0]));
    EXPECT_TRUE(wheel.cancel(handles[1]));
    EXPECT_TRUE(wheel.reschedule(handles[2], 15));
    EXPECT_TRUE(wheel.reschedule(handles[3], 100));
    EXPECT_TRUE(wheel.cancel(handles[5]));
    EXPECT_EQ(wheel.advance(1000, [](std::uint32_t) {}), 0u);
  });
  EXPECT_EQ(ids, (Ids{0, 4}));
  EXPECT_EQ(wheel.size(), 2u);
  EXPECT_EQ(fired_at(wheel, 21), Ids{2});
  EXPECT_EQ(fired_at(wheel, 99), Ids{});
  EXPECT_EQ(fired_at(wheel, 100), Ids{3});
}

// The same timers in a sorted list that does everything the slow way.
class SortedList {
 public:
  SortedList(std::uint32_t tick_ms, std::uint64_t now_ms)
      : tick_(tick_ms), now_(now_ms / tick_ms) {}

  void schedule(std::uint32_t id, std::uint64_t expiry_ms) { set(id, first_tick(expiry_ms)); }
  void cancel(std::uint32_t id) { remove(id); }
  void reschedule(std::uint32_t id, std::uint64_t expiry_ms) {
    remove(id);
    set(id, first_tick(expiry_ms));
  }
  // All ids that fire, by tick; within one tick in no particular order.
  std::vector<std::pair<std::uint64_t, std::uint32_t>> advance(std::uint64_t now_ms) {
    std::vector<std::pair<std::uint64_t, std::uint32_t>> fired;
    const std::uint64_t target = now_ms / tick_;
    if (target <= now_) return fired;
    now_ = target;
    while (!by_tick_.empty() && by_tick_.begin()->first <= target) {
      fired.emplace_back(*by_tick_.begin());
      remove(by_tick_.begin()->second);
    }
    return fired;
  }
  std::uint64_t next_ms() const {
    return by_tick_.empty() ? kNever : by_tick_.begin()->first * tick_;
  }
  std::size_t size() const { return ticks_.size(); }

 private:
  std::uint64_t first_tick(std::uint64_t expiry_ms) const {
    const std::uint64_t tick = expiry_ms / tick_ + (expiry_ms % tick_ != 0);
    return std::max(tick, now_ + 1);
  }
  void set(std::uint32_t id, std::uint64_t tick) {
    ticks_[id] = tick;
    by_tick_.emplace(tick, id);
  }
  void remove(std::uint32_t id) {
    auto [it, end] = by_tick_.equal_range(ticks_[id]);
    while (it != end && it->second != id) ++it;
    by_tick_.erase(it);
    ticks_.erase(id);
  }

  std::uint32_t tick_;
  std::uint64_t now_;
  std::multimap<std::uint64_t, std::uint32_t> by_tick_;
  std::unordered_map<std::uint32_t, std::uint64_t> ticks_;
};

TEST(TimerWheel, BehavesLikeASortedList) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  std::mt19937_64 random(seed);
  constexpr std::uint32_t kCapacity = 300;
  for (const std::uint32_t tick : {1u, 7u, 100u, 4096u}) {
    for (const std::uint64_t origin : {std::uint64_t{0}, (std::uint64_t{1} << 32) - 100,
                                       (std::uint64_t{1} << 36) - 1000, std::uint64_t{1} << 56}) {
      std::uint64_t now = origin;
      TimerWheel wheel(kCapacity, tick, now);
      SortedList list(tick, now);
      std::unordered_map<std::uint32_t, TimerWheel::Handle> live;
      std::vector<std::uint32_t> ids;
      std::uint32_t next_id = 0;
      // Times near and far, so that every level is used; now and then in the past.
      const auto some_time = [&] {
        const std::uint64_t delay =
            random() >> (random() % 4 == 0 ? 8 + random() % 56 : 44 + random() % 20);
        const bool past = random() % 16 == 0;
        return past ? now - std::min(now, delay) : now + delay;
      };
      const auto some_id = [&]() -> std::uint32_t {
        while (!ids.empty()) {
          const std::size_t at = random() % ids.size();
          if (live.contains(ids[at])) return ids[at];
          ids[at] = ids.back();
          ids.pop_back();
        }
        return next_id;  // not live
      };
      for (int step = 0; step < 8000; ++step) {
        switch (random() % 8) {
          case 0:
          case 1:
          case 2: {
            const std::uint64_t expiry = some_time();
            const TimerWheel::Handle handle = wheel.schedule(expiry, next_id);
            ASSERT_EQ(handle == TimerWheel::kNoTimer, list.size() == kCapacity);
            if (handle == TimerWheel::kNoTimer) break;
            list.schedule(next_id, expiry);
            live[next_id] = handle;
            ids.push_back(next_id++);
            break;
          }
          case 3: {
            const std::uint32_t id = some_id();
            if (!live.contains(id)) break;
            ASSERT_TRUE(wheel.cancel(live[id]));
            ASSERT_FALSE(wheel.cancel(live[id]));
            list.cancel(id);
            live.erase(id);
            break;
          }
          case 4:
          case 5: {
            const std::uint32_t id = some_id();
            if (!live.contains(id)) break;
            const std::uint64_t expiry = some_time();
            ASSERT_TRUE(wheel.reschedule(live[id], expiry));
            list.reschedule(id, expiry);
            break;
          }
          default: {
            const std::uint64_t jump =
                random() >> (random() % 64 == 0 ? 8 + random() % 56 : 50 + random() % 14);
            now += std::min(jump, (std::uint64_t{1} << 57) - now);
            const auto expected = list.advance(now);
            std::vector<std::pair<std::uint64_t, std::uint32_t>> fired;
            wheel.advance(now, [&](std::uint32_t id) {
              // Its place in the order of ticks is checked, and then that it was due at all.
              const std::size_t at = fired.size();
              fired.emplace_back(at < expected.size() ? expected[at].first : kNever, id);
            });
            ASSERT_EQ(fired.size(), expected.size());
            auto sorted = expected;
            std::sort(sorted.begin(), sorted.end());
            std::sort(fired.begin(), fired.end());
            ASSERT_EQ(fired, sorted);
            for (const auto& [at, id] : fired) {
              ASSERT_FALSE(wheel.cancel(live[id]));
              live.erase(id);
            }
          }
        }
        ASSERT_EQ(wheel.size(), list.size());
        if (list.size() == 0) {
          ASSERT_EQ(wheel.next_expiry_ms(), kNever);
        } else {
          ASSERT_LE(wheel.next_expiry_ms(), list.next_ms());
          if (step % 16 == 0) {
            const std::uint64_t next = list.next_ms();
            ASSERT_EQ(wheel.earliest_ms(), next);
          }
          ASSERT_GT(wheel.next_expiry_ms() / tick, now / tick);
        }
      }
      // The rest, by the times the wheel names.
      while (wheel.size() != 0) {
        now = wheel.next_expiry_ms();
        ASSERT_EQ(fired_at(wheel, now).size(), list.advance(now).size());
      }
    }
  }
}

TEST(TimerWheel, BehavesLikeASortedListWhileCallbacksChangeIt) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  std::mt19937_64 random(seed);
  constexpr std::uint32_t kTimers = 64;
  TimerWheel wheel(kTimers, 1, 0);
  std::vector<TimerWheel::Handle> handles(kTimers, TimerWheel::kNoTimer);
  std::vector<std::uint64_t> expiries(kTimers, kNever);  // kNever: not scheduled
  std::uint64_t now = 0;
  std::uint64_t fired = 0;
  const auto set = [&](std::uint32_t id, std::uint64_t expiry) {
    if (expiries[id] == kNever) {
      handles[id] = wheel.schedule(expiry, id);
      ASSERT_NE(handles[id], TimerWheel::kNoTimer);
    } else {
      ASSERT_TRUE(wheel.reschedule(handles[id], expiry));
    }
    expiries[id] = std::max(expiry, now + 1);
  };
  const auto change = [&] {
    const auto id = static_cast<std::uint32_t>(random() % kTimers);
    if (random() % 3 == 0) {
      ASSERT_EQ(wheel.cancel(handles[id]), expiries[id] != kNever);
      expiries[id] = kNever;
    } else {
      set(id, now - std::min<std::uint64_t>(now, random() % 4) + random() % 200);
    }
  };
  for (int step = 0; step < 50'000; ++step) {
    if (random() % 2 == 0) change();
    now += random() % (random() % 100 == 0 ? 5000 : 20);
    std::uint64_t last = 0;
    wheel.advance(now, [&](std::uint32_t id) {
      ASSERT_LE(expiries[id], now);
      ASSERT_GE(expiries[id], last);
      last = expiries[id];
      expiries[id] = kNever;
      ++fired;
      for (std::uint64_t changes = random() % 4; changes > 0; --changes) change();
    });
    std::uint32_t live = 0;
    for (const std::uint64_t expiry : expiries) {
      ASSERT_GT(expiry, now);
      live += expiry != kNever ? 1 : 0;
    }
    ASSERT_EQ(wheel.size(), live);
  }
  EXPECT_GT(fired, 1000u);
}

TEST(TimerWheel, StatesWhatItAllocates) {
  EXPECT_EQ(TimerWheel::bytes(1'000'000) - TimerWheel::bytes(0), 22'000'000u);
  EXPECT_LT(TimerWheel::bytes(0), 32u * 1024u);
}

}  // namespace
}  // namespace millrace
