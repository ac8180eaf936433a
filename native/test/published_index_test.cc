#include "millrace/server/published_index.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <utility>
#include <vector>

#include "seed.h"

namespace millrace {
namespace {

constexpr std::size_t kBytes = 1 << 20;
constexpr std::uint32_t kUnits = kBytes / BlockStore::kUnit;

TEST(PublishedIndex, FindsWhatWasPutUntilItIsErased) {
  PublishedIndex index;
  ASSERT_FALSE(index.open(kBytes));
  EXPECT_EQ(index.find(3, 7), kNoBlock);
  index.put(3, 7, 0);
  index.put(4, 7, 512);
  EXPECT_EQ(index.find(3, 7), 0u);
  EXPECT_EQ(index.find(4, 7), 512u);
  index.put(3, 7, 256);
  EXPECT_EQ(index.find(3, 7), 256u);
  index.erase(0);  // replaced before
  EXPECT_EQ(index.find(3, 7), 256u);
  index.erase(1024);  // never put
  index.erase(256);
  EXPECT_EQ(index.find(3, 7), kNoBlock);
  EXPECT_EQ(index.find(4, 7), 512u);
}

TEST(PublishedIndex, KeepsThePreviousBlockOfEach) {
  PublishedIndex index;
  ASSERT_FALSE(index.open(kBytes));
  for (std::uint32_t unit = 0; unit < kUnits; ++unit) index.set_previous(unit * 256, unit ^ 5);
  for (std::uint32_t unit = 0; unit < kUnits; ++unit) {
    ASSERT_EQ(index.previous(unit * 256), unit ^ 5);
  }
}

// Against a map, as full as the store allows: three quarters of the blocks.
TEST(PublishedIndex, AgreesWithAMap) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  std::mt19937_64 random(seed);
  PublishedIndex index;
  ASSERT_FALSE(index.open(kBytes));
  using Name = std::pair<std::uint32_t, std::uint64_t>;
  std::map<Name, std::uint32_t> model;
  std::vector<std::uint32_t> free;
  for (std::uint32_t unit = 0; unit < kUnits * 3 / 4; ++unit) free.push_back(unit * 256);
  for (int step = 0; step < 200'000; ++step) {
    const Name name{static_cast<std::uint32_t>(random() % 5), random() % 2000};
    const auto found = model.find(name);
    ASSERT_EQ(index.find(name.first, name.second), found == model.end() ? kNoBlock : found->second);
    if (random() % 3 != 0 && !free.empty()) {
      std::swap(free[random() % free.size()], free.back());
      const std::uint32_t block = free.back();
      free.pop_back();
      index.put(name.first, name.second, block);
      if (found != model.end()) free.push_back(found->second);
      model[name] = block;
    } else if (found != model.end()) {
      index.erase(found->second);
      free.push_back(found->second);
      model.erase(found);
    }
  }
  for (const auto& [name, block] : model) ASSERT_EQ(index.find(name.first, name.second), block);
}

}  // namespace
}  // namespace millrace
