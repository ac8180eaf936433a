// Threads that allocate, hand over and free, in arenas that run out: every block carries a pattern
// that only its holder may change.
#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "millrace/concurrent/mpmc_queue.h"
#include "millrace/memory/slab_allocator.h"
#include "seed.h"
#include "watchdog.h"

namespace millrace {
namespace {

struct Setting {
  const char* name;
  std::size_t max_bytes;
  bool use_membarrier;
  std::uint32_t max_thread_caches;
};

class SlabAllocatorStress : public testing::TestWithParam<Setting> {
 protected:
  static constexpr int kThreads = 4;

  void SetUp() override {
    SlabOptions options;
    options.max_bytes = GetParam().max_bytes;
    options.use_membarrier = GetParam().use_membarrier;
    options.max_thread_caches = GetParam().max_thread_caches;
    ASSERT_FALSE(slab_.open(options));
  }

  // The first and the last eight bytes: a block that two hold, or that overlaps another, shows.
  void mark(std::uint32_t block) {
    const std::size_t bytes = slab_.block_bytes(block);
    const std::uint64_t pattern = pattern_of(block);
    std::memcpy(slab_.data(block), &pattern, 8);
    std::memcpy(slab_.data(block) + bytes - 8, &pattern, 8);
  }
  bool marked(std::uint32_t block) const {
    const std::size_t bytes = slab_.block_bytes(block);
    std::uint64_t first;
    std::uint64_t last;
    std::memcpy(&first, slab_.data(block), 8);
    std::memcpy(&last, slab_.data(block) + bytes - 8, 8);
    return bytes != 0 && first == pattern_of(block) && last == first;
  }
  void free_marked(std::uint32_t block) {
    if (!marked(block)) damaged_.fetch_add(1, std::memory_order_relaxed);
    const std::uint64_t gone = 0;
    std::memcpy(slab_.data(block), &gone, 8);
    if (slab_.free(block) != FreeResult::kOk) refused_.fetch_add(1, std::memory_order_relaxed);
  }

  static std::uint64_t pattern_of(std::uint32_t block) {
    return (block + 1) * std::uint64_t{0x9e3779b97f4a7c15};
  }

  static std::size_t some_size(std::mt19937_64& random) {
    const std::uint32_t limits[] = {64, 300, 2000, 10'000, 40'000, 150'000};
    return random() % limits[random() % std::size(limits)];
  }

  void expect_nothing_left() {
    EXPECT_EQ(damaged_.load(std::memory_order_relaxed), 0u);
    EXPECT_EQ(refused_.load(std::memory_order_relaxed), 0u);
    slab_.release_thread_cache();
    const SlabStats stats = slab_.stats();
    EXPECT_EQ(stats.allocations, stats.frees);
    EXPECT_EQ(stats.in_use_bytes, 0u);
    EXPECT_EQ(stats.requested_bytes, 0u);
    EXPECT_EQ(stats.run_pages, 0u);
    EXPECT_EQ(stats.free_pages, slab_.max_bytes() >> 16);
  }

  SlabAllocator slab_;
  std::atomic<std::uint64_t> damaged_{0};
  std::atomic<std::uint64_t> refused_{0};
};

// Each thread allocates into a common queue and frees what comes out of it, so most blocks are
// freed by another thread. Threads end and others take their place.
TEST_P(SlabAllocatorStress, BlocksAreFreedByOtherThreads) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  Watchdog watchdog("slab stress, " + seed_note(seed));
  MpmcQueue<std::uint32_t> queue(256);
  for (int generation = 0; generation < 4; ++generation) {
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        std::mt19937_64 random(seed + generation * kThreads + t);
        for (int step = 0; step < 5'000; ++step) {
          std::uint32_t block = slab_.allocate(some_size(random));
          if (block != kNoBlock) {
            mark(block);
            if (!queue.try_push(block)) free_marked(block);
          }
          while (random() % 8 < 3 && queue.try_pop(block)) free_marked(block);
        }
      });
    }
    for (auto& thread : threads) thread.join();
  }
  std::uint32_t block;
  while (queue.try_pop(block)) free_marked(block);
  expect_nothing_left();
}

// Threads keep what they allocate, beyond what the arena holds, while one gives memory back to the
// system all the time and looks at the figures.
TEST_P(SlabAllocatorStress, MemoryRunsOutAgainAndAgain) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  Watchdog watchdog("slab stress, " + seed_note(seed));
  std::atomic<int> running{kThreads};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937_64 random(seed + t);
      std::vector<std::uint32_t> mine;
      for (int step = 0; step < 10'000; ++step) {
        const std::uint32_t block = slab_.allocate(some_size(random));
        if (block != kNoBlock) {
          mark(block);
          mine.push_back(block);
        }
        while (!mine.empty() && (block == kNoBlock || mine.size() > 600) && random() % 8 != 0) {
          std::swap(mine[random() % mine.size()], mine.back());
          free_marked(mine.back());
          mine.pop_back();
        }
      }
      for (const std::uint32_t block : mine) free_marked(block);
      running.fetch_sub(1, std::memory_order_release);
    });
  }
  while (running.load(std::memory_order_acquire) != 0) {
    slab_.trim();
    const SlabStats stats = slab_.stats();
    EXPECT_LE(stats.committed_bytes, stats.max_bytes);
    std::this_thread::yield();
  }
  for (auto& thread : threads) thread.join();
  expect_nothing_left();
}

// Every offset is freed at random, while others own most of them.
TEST_P(SlabAllocatorStress, ForeignFreesHarmNobody) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  Watchdog watchdog("slab stress, " + seed_note(seed));
  std::atomic<int> running{kThreads};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937_64 random(seed + t);
      for (int step = 0; step < 10'000; ++step) {
        const std::uint32_t block = slab_.allocate(some_size(random));
        if (block != kNoBlock) free_marked((mark(block), block));
      }
      running.fetch_sub(1, std::memory_order_release);
    });
  }
  std::mt19937_64 random(seed + kThreads);
  while (running.load(std::memory_order_acquire) != 0) {
    // Never the start of a live block: an offset within 64 bytes, or beyond the arena.
    const auto offset = static_cast<std::uint32_t>(random());
    const std::uint32_t wrong = offset % 64 != 0 ? offset : offset + 1;
    if (slab_.free(wrong) != FreeResult::kForeign) refused_.fetch_add(1, std::memory_order_relaxed);
    slab_.block_bytes(offset);
  }
  for (auto& thread : threads) thread.join();
  expect_nothing_left();
}

INSTANTIATE_TEST_SUITE_P(Slabs, SlabAllocatorStress,
                         testing::Values(Setting{"Roomy", std::size_t{256} << 20, true, 32},
                                         Setting{"Tight", std::size_t{4} << 20, true, 32},
                                         Setting{"TightWithoutMembarrier", std::size_t{4} << 20,
                                                 false, 32},
                                         Setting{"FewCaches", std::size_t{8} << 20, true, 2},
                                         Setting{"OnePage", std::size_t{64} << 10, true, 32}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace millrace
