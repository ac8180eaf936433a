#include "millrace/server/admission.h"

#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>
#include <vector>

#include "seed.h"
#include "watchdog.h"

namespace millrace {
namespace {

TEST(Admission, AdmitsOnceUntilTheStageBegins) {
  Admission word;
  EXPECT_TRUE(word.admit());
  EXPECT_FALSE(word.admit());
  word.begin();
  EXPECT_FALSE(word.finish());
  EXPECT_TRUE(word.admit());
}

TEST(Admission, WhatComesWhileTheStageRunsBringsItBackOnce) {
  Admission word;
  ASSERT_TRUE(word.admit());
  word.begin();
  EXPECT_FALSE(word.admit()) << "the stage pushes, not the caller";
  EXPECT_FALSE(word.admit());
  EXPECT_TRUE(word.finish());
  EXPECT_FALSE(word.admit()) << "it stands in the queue again";
  word.begin();
  EXPECT_FALSE(word.finish());
}

TEST(Admission, RequeueKeepsThePlaceAndForgetsWhatCameMeanwhile) {
  Admission word;
  ASSERT_TRUE(word.admit());
  word.begin();
  EXPECT_FALSE(word.admit());
  word.requeue();
  EXPECT_FALSE(word.admit());
  word.begin();
  EXPECT_FALSE(word.finish());
}

// Producers publish a reason and admit; the stage must see every reason, and the key must never
// stand in the queue twice.
TEST(Admission, Hazard10_NoReasonIsLostAndNoKeyIsQueuedTwice) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  const Watchdog watchdog("admission, " + seed_note(seed));
  constexpr int kProducers = 3;
  constexpr std::uint64_t kReasons = 100'000;

  Admission word;
  std::atomic<int> queued{0};
  std::atomic<int> highest{0};
  std::atomic<std::uint64_t> reasons{0};
  const auto push = [&] {
    const int depth = queued.fetch_add(1, std::memory_order_seq_cst) + 1;
    if (depth > highest.load()) highest.store(depth);
  };
  std::vector<std::thread> producers;
  for (int p = 0; p < kProducers; ++p) {
    producers.emplace_back([&, p] {
      std::mt19937_64 random(seed + static_cast<std::uint64_t>(p));
      for (std::uint64_t i = 0; i < kReasons; ++i) {
        reasons.fetch_add(1, std::memory_order_seq_cst);
        if (word.admit()) push();
        if (random() % 64 == 0) std::this_thread::yield();
      }
    });
  }
  std::mt19937_64 random(seed);
  std::uint64_t taken = 0;
  while (taken < kProducers * kReasons) {
    if (queued.load(std::memory_order_seq_cst) == 0) {
      std::this_thread::yield();
      continue;
    }
    queued.fetch_sub(1, std::memory_order_seq_cst);
    word.begin();
    taken += reasons.exchange(0, std::memory_order_seq_cst);
    if (random() % 4 == 0) {
      word.requeue();
      push();
    } else if (word.finish()) {
      push();
    }
  }
  for (std::thread& producer : producers) producer.join();
  EXPECT_EQ(taken, kProducers * kReasons);
  EXPECT_EQ(highest.load(), 1);
}

}  // namespace
}  // namespace millrace
