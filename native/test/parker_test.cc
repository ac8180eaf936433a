#include "millrace/base/parker.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <cstdint>
#include <random>
#include <thread>
#include <vector>

#include "millrace/base/spin_lock.h"
#include "millrace/concurrent/spsc_cursor.h"
#include "seed.h"
#include "watchdog.h"

namespace millrace {
namespace {

void wait_until_asleep(const Parker& parker) {
  while (!parker.sleeping()) std::this_thread::yield();
}

TEST(Parker, DoesNotSleepWhenThereIsWork) {
  const Watchdog watchdog("park() with work");
  Parker parker;
  EXPECT_TRUE(parker.park([] { return true; }));
  EXPECT_FALSE(parker.sleeping());
}

TEST(Parker, ATimeoutOfZeroOnlyLooks) {
  Parker parker;
  int looks = 0;
  EXPECT_FALSE(parker.park([&] { return ++looks > 1; }, 0));
  EXPECT_EQ(looks, 1);
}

TEST(Parker, GivesUpAfterTheTimeout) {
  const Watchdog watchdog("park() with a timeout");
  Parker parker;
  const std::int64_t before = monotonic_ns();
  EXPECT_FALSE(parker.park([] { return false; }, 2'000'000));
  EXPECT_GE(monotonic_ns() - before, 2'000'000);
  EXPECT_FALSE(parker.sleeping());
}

TEST(Parker, TheLongestTimeoutDoesNotOverflow) {
  const Watchdog watchdog("park() with the longest timeout");
  Parker parker;
  std::atomic<bool> work{false};
  std::thread producer([&] {
    wait_until_asleep(parker);
    work.store(true, std::memory_order_relaxed);
    parker.unpark();
  });
  EXPECT_TRUE(parker.park([&] { return work.load(std::memory_order_relaxed); }, INT64_MAX));
  producer.join();
}

TEST(Parker, IsWokenByUnpark) {
  const Watchdog watchdog("unpark() of a sleeper");
  Parker parker;
  std::atomic<bool> work{false};
  std::thread consumer(
      [&] { EXPECT_TRUE(parker.park([&] { return work.load(std::memory_order_relaxed); })); });
  wait_until_asleep(parker);
  work.store(true, std::memory_order_relaxed);
  parker.unpark();
  consumer.join();
}

TEST(Parker, SleepsAgainWhenItWasWokenForNothing) {
  const Watchdog watchdog("unpark() without work");
  Parker parker;
  std::atomic<bool> work{false};
  std::atomic<int> looks{0};
  std::thread consumer([&] {
    EXPECT_TRUE(parker.park([&] {
      looks.fetch_add(1);
      return work.load(std::memory_order_relaxed);
    }));
  });
  for (int i = 0; i < 10; ++i) {
    wait_until_asleep(parker);
    const int before = looks.load();
    parker.unpark();
    while (looks.load() == before) std::this_thread::yield();
  }
  work.store(true, std::memory_order_relaxed);
  parker.unpark();
  consumer.join();
}

TEST(Parker, ASignalDoesNotEndTheSleep) {
  const Watchdog watchdog("a signal to a sleeper");
  struct sigaction action {
  }, old{};
  static std::atomic<int> signals;
  signals = 0;
  action.sa_handler = [](int) { signals.fetch_add(1); };  // no SA_RESTART: the futex call returns
  ASSERT_EQ(::sigaction(SIGUSR1, &action, &old), 0);
  Parker parker;
  std::atomic<bool> work{false};
  std::atomic<bool> returned{false};
  std::thread consumer([&] {
    EXPECT_TRUE(parker.park([&] { return work.load(std::memory_order_relaxed); }, INT64_MAX));
    returned = true;
  });
  for (int i = 0; i < 20; ++i) {
    wait_until_asleep(parker);
    ASSERT_EQ(::pthread_kill(consumer.native_handle(), SIGUSR1), 0);
    while (signals.load() <= i) std::this_thread::yield();
    EXPECT_FALSE(returned.load());
  }
  work.store(true, std::memory_order_relaxed);
  parker.unpark();
  consumer.join();
  ::sigaction(SIGUSR1, &old, nullptr);
}

// Each turn crosses a sleep: whoever loses one wake-up waits for ever.
TEST(Parker, LosesNoWakeUpBetweenTwoThreads) {
  const std::uint64_t seed = test_seed();
  const Watchdog watchdog("ping-pong, " + seed_note(seed));
  constexpr std::uint32_t kTurns = 30'000;
  Parker ping_parker;
  Parker pong_parker;
  std::atomic<std::uint32_t> ping{0};
  std::atomic<std::uint32_t> pong{0};
  // The counters are relaxed: only the parkers order them.
  const auto play = [&](Parker& own, Parker& other, std::atomic<std::uint32_t>& heard,
                        std::atomic<std::uint32_t>& said, std::uint32_t lead, std::uint64_t salt) {
    std::minstd_rand random(static_cast<std::uint32_t>(seed + salt));
    for (std::uint32_t turn = 1; turn <= kTurns; ++turn) {
      const auto ready = [&] { return heard.load(std::memory_order_relaxed) + lead >= turn; };
      while (!own.park(ready, random() % 4 == 0 ? 1'000 : -1)) {
      }
      // Now and then the answer meets the other between its last look and its sleep.
      for (std::uint32_t spin = random() % 128; spin > 0; --spin) cpu_relax();
      said.store(turn, std::memory_order_relaxed);
      other.unpark();
    }
  };
  std::thread other([&] { play(pong_parker, ping_parker, ping, pong, 0, 1); });
  play(ping_parker, pong_parker, pong, ping, 1, 2);
  other.join();
  EXPECT_EQ(ping.load(), kTurns);
  EXPECT_EQ(pong.load(), kTurns);
}

// Both sides start a round together, a few nanoseconds apart, so that publishing and falling asleep
// meet: the window of a store that is still in its core's buffer when the other looks.
TEST(Parker, LosesNoWakeUpWhenBothSidesMeet) {
  const std::uint64_t seed = test_seed();
  const Watchdog watchdog("both sides meet, " + seed_note(seed));
  constexpr std::uint32_t kRounds = 200'000;
  struct alignas(kCacheLineBytes) Word {
    std::atomic<std::uint32_t> value{0};
  };
  Parker parker;
  Word started;
  Word work;
  const auto stagger = [](std::minstd_rand& random) {
    for (std::uint32_t step = random() % 128; step > 0; --step) asm volatile("");
  };
  std::thread producer([&] {
    std::minstd_rand random(static_cast<std::uint32_t>(seed));
    for (std::uint32_t round = 1; round <= kRounds; ++round) {
      SpinBackoff backoff;
      while (started.value.load(std::memory_order_acquire) < round) backoff.pause();
      stagger(random);
      work.value.store(round, std::memory_order_relaxed);
      parker.unpark();
    }
  });
  std::minstd_rand random(static_cast<std::uint32_t>(seed + 1));
  for (std::uint32_t round = 1; round <= kRounds; ++round) {
    started.value.store(round, std::memory_order_release);
    stagger(random);
    ASSERT_TRUE(parker.park([&] { return work.value.load(std::memory_order_relaxed) >= round; }));
  }
  producer.join();
}

// Many producers, each with a word of its own that nothing but the parker orders.
TEST(Parker, LosesNoWakeUpOfManyProducers) {
  const std::uint64_t seed = test_seed();
  const Watchdog watchdog("many producers, " + seed_note(seed));
  constexpr std::uint32_t kProducers = 3;
  constexpr std::uint32_t kItems = 20'000;
  struct alignas(kCacheLineBytes) Word {
    std::atomic<std::uint32_t> sent{0};
    std::atomic<std::uint32_t> taken{0};
  };
  std::vector<Word> words(kProducers);
  Parker parker;
  std::vector<std::thread> producers;
  for (std::uint32_t p = 0; p < kProducers; ++p) {
    producers.emplace_back([&, p] {
      std::minstd_rand random(static_cast<std::uint32_t>(seed + p));
      for (std::uint32_t item = 1; item <= kItems; ++item) {
        // One item under way for each producer, so that the consumer is nearly always asleep.
        while (words[p].taken.load(std::memory_order_acquire) + 1 < item) {
          std::this_thread::yield();
        }
        for (std::uint32_t spin = random() % 64; spin > 0; --spin) cpu_relax();
        words[p].sent.store(item, std::memory_order_relaxed);
        parker.unpark();
      }
    });
  }
  std::vector<std::uint32_t> taken(kProducers, 0);
  const auto find = [&]() -> std::int32_t {
    for (std::uint32_t p = 0; p < kProducers; ++p) {
      if (words[p].sent.load(std::memory_order_relaxed) > taken[p]) {
        return static_cast<std::int32_t>(p);
      }
    }
    return -1;
  };
  for (std::uint32_t total = 0; total < kProducers * kItems; ++total) {
    ASSERT_TRUE(parker.park([&] { return find() >= 0; }));
    const std::int32_t p = find();
    ++taken[p];
    words[p].taken.store(taken[p], std::memory_order_release);
  }
  for (auto& producer : producers) producer.join();
  for (std::uint32_t p = 0; p < kProducers; ++p) EXPECT_EQ(taken[p], kItems);
}

// unpark_published() only reads while the consumer is awake: the positions carry the order.
TEST(Parker, LosesNoWakeUpAfterAPublishedPosition) {
  const std::uint64_t seed = test_seed();
  const Watchdog watchdog("published positions, " + seed_note(seed));
  constexpr std::uint64_t kItems = 200'000;
  SpscCursor cursor(8);
  std::vector<std::uint64_t> slots(cursor.capacity());
  Parker room;
  Parker work;
  std::thread producer([&] {
    std::minstd_rand random(static_cast<std::uint32_t>(seed));
    for (std::uint64_t item = 0; item < kItems;) {
      ASSERT_TRUE(room.park([&] { return cursor.writable() > 0; }));
      std::uint32_t batch = 1 + static_cast<std::uint32_t>(random() % cursor.writable());
      if (batch > kItems - item) batch = static_cast<std::uint32_t>(kItems - item);
      for (std::uint32_t i = 0; i < batch; ++i) {
        slots[(cursor.write_position() + i) & cursor.mask()] = item++;
      }
      cursor.publish(batch);
      work.unpark_published();
    }
  });
  for (std::uint64_t item = 0; item < kItems;) {
    ASSERT_TRUE(work.park([&] { return cursor.readable() > 0; }));
    const std::uint32_t batch = cursor.readable();
    for (std::uint32_t i = 0; i < batch; ++i) {
      ASSERT_EQ(slots[(cursor.read_position() + i) & cursor.mask()], item++);
    }
    cursor.release(batch);
    room.unpark_published();
  }
  producer.join();
}

}  // namespace
}  // namespace millrace
