#include "millrace/concurrent/mpmc_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "millrace/base/parker.h"
#include "seed.h"
#include "watchdog.h"

namespace millrace {
namespace {

using Queue = MpmcQueue<std::uint64_t>;

// Where counters of 32 and of 62 bits would go wrong.
constexpr std::uint64_t kStarts[] = {0, (std::uint64_t{1} << 32) - 100,
                                     (std::uint64_t{1} << 62) - 100};

TEST(MpmcQueue, RoundsItsCapacityUpToAPowerOfTwo) {
  EXPECT_EQ(Queue(0).capacity(), 2u);
  EXPECT_EQ(Queue(1).capacity(), 2u);
  EXPECT_EQ(Queue(2).capacity(), 2u);
  EXPECT_EQ(Queue(3).capacity(), 4u);
  EXPECT_EQ(Queue(1000).capacity(), 1024u);
  EXPECT_EQ(Queue::bytes(1000), 1024u * 16u);
  EXPECT_EQ(Queue::bytes(0xffff'ffffu), (std::size_t{1} << 31) * 16);
}

TEST(MpmcQueue, TakesSmallAndLargeValues) {
  struct Large {
    std::uint64_t words[5];
  };
  EXPECT_EQ(MpmcQueue<std::uint8_t>::bytes(2), 32u);
  MpmcQueue<Large> queue(2);
  ASSERT_TRUE(queue.try_push({{1, 2, 3, 4, 5}}));
  Large out{};
  ASSERT_TRUE(queue.try_pop(out));
  EXPECT_EQ(out.words[4], 5u);
}

TEST(MpmcQueue, UsesEverySlotAndRefusesTheNext) {
  for (const std::uint64_t start : kStarts) {
    Queue queue(256, start);
    for (std::uint64_t i = 0; i < 256; ++i) ASSERT_TRUE(queue.try_push(i));
    EXPECT_FALSE(queue.try_push(256));
    EXPECT_EQ(queue.size(), 256u);
    std::uint64_t value = 0;
    for (std::uint64_t i = 0; i < 256; ++i) {
      ASSERT_TRUE(queue.can_pop());
      ASSERT_TRUE(queue.try_pop(value));
      ASSERT_EQ(value, i);
    }
    EXPECT_FALSE(queue.can_pop());
    EXPECT_FALSE(queue.try_pop(value));
    EXPECT_EQ(queue.size(), 0u);
    EXPECT_EQ(queue.passed(), 256u);
    EXPECT_EQ(queue.high_water(), 256u);
  }
}

TEST(MpmcQueue, BatchesTakeWhatFits) {
  Queue queue(4);
  const std::array<std::uint64_t, 6> in{1, 2, 3, 4, 5, 6};
  EXPECT_EQ(queue.try_push_many({}), 0u);
  EXPECT_EQ(queue.try_push_many(in), 4u);
  EXPECT_EQ(queue.try_push_many(in), 0u);
  std::array<std::uint64_t, 6> out{};
  EXPECT_EQ(queue.try_pop_many({}), 0u);
  EXPECT_EQ(queue.try_pop_many(std::span(out).first(3)), 3u);
  EXPECT_EQ(out[2], 3u);
  EXPECT_EQ(queue.try_push_many(in), 3u);
  EXPECT_EQ(queue.try_pop_many(out), 4u);
  EXPECT_EQ(out[0], 4u);
  EXPECT_EQ(out[3], 3u);
}

TEST(MpmcQueue, HighWaterIsTheDeepestItEverWas) {
  Queue queue(64);
  std::uint64_t value;
  for (std::uint64_t i = 0; i < 10; ++i) queue.try_push(i);
  for (int i = 0; i < 8; ++i) queue.try_pop(value);
  for (std::uint64_t i = 0; i < 7; ++i) queue.try_push(i);
  EXPECT_EQ(queue.high_water(), 10u);
  for (std::uint64_t i = 0; i < 3; ++i) queue.try_push(i);
  EXPECT_EQ(queue.high_water(), 12u);
}

TEST(MpmcQueue, BehavesLikeABoundedDeque) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  std::mt19937_64 random(seed);
  for (const std::uint64_t start : kStarts) {
    for (const std::uint32_t capacity : {2u, 8u, 64u}) {
      Queue queue(capacity, start);
      std::deque<std::uint64_t> model;
      std::uint64_t next = 0;
      std::uint64_t popped = 0;
      std::size_t deepest = 0;
      std::array<std::uint64_t, 80> buffer;
      for (int step = 0; step < 20'000; ++step) {
        const auto count = static_cast<std::uint32_t>(random() % 80);
        if (random() % 2 == 0) {
          for (std::uint32_t i = 0; i < count; ++i) buffer[i] = next + i;
          const std::uint32_t pushed = count == 1 ? (queue.try_push(next) ? 1u : 0u)
                                                  : queue.try_push_many({buffer.data(), count});
          ASSERT_EQ(pushed, std::min<std::size_t>(count, capacity - model.size()));
          for (std::uint32_t i = 0; i < pushed; ++i) model.push_back(next++);
        } else {
          const std::uint32_t got = count == 1 ? (queue.try_pop(buffer[0]) ? 1u : 0u)
                                               : queue.try_pop_many({buffer.data(), count});
          ASSERT_EQ(got, std::min<std::size_t>(count, model.size()));
          for (std::uint32_t i = 0; i < got; ++i) {
            ASSERT_EQ(buffer[i], model.front());
            model.pop_front();
          }
          popped += got;
        }
        deepest = std::max(deepest, model.size());
        ASSERT_EQ(queue.size(), model.size());
        ASSERT_EQ(queue.can_pop(), !model.empty());
        ASSERT_EQ(queue.passed(), popped);
        ASSERT_EQ(queue.high_water(), deepest);
      }
    }
  }
}

TEST(MpmcQueue, CloseRefusesPushesAndKeepsWhatIsIn) {
  for (const std::uint64_t start : kStarts) {
    Queue queue(8, start);
    ASSERT_TRUE(queue.try_push(1));
    ASSERT_TRUE(queue.try_push(2));
    EXPECT_FALSE(queue.closed());
    queue.close();
    queue.close();
    EXPECT_TRUE(queue.closed());
    EXPECT_FALSE(queue.drained());
    EXPECT_FALSE(queue.try_push(3));
    EXPECT_FALSE(queue.push_assured(3));
    EXPECT_EQ(queue.size(), 2u);
    std::uint64_t value = 0;
    EXPECT_TRUE(queue.try_pop(value));
    EXPECT_EQ(value, 1u);
    EXPECT_FALSE(queue.drained());
    EXPECT_TRUE(queue.try_pop(value));
    EXPECT_FALSE(queue.try_pop(value));
    EXPECT_TRUE(queue.drained());
    EXPECT_EQ(queue.passed(), 2u);
  }
}

// What a thread that is suspended inside a claim does to the others: they go round its slot, as far
// as that is possible, and none waits for it.
TEST(MpmcQueue, AProducerStoppedInItsClaimHidesWhatComesAfterIt) {
  Queue queue(4);
  std::uint64_t value = 0;
  const auto stopped = [&](std::uint32_t, std::uint32_t index, std::uint64_t& slot) {
    EXPECT_EQ(index, 0u);
    EXPECT_TRUE(queue.try_push(2));
    EXPECT_TRUE(queue.try_push(3));
    EXPECT_FALSE(queue.try_pop(value));
    EXPECT_FALSE(queue.can_pop());
    EXPECT_TRUE(queue.try_push(4));
    EXPECT_FALSE(queue.try_push(5));
    slot = 1;
  };
  EXPECT_EQ(queue.push_run(1, stopped), 1u);
  for (std::uint64_t i = 1; i <= 4; ++i) {
    ASSERT_TRUE(queue.try_pop(value));
    EXPECT_EQ(value, i);
  }
}

TEST(MpmcQueue, AConsumerStoppedInItsClaimKeepsItsSlotFromTheNextLap) {
  Queue queue(4);
  for (std::uint64_t i = 1; i <= 4; ++i) ASSERT_TRUE(queue.try_push(i));
  std::uint64_t value = 0;
  const auto stopped = [&](std::uint32_t, std::uint32_t, const std::uint64_t& slot) {
    for (std::uint64_t i = 2; i <= 4; ++i) {
      ASSERT_TRUE(queue.try_pop(value));
      EXPECT_EQ(value, i);
    }
    EXPECT_FALSE(queue.try_push(5));
    EXPECT_EQ(queue.size(), 0u);
    value = slot;
  };
  EXPECT_EQ(queue.pop_run(1, stopped), 1u);
  EXPECT_EQ(value, 1u);
  EXPECT_TRUE(queue.try_push(5));
}

TEST(MpmcQueue, PopIfLeavesWhatIsRefused) {
  Queue queue(2);
  std::uint64_t value = 0;
  const auto take = [&](std::uint32_t, std::uint32_t, const std::uint64_t& slot) { value = slot; };
  const auto even = [](std::uint64_t& slot) { return slot % 2 == 0; };
  EXPECT_EQ(queue.pop_if(even, take), PopIf::kEmpty);
  queue.try_push(1);
  EXPECT_EQ(queue.pop_if(even, take), PopIf::kRefused);
  EXPECT_TRUE(queue.try_pop(value));
  queue.try_push(2);
  EXPECT_EQ(queue.pop_if(even, take), PopIf::kPopped);
  EXPECT_EQ(value, 2u);
  EXPECT_EQ(queue.pushed(), 2u);
}

// A value says who pushed it and as which: each consumer must see each producer's in order.
struct Ledger {
  std::uint64_t count = 0;
  std::uint64_t sum = 0;
  bool ordered = true;
};

void stress(std::uint32_t producers, std::uint32_t consumers, std::uint32_t capacity,
            std::uint64_t start, std::uint64_t items, std::uint64_t seed) {
  const Watchdog watchdog("queue stress, " + seed_note(seed));
  Queue queue(capacity, start);
  std::vector<Ledger> pushed(producers);
  std::vector<Ledger> popped(consumers);
  std::atomic<std::uint32_t> producing{producers};
  std::vector<std::thread> threads;
  for (std::uint32_t p = 0; p < producers; ++p) {
    threads.emplace_back([&, p] {
      std::minstd_rand random(static_cast<std::uint32_t>(seed + p));
      std::array<std::uint64_t, 32> batch;
      Ledger ledger;
      for (std::uint64_t item = 0; item < items;) {
        std::uint32_t want = random() % 3 == 0 ? 1 + random() % 32 : 1;
        if (want > items - item) want = static_cast<std::uint32_t>(items - item);
        for (std::uint32_t i = 0; i < want; ++i) batch[i] = std::uint64_t{p} << 48 | (item + i);
        const std::uint32_t done = queue.try_push_many({batch.data(), want});
        for (std::uint32_t i = 0; i < done; ++i) ledger.sum += batch[i];
        ledger.count += done;
        item += done;
        if (done == 0 || random() % 64 == 0) std::this_thread::yield();
      }
      pushed[p] = ledger;
      if (producing.fetch_sub(1) == 1) queue.close();
    });
  }
  for (std::uint32_t c = 0; c < consumers; ++c) {
    threads.emplace_back([&, c] {
      std::minstd_rand random(static_cast<std::uint32_t>(seed + 1000 + c));
      std::array<std::uint64_t, 32> batch;
      std::vector<std::uint64_t> next(producers, 0);
      Ledger ledger;
      while (!queue.drained()) {
        const std::uint32_t want = random() % 3 == 0 ? 1 + random() % 32 : 1;
        const std::uint32_t got = queue.try_pop_many({batch.data(), want});
        for (std::uint32_t i = 0; i < got; ++i) {
          std::uint64_t& expected = next[batch[i] >> 48];
          const std::uint64_t item = batch[i] & 0xffff'ffff'ffff;
          ledger.ordered &= item >= expected;
          expected = item + 1;
          ledger.sum += batch[i];
        }
        ledger.count += got;
        if (got == 0 || random() % 64 == 0) std::this_thread::yield();
      }
      popped[c] = ledger;
    });
  }
  for (auto& thread : threads) thread.join();
  Ledger in, out;
  for (const Ledger& ledger : pushed) in.count += ledger.count, in.sum += ledger.sum;
  for (const Ledger& ledger : popped) {
    out.count += ledger.count;
    out.sum += ledger.sum;
    EXPECT_TRUE(ledger.ordered);
  }
  EXPECT_EQ(in.count, producers * items);
  EXPECT_EQ(out.count, in.count);
  EXPECT_EQ(out.sum, in.sum);
  EXPECT_EQ(queue.passed(), in.count);
  EXPECT_LE(queue.high_water(), queue.capacity());
  EXPECT_GE(queue.high_water(), 1u);
}

TEST(MpmcQueue, LosesAndDoublesNothingUnderStress) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  for (const std::uint64_t start : kStarts) {
    stress(1, 1, 64, start, 100'000, seed);
    stress(2, 2, 1024, start, 60'000, seed);
    stress(4, 4, 16, start, 30'000, seed);
    stress(3, 1, 2, start, 20'000, seed);
    stress(1, 3, 2, start, 20'000, seed);
  }
}

// close() at a random moment: what a producer was told was taken is what consumers get.
TEST(MpmcQueue, CloseUnderLoadSplitsPushesExactly) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  const Watchdog watchdog("close under load, " + seed_note(seed));
  std::minstd_rand random(static_cast<std::uint32_t>(seed));
  for (int round = 0; round < 200; ++round) {
    Queue queue(32);
    std::atomic<std::uint64_t> accepted{0};
    std::atomic<std::uint64_t> delivered{0};
    std::vector<std::thread> threads;
    for (int p = 0; p < 2; ++p) {
      threads.emplace_back([&] {
        std::uint64_t taken = 0;
        while (!queue.closed()) {
          if (queue.try_push(1)) {
            ++taken;
          } else {
            std::this_thread::yield();
          }
        }
        accepted.fetch_add(taken);
      });
      threads.emplace_back([&] {
        std::uint64_t got = 0;
        std::uint64_t value;
        while (!queue.drained()) {
          if (queue.try_pop(value)) {
            got += value;
          } else {
            std::this_thread::yield();
          }
        }
        delivered.fetch_add(got);
      });
    }
    const std::uint64_t moment = random() % 500;
    while (queue.passed() < moment) std::this_thread::yield();
    queue.close();
    EXPECT_FALSE(queue.try_push(1));
    for (auto& thread : threads) thread.join();
    ASSERT_EQ(accepted.load(), delivered.load());
  }
}

// As many keys as slots, each in the queue at most once: with several consumers a plain push may
// find "full" at a slot that is still being emptied, push_assured may not fail.
TEST(MpmcQueue, AssuredPushesOfCirculatingKeysNeverFail) {
  const Watchdog watchdog("circulating keys");
  constexpr std::uint32_t kKeys = 8;
  constexpr std::uint32_t kTurns = 20'000;
  Queue queue(kKeys);
  for (std::uint64_t key = 0; key < kKeys; ++key) ASSERT_TRUE(queue.push_assured(key));
  std::array<std::atomic<std::uint32_t>, kKeys> turns{};
  std::atomic<std::uint32_t> finished{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      std::uint64_t key;
      while (finished.load() < kKeys) {
        if (!queue.try_pop(key)) {
          std::this_thread::yield();
        } else if (turns[key].fetch_add(1) + 1 == kTurns) {
          finished.fetch_add(1);
        } else {
          EXPECT_TRUE(queue.push_assured(key));
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (const auto& turn : turns) EXPECT_EQ(turn.load(), kTurns);
}

// The loop every stage runs: pop until empty, then sleep.
TEST(MpmcQueue, ASleepingConsumerMissesNothing) {
  const std::uint64_t seed = test_seed();
  const Watchdog watchdog("sleeping consumer, " + seed_note(seed));
  constexpr std::uint64_t kItems = 50'000;
  constexpr std::uint32_t kProducers = 3;
  Queue queue(16);
  Parker parker;
  std::vector<std::thread> producers;
  for (std::uint32_t p = 0; p < kProducers; ++p) {
    producers.emplace_back([&, p] {
      std::minstd_rand random(static_cast<std::uint32_t>(seed + p));
      for (std::uint64_t i = 0; i < kItems; ++i) {
        while (!queue.try_push(i)) std::this_thread::yield();
        parker.unpark();
        if (random() % 8 == 0) std::this_thread::yield();
      }
    });
  }
  std::uint64_t got = 0;
  std::thread consumer([&] {
    std::array<std::uint64_t, 8> batch;
    while (!queue.drained()) {
      const std::uint32_t count = queue.try_pop_many(batch);
      got += count;
      if (count == 0) parker.park([&] { return queue.can_pop() || queue.closed(); });
    }
  });
  for (auto& producer : producers) producer.join();
  queue.close();
  parker.unpark();
  consumer.join();
  EXPECT_EQ(got, kProducers * kItems);
}

}  // namespace
}  // namespace millrace
