#include "millrace/memory/size_classes.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace millrace {
namespace {

TEST(SizeClasses, GivesTheSmallestSizeThatFits) {
  SizeClasses classes;
  ASSERT_TRUE(classes.build(64, 32 << 10, 1.25));
  for (std::uint32_t bytes = 0; bytes <= classes.max_block_bytes(); ++bytes) {
    const std::uint32_t size_class = classes.class_of(bytes);
    ASSERT_GE(classes.block_bytes(size_class), bytes);
    if (size_class != 0) {
      ASSERT_LT(classes.block_bytes(size_class - 1), bytes);
    }
  }
}

TEST(SizeClasses, WastesAtMostAFifthOfABlock) {
  SizeClasses classes;
  ASSERT_TRUE(classes.build(64, 32 << 10, 1.25));
  for (std::uint32_t bytes = 1; bytes <= classes.max_block_bytes(); ++bytes) {
    const std::uint32_t block = classes.block_bytes(classes.class_of(bytes));
    if (bytes <= 256) {
      ASSERT_LT(block - bytes, 64u) << bytes;
    } else {
      ASSERT_LE((block - bytes) * 5, block) << bytes;
    }
  }
}

TEST(SizeClasses, StepsFollowTheGrowth) {
  SizeClasses classes;
  ASSERT_TRUE(classes.build(64, 2048, 1.25));
  const std::uint32_t expected[] = {64,  128, 192, 256,  320,  384,  448,  512,
                                    640, 768, 896, 1024, 1280, 1536, 1792, 2048};
  ASSERT_EQ(classes.count(), std::size(expected));
  for (std::uint32_t i = 0; i < classes.count(); ++i) {
    EXPECT_EQ(classes.block_bytes(i), expected[i]);
  }
  ASSERT_TRUE(classes.build(64, 32 << 10, 2.0));
  for (std::uint32_t i = 1; i < classes.count(); ++i) {
    EXPECT_EQ(classes.block_bytes(i), 2 * classes.block_bytes(i - 1));
  }
  ASSERT_TRUE(classes.build(64, 32 << 10, 1.125));
  EXPECT_LE(classes.count(), SizeClasses::kMaxClasses);
}

TEST(SizeClasses, TakesBoundsThatAreNoSteps) {
  SizeClasses classes;
  ASSERT_TRUE(classes.build(100, 3000, 1.25));
  EXPECT_EQ(classes.block_bytes(0), 128u);
  EXPECT_EQ(classes.max_block_bytes(), 3008u);
  EXPECT_EQ(classes.class_of(0), 0u);
  ASSERT_TRUE(classes.build(32 << 10, 32 << 10, 1.25));
  EXPECT_EQ(classes.count(), 1u);
}

TEST(SizeClasses, RefusesWhatMakesNoSense) {
  SizeClasses classes;
  EXPECT_FALSE(classes.build(0, 1024, 1.25));
  EXPECT_FALSE(classes.build(2048, 1024, 1.25));
  EXPECT_FALSE(classes.build(64, (32 << 10) + 1, 1.25));
  EXPECT_FALSE(classes.build(64, 1024, 1.0));
  EXPECT_FALSE(classes.build(64, 1024, 2.5));
  EXPECT_FALSE(classes.build(64, 1024, __builtin_nan("")));
}

}  // namespace
}  // namespace millrace
