#include "millrace/server/outbox.h"

#include <gtest/gtest.h>

#include <vector>

#include "millrace/server/outbound.h"
#include "support/pipeline_test_options.h"

namespace millrace {
namespace {

class OutboxTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_FALSE(store_.open(4 << 20));
    ASSERT_TRUE(outbox_.open(store_));
  }
  OutboundOperation operation(std::uint32_t block, std::uint32_t a = 0) {
    return {1, 1, 0, 0, kOutWrite, a, 0, block};
  }
  BlockStore store_;
  Outbox outbox_;
};

TEST_F(OutboxTest, TakesAWholeListOrNothingOfIt) {
  const std::vector<OutboundOperation> list(Outbox::kRing - 1, operation(kNoBlock));
  EXPECT_TRUE(outbox_.push(store_, list));
  EXPECT_FALSE(outbox_.push(store_, std::vector<OutboundOperation>(2, operation(kNoBlock))));
  EXPECT_EQ(outbox_.depth(), Outbox::kRing - 1);
  EXPECT_TRUE(outbox_.push(store_, std::vector<OutboundOperation>(1, operation(kNoBlock, 7))));
  ASSERT_EQ(outbox_.readable(), Outbox::kRing);
  EXPECT_EQ(outbox_.at(Outbox::kRing - 1).a, 7u);
  outbox_.release(2);
  EXPECT_TRUE(outbox_.push(store_, std::vector<OutboundOperation>(2, operation(kNoBlock))));
  EXPECT_EQ(outbox_.high_water(), Outbox::kRing);
}

TEST_F(OutboxTest, AnOperationHoldsItsBlock) {
  const std::uint32_t a = store_.allocate(1000);
  const std::uint32_t b = store_.allocate(1000);
  ASSERT_TRUE(outbox_.push(
      store_, std::vector<OutboundOperation>{operation(a), operation(a), operation(kNoBlock),
                                             operation(b), operation(a)}));
  store_.release(a);
  store_.release(b);
  EXPECT_TRUE(store_.unique(b));
  EXPECT_FALSE(store_.unique(a));
  store_.release(a, 3);
  store_.release(b);
  outbox_.release(5);
  outbox_.close(store_);
  EXPECT_EQ(store_.slab().stats().in_use_bytes, 0u);
}

TEST_F(OutboxTest, ABlockIsFreeWhenTheSenderIsDoneWithIt) {
  std::vector<std::uint32_t> blocks;
  for (std::uint32_t i = 0; i < Outbox::kOutBlocks; ++i) {
    blocks.push_back(outbox_.free_block(store_));
    ASSERT_NE(blocks.back(), kNoBlock);
    store_.reference(blocks.back());
  }
  EXPECT_EQ(outbox_.free_block(store_), kNoBlock);
  store_.release(blocks[2]);
  EXPECT_EQ(outbox_.free_block(store_), blocks[2]);
  for (const std::uint32_t i : {0, 1, 3}) store_.release(blocks[i]);
  EXPECT_EQ(outbox_.free_block(store_), blocks[2]) << "the one in use is in the cache";
}

TEST_F(OutboxTest, WithoutMemoryItDoesNotOpen) {
  BlockStore small;
  ASSERT_FALSE(small.open(3 * Outbox::kOutBlockBytes));
  Outbox outbox;
  EXPECT_FALSE(outbox.open(small));
  outbox.close(small);
  EXPECT_EQ(small.slab().stats().in_use_bytes, 0u);
}

class OutboundTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_FALSE(core_.open());
    ASSERT_TRUE(outbound_.open(control_, list_));
  }
  Outbox& outbox() { return core_.outboxes[0]; }

  static PipelineOptions options() {
    PipelineOptions options = pipeline_test_options();
    options.max_bytes = 64 << 20;  // the blocks of all outboxes fit
    return options;
  }

  PipelineCore core_{options()};
  std::uint32_t control_[kControlWords] = {};
  OutboundOperation list_[kOperationListCapacity] = {};
  Outbound outbound_{core_};
};

TEST_F(OutboundTest, WhatPointsOutsideTheArenaEndsTheList) {
  const auto end = static_cast<std::uint32_t>(core_.store.max_bytes());
  const OutboundOperation good{1, 1, 0, 10, kOutWrite, 0, 0, kNoBlock};
  for (const OutboundOperation& bad :
       {OutboundOperation{1, 1, end, 1, kOutWrite, 0, 0, kNoBlock},
        OutboundOperation{1, 1, end - 1, 2, kOutWrite, 0, 0, kNoBlock},
        OutboundOperation{1, 1, 0xffff'ffff, 0xffff'ffff, kOutWrite, 0, 0, kNoBlock},
        OutboundOperation{1, 1, 0, 0, kOutWrite, 0, 0, end}}) {
    const std::uint32_t before = outbox().depth();
    list_[0] = good;
    list_[1] = bad;
    list_[2] = good;
    control_[kControlOpCount] = 3;
    outbound_.flush();
    EXPECT_EQ(outbox().depth() - before, 1u);
    EXPECT_EQ(control_[kControlOpCount], 0u);
  }
}

TEST_F(OutboundTest, ACountBeyondTheListIsCut) {
  for (OutboundOperation& operation : list_) operation.block = kNoBlock;
  control_[kControlOpCount] = 0xffff'ffff;
  outbound_.flush();
  EXPECT_EQ(outbox().depth(), kOperationListCapacity);
}

TEST_F(OutboundTest, AProducerGivesItsPlaceBack) {
  std::vector<std::unique_ptr<Outbound>> all;
  for (;;) {
    all.push_back(std::make_unique<Outbound>(core_));
    if (!all.back()->open(control_, list_)) break;
  }
  EXPECT_EQ(all.size(), PipelineCore::kMaxOutboxes);  // with the fixture's, and the one that failed
  all.clear();
  EXPECT_EQ(core_.store.slab().stats().in_use_bytes, Outbox::arena_bytes());
  Outbound again(core_);
  EXPECT_TRUE(again.open(control_, list_));
}

TEST_F(OutboundTest, WaitsNoLongerThanThePipelineLives) {
  for (OutboundOperation& operation : list_) operation.block = kNoBlock;
  for (int i = 0; i < 2; ++i) {
    control_[kControlOpCount] = kOperationListCapacity;
    outbound_.flush();
  }
  core_.stopping.store(true);
  control_[kControlOpCount] = 1;
  outbound_.flush();  // there is no room, and nobody makes any
  EXPECT_EQ(outbox().depth(), Outbox::kRing);
}

}  // namespace
}  // namespace millrace
