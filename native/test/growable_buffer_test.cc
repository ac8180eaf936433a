#include "millrace/memory/growable_buffer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <random>
#include <span>
#include <vector>

#include "file_limit.h"
#include "seed.h"
#include "temporary_folder.h"

namespace millrace {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

class GrowableBufferTest : public testing::Test {
 protected:
  void SetUp() override {
    SlabOptions options;
    options.max_bytes = 16 * kMiB;
    ASSERT_FALSE(slab_.open(options));
  }

  GrowableBufferOptions options() const {
    GrowableBufferOptions options;
    options.directory = folder_.path();
    return options;
  }

  static std::vector<std::byte> pattern(std::size_t bytes, unsigned char first = 0) {
    std::vector<std::byte> result(bytes);
    for (std::size_t i = 0; i < bytes; ++i) result[i] = static_cast<std::byte>(first + i * 7);
    return result;
  }

  static bool equal(std::span<const std::byte> left, std::span<const std::byte> right) {
    return std::equal(left.begin(), left.end(), right.begin(), right.end());
  }

  TemporaryFolder folder_;
  SlabAllocator slab_;
};

TEST_F(GrowableBufferTest, TakesNothingBeforeTheFirstAppend) {
  GrowableBuffer buffer(slab_, options());
  EXPECT_EQ(buffer.capacity(), 0u);
  EXPECT_EQ(buffer.length(), 0u);
  EXPECT_TRUE(buffer.bytes().empty());
  ASSERT_FALSE(buffer.append({}));
  EXPECT_EQ(slab_.stats().in_use_bytes, 0u);
}

TEST_F(GrowableBufferTest, DoublesInTheSlabAndGivesItsBlockBack) {
  GrowableBuffer buffer(slab_, options());
  const auto chunk = pattern(100);
  for (int i = 0; i < 1000; ++i) ASSERT_FALSE(buffer.append(chunk));
  EXPECT_EQ(buffer.length(), 100'000u);
  EXPECT_FALSE(buffer.mapped());
  EXPECT_LT(buffer.capacity(), 300'000u);
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(equal(buffer.bytes().subspan(i * 100, 100), chunk));
  }
  EXPECT_EQ(slab_.stats().allocations - slab_.stats().frees, 1u);
  buffer.close();
  EXPECT_EQ(slab_.stats().in_use_bytes, 0u);
  ASSERT_FALSE(buffer.append(chunk));
  EXPECT_TRUE(equal(buffer.bytes(), chunk));
}

TEST_F(GrowableBufferTest, AppendsBytesOfItsOwnWhereverTheyMove) {
  GrowableBuffer buffer(slab_, options());
  std::vector<std::byte> expected = pattern(1000);
  ASSERT_FALSE(buffer.append(expected));
  // To larger blocks, and to the file.
  while (!buffer.mapped()) {
    const std::span<const std::byte> own = buffer.bytes().subspan(100, buffer.length() - 200);
    expected.insert(expected.end(), own.begin(), own.end());
    ASSERT_FALSE(buffer.append(own));
    ASSERT_TRUE(equal(buffer.bytes(), expected));
  }
  ASSERT_FALSE(buffer.append(buffer.bytes().first(5000)));
  EXPECT_TRUE(equal(buffer.bytes().last(5000), std::span(expected).first(5000)));

  // To the front of its block.
  GrowableBuffer other(slab_, options());
  const std::vector<std::byte> first = pattern(1024);
  ASSERT_FALSE(other.append(first));
  other.consume(900);
  ASSERT_FALSE(other.append(other.bytes().last(100)));
  EXPECT_EQ(other.capacity(), 1024u);
  EXPECT_TRUE(equal(other.bytes().first(124), std::span(first).last(124)));
  EXPECT_TRUE(equal(other.bytes().last(100), std::span(first).last(100)));
}

TEST_F(GrowableBufferTest, MovesToAFileBeyondTheThresholdAndStaysInPlace) {
  GrowableBuffer buffer(slab_, options());
  const auto chunk = pattern(300'000);
  for (int i = 0; i < 4; ++i) ASSERT_FALSE(buffer.append(chunk));
  EXPECT_TRUE(buffer.mapped());
  EXPECT_EQ(slab_.stats().in_use_bytes, 0u) << "the block was given back";
  const std::byte* const first = buffer.bytes().data();
  for (int i = 4; i < 40; ++i) ASSERT_FALSE(buffer.append(chunk));
  EXPECT_EQ(buffer.bytes().data(), first) << "it grows where it is";
  EXPECT_EQ(buffer.length(), 40u * 300'000);
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(equal(buffer.bytes().subspan(i * 300'000, 300'000), chunk)) << i;
  }
}

TEST_F(GrowableBufferTest, RoomCanBeWrittenInPlace) {
  GrowableBuffer buffer(slab_, options());
  std::span<std::byte> room;
  ASSERT_FALSE(buffer.reserve(10, room));
  ASSERT_GE(room.size(), 10u);
  room[0] = std::byte{1};
  room[1] = std::byte{2};
  buffer.commit(2);
  EXPECT_EQ(buffer.length(), 2u);
  EXPECT_EQ(buffer.bytes()[1], std::byte{2});
}

TEST_F(GrowableBufferTest, HoldsAtMostMaxBytes) {
  GrowableBufferOptions small = options();
  small.max_bytes = 5000;
  GrowableBuffer buffer(slab_, small);
  ASSERT_FALSE(buffer.append(pattern(4000)));
  EXPECT_EQ(buffer.append(pattern(1001)).code, EMSGSIZE);
  EXPECT_TRUE(equal(buffer.bytes(), pattern(4000)));
  ASSERT_FALSE(buffer.append(pattern(1000)));
  std::span<std::byte> room;
  ASSERT_FALSE(buffer.reserve(0, room));
  EXPECT_TRUE(room.empty());
  buffer.consume(4999);
  ASSERT_FALSE(buffer.append(pattern(4999)));
  EXPECT_EQ(buffer.length(), 5000u);
}

TEST_F(GrowableBufferTest, AnExhaustedSlabIsAnErrorAndTheBytesStay) {
  GrowableBuffer buffer(slab_, options());
  ASSERT_FALSE(buffer.append(pattern(1000)));
  const std::uint32_t all_the_rest = slab_.allocate(15 * kMiB);
  ASSERT_NE(all_the_rest, kNoBlock);
  std::vector<std::uint32_t> pages;
  for (std::uint32_t page; (page = slab_.allocate(64 << 10)) != kNoBlock;) pages.push_back(page);
  EXPECT_EQ(buffer.append(pattern(100'000)).code, ENOMEM);
  EXPECT_TRUE(equal(buffer.bytes(), pattern(1000)));
  slab_.free(all_the_rest);
  EXPECT_FALSE(buffer.append(pattern(100'000)));
}

TEST_F(GrowableBufferTest, ADirectoryThatWillNotDoIsAnErrorAndTheBytesStay) {
  for (const auto& [directory, code] :
       {std::pair{"/dev/shm", MappedFile::kMemoryFileSystem}, {"/no/such/folder", ENOENT}}) {
    GrowableBufferOptions wrong = options();
    wrong.directory = directory;
    GrowableBuffer buffer(slab_, wrong);
    ASSERT_FALSE(buffer.append(pattern(kMiB)));
    EXPECT_EQ(buffer.append(pattern(10)).code, code);
    EXPECT_FALSE(buffer.mapped());
    EXPECT_TRUE(equal(buffer.bytes(), pattern(kMiB)));
  }
}

TEST_F(GrowableBufferTest, AFullDiskIsAnErrorAndTheBytesStay) {
  GrowableBuffer buffer(slab_, options());
  const auto chunk = pattern(kMiB);
  const FileLimit limit(4 * kMiB);
  ASSERT_FALSE(buffer.append(chunk));
  SystemError error;
  while (!error) error = buffer.append(chunk);
  EXPECT_EQ(error.code, EFBIG);
  EXPECT_EQ(buffer.length(), 4 * kMiB);
  EXPECT_TRUE(equal(buffer.bytes().last(kMiB), chunk));
  buffer.consume(2 * kMiB + 100);
  EXPECT_TRUE(equal(buffer.bytes().last(kMiB), chunk));
}

// A stream: bytes pass through for ever, in a window much smaller than what has passed.
TEST_F(GrowableBufferTest, AgreesWithAPlainModel) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  std::mt19937_64 random(seed);
  for (const std::size_t threshold : {std::size_t{64}, std::size_t{5000}, kMiB}) {
    GrowableBufferOptions some = options();
    some.map_threshold_bytes = threshold;
    some.max_bytes = 2 * kMiB;
    some.initial_bytes = 1 + random() % 2000;
    GrowableBuffer buffer(slab_, some);
    std::deque<std::byte> model;
    for (int step = 0; step < 1500; ++step) {
      const std::size_t limits[] = {10, 1000, 70'000, 500'000};
      const std::size_t bytes = random() % limits[random() % (step % 500 < 490 ? 3 : 4)];
      if (random() % 2 == 0) {
        const auto chunk = pattern(bytes, static_cast<unsigned char>(random()));
        const SystemError error = buffer.append(chunk);
        ASSERT_EQ(error.code, model.size() + bytes > some.max_bytes ? EMSGSIZE : 0);
        if (!error) model.insert(model.end(), chunk.begin(), chunk.end());
      } else {
        buffer.consume(bytes);
        model.erase(model.begin(), model.begin() + std::min(bytes, model.size()));
      }
      ASSERT_EQ(buffer.length(), model.size());
      ASSERT_GE(buffer.capacity(), buffer.length());
      if (model.empty()) continue;
      ASSERT_EQ(buffer.bytes().front(), model.front());
      ASSERT_EQ(buffer.bytes().back(), model.back());
      if (step % 50 == 0) {
        const auto all = buffer.bytes();
        ASSERT_TRUE(std::equal(all.begin(), all.end(), model.begin()));
      }
    }
  }
  EXPECT_EQ(slab_.stats().in_use_bytes, 0u);
}

// A view of the bytes that remain stays good.
TEST_F(GrowableBufferTest, ConsumingFromTheFileGivesItsMemoryBackAndMovesNothing) {
  GrowableBuffer buffer(slab_, options());
  const auto chunk = pattern(kMiB);
  for (int i = 0; i < 16; ++i) ASSERT_FALSE(buffer.append(chunk));
  const std::byte* const first = buffer.bytes().data();
  buffer.consume(8 * kMiB);
  EXPECT_EQ(buffer.bytes().data(), first + 8 * kMiB);
  EXPECT_TRUE(equal(buffer.bytes().first(kMiB), chunk));
  buffer.consume(100 * kMiB);
  EXPECT_EQ(buffer.length(), 0u);
  EXPECT_TRUE(buffer.mapped());
  ASSERT_FALSE(buffer.append(chunk));
  EXPECT_TRUE(equal(buffer.bytes(), chunk));
}

}  // namespace
}  // namespace millrace
