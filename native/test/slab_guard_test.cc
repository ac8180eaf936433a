// A build for debugging: see SlabGuard.
#define MILLRACE_SLAB_GUARDS 1
#include "millrace/memory/slab_guard.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "millrace/memory/slab_allocator.h"

namespace millrace {
namespace {

class SlabGuardTest : public testing::Test {
 protected:
  void SetUp() override {
    SlabOptions options;
    options.max_bytes = 4 << 20;
    ASSERT_FALSE(slab_.open(options));
  }
  // Behind AddressSanitizer's back, which would end the program.
  void write_behind(std::uint32_t block) {
    std::byte* const end = slab_.data(block) + slab_.block_bytes(block);
    unpoison(end, SlabGuard::kBytes);
    *end = std::byte{1};
  }
  SlabAllocator slab_;
};

TEST_F(SlabGuardTest, AllOfABlockIsTheCallersAndNoMore) {
  for (const std::size_t bytes : {0, 1, 64, 1000, 32'768, 65'472, 65'473, 200'000}) {
    const std::uint32_t block = slab_.allocate(bytes);
    ASSERT_NE(block, kNoBlock);
    EXPECT_GE(slab_.block_bytes(block), bytes);
    EXPECT_EQ(slab_.block_bytes(block), slab_.class_bytes(bytes));
    std::memset(slab_.data(block), 1, slab_.block_bytes(block));
    EXPECT_EQ(slab_.free(block), FreeResult::kOk);
  }
}

TEST_F(SlabGuardTest, AWriteBehindABlockShowsWhenItIsFreed) {
  for (const std::size_t bytes : {10, 1000, 40'000, 200'000}) {
    const std::uint32_t block = slab_.allocate(bytes);
    write_behind(block);
    EXPECT_EQ(slab_.free(block), FreeResult::kOverrun);
    EXPECT_EQ(slab_.free(block), FreeResult::kDoubleFree);
  }
  std::vector<std::uint32_t> blocks(10);
  ASSERT_EQ(slab_.allocate_many(100, blocks), 10u);
  write_behind(blocks[6]);
  const SlabAllocator::Refused refused = slab_.free_many(blocks);
  EXPECT_EQ(refused.result, FreeResult::kOverrun);
  EXPECT_EQ(refused.index, 6u);
  EXPECT_EQ(slab_.stats().in_use_bytes, 0u);
}

TEST_F(SlabGuardTest, AFreedBlockIsFilled) {
  const std::uint32_t block = slab_.allocate(100);
  std::memset(slab_.data(block), 1, 100);
  slab_.free(block);
  unpoison(slab_.data(block), 128);
  for (int i = 0; i < 100; ++i) ASSERT_EQ(slab_.data(block)[i], std::byte{0xdd});
}

}  // namespace
}  // namespace millrace
