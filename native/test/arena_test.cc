#include "millrace/memory/arena.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace millrace {
namespace {

constexpr std::size_t kPage = 4096;

// Pages of the range that hold physical memory.
std::size_t resident_pages(const std::byte* start, std::size_t bytes) {
  std::vector<unsigned char> pages(bytes / kPage);
  EXPECT_EQ(::mincore(const_cast<std::byte*>(start), bytes, pages.data()), 0);
  std::size_t count = 0;
  for (const unsigned char page : pages) count += page & 1;
  return count;
}

TEST(Arena, TakesPhysicalMemoryOnlyAsItIsWritten) {
  Arena arena;
  ASSERT_FALSE(Arena::create(std::size_t{256} << 20, arena));
  EXPECT_EQ(arena.max_bytes(), std::size_t{256} << 20);
  EXPECT_EQ(resident_pages(arena.data(), arena.max_bytes()), 0u);
  arena.data()[0] = std::byte{1};
  arena.data()[arena.max_bytes() - 1] = std::byte{1};
  EXPECT_EQ(resident_pages(arena.data(), arena.max_bytes()), 2u);
}

TEST(Arena, IsZeroedAndAligned) {
  Arena arena;
  ASSERT_FALSE(Arena::create(1 << 20, arena));
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(arena.data()) % (64 << 10), 0u);
  for (std::size_t at = 0; at < arena.max_bytes(); at += 997) {
    ASSERT_EQ(arena.data()[at], std::byte{0});
  }
}

TEST(Arena, RefusesSizesThatOffsetsCannotName) {
  Arena arena;
  EXPECT_EQ(Arena::create(0, arena).code, EINVAL);
  EXPECT_EQ(Arena::create(Arena::kMaxBytes + 1, arena).code, EINVAL);
  EXPECT_EQ(arena.data(), nullptr);
  ASSERT_FALSE(Arena::create(Arena::kMaxBytes, arena));
  arena.data()[Arena::kMaxBytes - 1] = std::byte{1};
}

TEST(Arena, CommitTakesMemoryAndDecommitGivesItBack) {
  Arena arena;
  ASSERT_FALSE(Arena::create(1 << 20, arena));
  arena.data()[4 * kPage] = std::byte{7};
  ASSERT_FALSE(arena.commit(0, 16 * kPage));
  EXPECT_EQ(resident_pages(arena.data(), 16 * kPage), 16u);
  EXPECT_EQ(arena.data()[4 * kPage], std::byte{7}) << "a commit keeps what was written";
  ASSERT_FALSE(arena.decommit(4 * kPage, 12 * kPage));
  EXPECT_EQ(resident_pages(arena.data(), 16 * kPage), 4u);
  EXPECT_EQ(arena.data()[4 * kPage], std::byte{0});
}

TEST(Arena, MovesWithItsMapping) {
  Arena first;
  ASSERT_FALSE(Arena::create(1 << 16, first));
  first.data()[5] = std::byte{9};
  std::byte* const data = first.data();
  Arena second(std::move(first));
  EXPECT_EQ(first.data(), nullptr);
  EXPECT_EQ(second.data(), data);
  Arena third;
  ASSERT_FALSE(Arena::create(1 << 16, third));
  third = std::move(second);
  EXPECT_EQ(third.data()[5], std::byte{9});
}

}  // namespace
}  // namespace millrace
