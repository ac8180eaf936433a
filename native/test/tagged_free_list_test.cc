#include "millrace/memory/tagged_free_list.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <latch>
#include <set>
#include <span>
#include <thread>
#include <vector>

namespace millrace {
namespace {

// The tag is what tells a head from the same head later; it wraps.
TEST(TaggedFreeList, WorksWhileItsTagWraps) {
  std::vector<std::atomic<std::uint32_t>> links(64);
  TaggedFreeList list;
  list.open(64, links.data(), 0xffffffffu - 100);
  std::vector<std::uint32_t> all;
  for (int i = 0; i < 64; ++i) all.push_back(list.take_unused());
  EXPECT_EQ(list.take_unused(), TaggedFreeList::kNone);
  for (int round = 0; round < 300; ++round) {
    list.give(std::span(all).first(40));
    list.give(std::span(all).subspan(40));
    ASSERT_EQ(list.listed(), 64u);
    ASSERT_EQ(list.take(std::span(all).first(10)), 10u);
    ASSERT_EQ(list.take(std::span(all).subspan(10)), 54u);
    ASSERT_EQ(std::set<std::uint32_t>(all.begin(), all.end()).size(), 64u);
    std::uint32_t none;
    ASSERT_EQ(list.take(std::span(&none, 1)), 0u);
  }
}

// Few indices and many threads: the same index is on top again and again, with another one below.
TEST(TaggedFreeList, NoIndexHasTwoHolders) {
  constexpr std::uint32_t kCapacity = 4;
  constexpr int kThreads = 4;
  std::vector<std::atomic<std::uint32_t>> links(kCapacity);
  TaggedFreeList list;
  list.open(kCapacity, links.data());
  std::vector<std::uint32_t> all;
  for (std::uint32_t i = 0; i < kCapacity; ++i) all.push_back(list.take_unused());
  list.give(all);
  std::vector<std::atomic<int>> holders(kCapacity);
  std::atomic<int> wrong{0};
  std::latch start(kThreads);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::uint32_t mine[3];
      start.arrive_and_wait();
      for (int step = 0; step < 1'000'000; ++step) {
        const auto held =
            std::span(mine).first(list.take(std::span(mine).first(1 + (step + t) % 3)));
        for (const std::uint32_t index : held) {
          if (holders[index].exchange(1, std::memory_order_relaxed) != 0)
            wrong.fetch_add(1, std::memory_order_relaxed);
        }
        for (const std::uint32_t index : held) holders[index].store(0, std::memory_order_relaxed);
        // One by one, which turns their order round: what lies below an index changes.
        for (std::size_t i = 0; i < held.size(); ++i) list.give(held.subspan(i, 1));
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong.load(std::memory_order_relaxed), 0);
  EXPECT_EQ(list.listed(), kCapacity);
  EXPECT_EQ(list.take(all), kCapacity);
}

}  // namespace
}  // namespace millrace
