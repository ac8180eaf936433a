#include "millrace/memory/page_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

#include "seed.h"

namespace millrace {
namespace {

class PagePoolTest : public testing::Test {
 protected:
  void open(std::uint32_t pages) {
    memory_.assign(PagePool::bytes(pages) / sizeof(std::uint64_t), 0);
    pool_.open(pages, memory_.data());
  }
  std::vector<std::uint64_t> memory_;
  PagePool pool_;
};

TEST_F(PagePoolTest, GivesEachPageOnceLowestFirst) {
  open(130);
  for (std::uint32_t page = 0; page < 130; ++page) ASSERT_EQ(pool_.take_page(), page);
  EXPECT_EQ(pool_.take_page(), PagePool::kNoPage);
  pool_.give(77, 1);
  EXPECT_EQ(pool_.free_pages(), 1u);
  EXPECT_EQ(pool_.take_page(), 77u);
}

TEST_F(PagePoolTest, FindsRunsFromTheTop) {
  open(200);
  EXPECT_EQ(pool_.take_run(3), 197u);
  EXPECT_EQ(pool_.take_run(130), 67u);
  EXPECT_EQ(pool_.take_run(68), PagePool::kNoPage);
  EXPECT_EQ(pool_.take_run(67), 0u);
  EXPECT_EQ(pool_.free_pages(), 0u);
}

TEST_F(PagePoolTest, WholeAndLargestPoolsAreOneRun) {
  for (const std::uint32_t pages : {1u, 63u, 64u, 65u, PagePool::kMaxPages}) {
    open(pages);
    EXPECT_EQ(pool_.take_run(pages + 1), PagePool::kNoPage);
    EXPECT_EQ(pool_.take_run(pages), 0u);
    pool_.give(0, pages);
    EXPECT_EQ(pool_.free_pages(), pages);
  }
}

TEST_F(PagePoolTest, PagesThatHoldMemoryGoFirst) {
  open(200);
  const std::uint32_t run = pool_.take_run(10);
  EXPECT_EQ(run, 190u);
  pool_.give(run, 10);
  for (std::uint32_t i = 0; i < 10; ++i) EXPECT_EQ(pool_.take_page(), 190 + i);
  EXPECT_EQ(pool_.committed_pages(), 10u);
  EXPECT_EQ(pool_.take_page(), 0u);
}

// Against one flag for each page.
TEST_F(PagePoolTest, AgreesWithAPlainModel) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  std::mt19937_64 random(seed);
  const std::uint32_t pages = 64 + static_cast<std::uint32_t>(random() % 400);
  open(pages);
  std::vector<bool> taken(pages, false);
  std::vector<bool> committed(pages, false);
  std::vector<std::pair<std::uint32_t, std::uint32_t>> runs;
  for (int round = 0; round < 20'000; ++round) {
    const auto choice = random() % 100;
    if (choice < 50) {
      const std::uint32_t count = random() % 3 == 0 ? 1 + random() % 40 : 1;
      const std::uint32_t first = count == 1 ? pool_.take_page() : pool_.take_run(count);
      std::uint32_t longest = 0;
      for (std::uint32_t page = 0, length = 0; page < pages; ++page) {
        length = taken[page] ? 0 : length + 1;
        longest = std::max(longest, length);
      }
      ASSERT_EQ(first != PagePool::kNoPage, longest >= count);
      if (first == PagePool::kNoPage) continue;
      for (std::uint32_t page = first; page < first + count; ++page) {
        ASSERT_FALSE(taken[page]);
        taken[page] = committed[page] = true;
      }
      runs.emplace_back(first, count);
    } else if (choice < 99) {
      if (runs.empty()) continue;
      std::swap(runs[random() % runs.size()], runs.back());
      const auto [first, count] = runs.back();
      runs.pop_back();
      for (std::uint32_t page = first; page < first + count; ++page) taken[page] = false;
      pool_.give(first, count);
    } else {
      pool_.trim([&](std::uint32_t first, std::uint32_t count) {
        for (std::uint32_t page = first; page < first + count; ++page) {
          ASSERT_TRUE(!taken[page] && committed[page]);
          committed[page] = false;
        }
      });
      ASSERT_EQ(committed, taken);
    }
    ASSERT_EQ(pool_.free_pages(), std::count(taken.begin(), taken.end(), false));
    ASSERT_EQ(pool_.committed_pages(), std::count(committed.begin(), committed.end(), true));
  }
}

}  // namespace
}  // namespace millrace
