#include "millrace/server/block_store.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace millrace {
namespace {

class BlockStoreTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_FALSE(store_.open(kBytes)); }
  std::size_t in_use() { return store_.slab().stats().in_use_bytes; }

  static constexpr std::size_t kBytes = 4 << 20;
  BlockStore store_;
};

TEST_F(BlockStoreTest, TheLastReferenceFrees) {
  const std::uint32_t block = store_.allocate(1000);
  ASSERT_NE(block, kNoBlock);
  EXPECT_GE(store_.block_bytes(block), 1000u);
  EXPECT_TRUE(store_.unique(block));
  store_.reference(block, 3);
  EXPECT_FALSE(store_.unique(block));
  store_.release(block, 2);
  store_.release(block);
  EXPECT_TRUE(store_.unique(block));
  EXPECT_GT(in_use(), 0u);
  store_.release(block);
  EXPECT_EQ(in_use(), 0u);
}

TEST_F(BlockStoreTest, EveryBlockHasACountAndALinkOfItsOwn) {
  std::vector<std::uint32_t> blocks;
  for (std::size_t size = 1; size < 70'000; size += size / 3 + 1) {
    for (int i = 0; i < 3; ++i) {
      blocks.push_back(store_.allocate(size));
      ASSERT_NE(blocks.back(), kNoBlock);
    }
  }
  for (std::uint32_t i = 0; i < blocks.size(); ++i) {
    store_.reference(blocks[i], i);
    store_.set_next(blocks[i], i);
  }
  for (std::uint32_t i = 0; i < blocks.size(); ++i) {
    EXPECT_EQ(store_.next(blocks[i]), i);
    EXPECT_EQ(store_.unique(blocks[i]), i == 0);
    store_.release(blocks[i], i);
    EXPECT_TRUE(store_.unique(blocks[i]));
    store_.release(blocks[i]);
  }
  EXPECT_EQ(in_use(), 0u);
}

TEST_F(BlockStoreTest, AFreshBlockHasNoLink) {
  const std::uint32_t block = store_.allocate(100);
  store_.set_next(block, 7);
  store_.release(block);
  const std::uint32_t again = store_.allocate(100);
  EXPECT_EQ(store_.next(again), kNoBlock);
  store_.release(again);
}

TEST_F(BlockStoreTest, HeldBlocksMayNotFillTheArena) {
  std::vector<std::uint32_t> held;
  for (std::uint32_t block; (block = store_.allocate_held(60'000)) != kNoBlock;)
    held.push_back(block);
  EXPECT_LT(store_.held_bytes(), kBytes);
  EXPECT_GT(store_.held_bytes(), kBytes / 2);
  const std::uint32_t other = store_.allocate(60'000);
  EXPECT_NE(other, kNoBlock) << "what is not held still finds room";
  store_.release(other);
  for (const std::uint32_t block : held) store_.release_held(block);
  EXPECT_EQ(store_.held_bytes(), 0u);
  EXPECT_EQ(in_use(), 0u);
}

TEST_F(BlockStoreTest, TheGreedyLeaveRoomForSmallHolds) {
  std::vector<std::uint32_t> held;
  for (std::uint32_t block; (block = store_.allocate_held(60'000)) != kNoBlock;)
    held.push_back(block);
  const std::uint32_t small = store_.allocate_held(100);
  ASSERT_NE(small, kNoBlock) << "an unfinished frame of a quiet client";
  store_.release_held(small);
  for (const std::uint32_t block : held) store_.release_held(block);
}

TEST_F(BlockStoreTest, InputLeavesASixteenthToItsAnswers) {
  std::vector<std::uint32_t> blocks;
  for (std::uint32_t block; (block = store_.allocate_input(60'000)) != kNoBlock;)
    blocks.push_back(block);
  EXPECT_EQ(store_.exhausted(), 1u);
  EXPECT_EQ(store_.slab().free_pages(), store_.slab().pages() / 16);
  blocks.push_back(store_.allocate(60'000));
  ASSERT_NE(blocks.back(), kNoBlock);
  for (const std::uint32_t block : blocks) store_.release(block);
  EXPECT_NE(store_.allocate_input(60'000), kNoBlock);
}

TEST_F(BlockStoreTest, ExhaustionIsCountedAndHoldsNothing) {
  std::vector<std::uint32_t> blocks;
  for (std::uint32_t block; (block = store_.allocate(60'000)) != kNoBlock;) blocks.push_back(block);
  EXPECT_EQ(store_.exhausted(), 1u);
  EXPECT_EQ(store_.allocate_held(60'000), kNoBlock);
  EXPECT_EQ(store_.held_bytes(), 0u);
  EXPECT_EQ(store_.exhausted(), 2u);
  for (const std::uint32_t block : blocks) store_.release(block);
}

TEST_F(BlockStoreTest, KnowsItsEnd) {
  BlockStore odd;
  ASSERT_FALSE(odd.open(kBytes + 1000));
  EXPECT_EQ(odd.max_bytes(), kBytes) << "whole pages: nothing beyond them may be written";
}

TEST_F(BlockStoreTest, ReleasesOnManyThreadsFreeOnce) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 20'000;
  std::vector<std::uint32_t> blocks(64);
  for (std::uint32_t& block : blocks) {
    block = store_.allocate(256);
    store_.reference(block, kThreads * kRounds / 64);
  }
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kRounds / 64; ++i) {
        for (const std::uint32_t block : blocks) store_.release(block);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::uint32_t block : blocks) {
    store_.release(block, kThreads * kRounds / 64 - kThreads * (kRounds / 64) + 1);
  }
  EXPECT_EQ(in_use(), 0u);
}

}  // namespace
}  // namespace millrace
