// Blocks that have an owner, whose end gives back what it did not hand on: HAZARDS 6.
#include "millrace/memory/slab_owners.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <random>
#include <thread>
#include <vector>

#include "millrace/concurrent/mpmc_queue.h"
#include "millrace/memory/slab_allocator.h"
#include "seed.h"
#include "watchdog.h"

namespace millrace {
namespace {

class SlabOwnersTest : public testing::Test {
 protected:
  void SetUp() override {
    SlabOptions options;
    options.max_bytes = std::size_t{16} << 20;
    options.track_owners = true;
    ASSERT_FALSE(slab_.open(options));
  }
  SlabAllocator slab_;
};

TEST_F(SlabOwnersTest, TheEndOfAnOwnerFreesWhatIsStillItsOwn) {
  const SlabOwner one = slab_.open_owner();
  const SlabOwner other = slab_.open_owner();
  ASSERT_NE(one, kNobody);
  ASSERT_NE(other, one);
  for (const std::size_t bytes : {10, 1000, 40'000, 200'000}) {
    slab_.allocate(bytes, one);
    slab_.free(slab_.allocate(bytes, one));
  }
  const std::uint32_t kept = slab_.allocate(1000, other);
  const std::uint32_t handed_on = slab_.allocate(500, one);
  const std::uint32_t adopted = slab_.allocate(600, one);
  const std::uint32_t nobodys = slab_.allocate(700);
  EXPECT_TRUE(slab_.set_owner(handed_on, kNobody));
  EXPECT_TRUE(slab_.set_owner(adopted, other));
  EXPECT_EQ(slab_.close_owner(one), 4u);
  EXPECT_EQ(slab_.stats().requested_bytes, 1000u + 500 + 600 + 700);
  EXPECT_EQ(slab_.close_owner(other), 2u);
  EXPECT_EQ(slab_.block_bytes(kept), 0u);
  EXPECT_EQ(slab_.free(handed_on), FreeResult::kOk);
  EXPECT_EQ(slab_.free(nobodys), FreeResult::kOk);
  EXPECT_EQ(slab_.stats().in_use_bytes, 0u);
}

TEST_F(SlabOwnersTest, ABlockThatIsNotLiveCannotBeHandedOn) {
  const SlabOwner owner = slab_.open_owner();
  const std::uint32_t block = slab_.allocate(100, owner);
  EXPECT_FALSE(slab_.set_owner(block + 64, owner));
  EXPECT_FALSE(slab_.set_owner(block + 1, owner));
  EXPECT_FALSE(slab_.set_owner(kNoBlock, owner));
  slab_.free(block);
  EXPECT_FALSE(slab_.set_owner(block, owner));
  EXPECT_EQ(slab_.close_owner(owner), 0u);
}

TEST_F(SlabOwnersTest, NumbersAreUsedAgainAndRunOut) {
  std::vector<SlabOwner> owners;
  for (SlabOwner owner; (owner = slab_.open_owner()) != kNobody;) owners.push_back(owner);
  EXPECT_EQ(owners.size(), SlabOwners::kMost);
  EXPECT_NE(slab_.allocate(100, kNobody), kNoBlock);
  slab_.close_owner(owners[17]);
  EXPECT_EQ(slab_.open_owner(), owners[17]);
}

TEST(SlabOwners, CostNothingWhereNobodyAsksForThem) {
  SlabOptions options;
  options.track_owners = true;
  const std::size_t tracked = SlabAllocator::metadata_bytes(options);
  options.track_owners = false;
  EXPECT_EQ(tracked - SlabAllocator::metadata_bytes(options), options.max_bytes / 64 * 2);
  SlabAllocator slab;
  ASSERT_FALSE(slab.open(options));
  EXPECT_EQ(slab.open_owner(), kNobody);
  EXPECT_FALSE(slab.set_owner(slab.allocate(10), kNobody));
}

// Owners end at any moment, while others free what these have passed to them, and allocate: nobody
// is robbed of a block, none is lost.
TEST_F(SlabOwnersTest, OwnersEndWhileOthersFreeAndAllocate) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  Watchdog watchdog("slab owners, " + seed_note(seed));
  constexpr int kThreads = 3;
  MpmcQueue<std::uint32_t> queue(1024);
  std::atomic<std::uint64_t> refused{0};
  std::atomic<std::uint64_t> damaged{0};
  const auto word = [&](std::uint32_t block) {
    return reinterpret_cast<std::atomic<std::uint64_t>*>(slab_.data(block));
  };
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937_64 random(seed + t);
      for (int life = 0; life < 40; ++life) {
        const SlabOwner owner = slab_.open_owner();
        const int steps = static_cast<int>(random() % 400);
        for (int step = 0; step < steps; ++step) {
          std::uint32_t block = slab_.allocate(random() % 5000, owner);
          if (block == kNoBlock) continue;
          const std::uint64_t mine = (std::uint64_t{block} << 20) | owner;
          word(block)->store(mine, std::memory_order_relaxed);
          if (random() % 4 == 0) {
            // Handed on: whoever takes it from the queue frees it.
            if (!slab_.set_owner(block, kNobody)) refused.fetch_add(1, std::memory_order_relaxed);
            if (!queue.try_push(block)) slab_.free(block);
          } else if (random() % 2 == 0) {
            if (word(block)->load(std::memory_order_relaxed) != mine) {
              damaged.fetch_add(1, std::memory_order_relaxed);
            }
            if (slab_.free(block) != FreeResult::kOk) {
              refused.fetch_add(1, std::memory_order_relaxed);
            }
          }
          while (random() % 3 == 0 && queue.try_pop(block)) {
            if (word(block)->load(std::memory_order_relaxed) >> 20 != block) {
              damaged.fetch_add(1, std::memory_order_relaxed);
            }
            if (slab_.free(block) != FreeResult::kOk) {
              refused.fetch_add(1, std::memory_order_relaxed);
            }
          }
        }
        slab_.close_owner(owner);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (std::uint32_t block; queue.try_pop(block);) slab_.free(block);
  EXPECT_EQ(refused.load(std::memory_order_relaxed), 0u);
  EXPECT_EQ(damaged.load(std::memory_order_relaxed), 0u);
  EXPECT_EQ(slab_.stats().in_use_bytes, 0u);
  slab_.release_thread_cache();
  EXPECT_EQ(slab_.stats().free_pages, slab_.max_bytes() >> 16);
}

}  // namespace
}  // namespace millrace
