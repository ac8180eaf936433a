#include "millrace/memory/tagged_free_list.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <set>
#include <span>
#include <vector>

namespace millrace {
namespace {

// The tag is what tells a head from the same head later; it wraps.
TEST(TaggedFreeList, WorksWhileItsTagWraps) {
  std::vector<std::atomic<std::uint32_t>> links(64);
  TaggedFreeList list;
  list.open(64, links.data(), 0xffffffffu - 100);
  std::vector<std::uint32_t> all;
  for (int i = 0; i < 64; ++i) all.push_back(list.take_unused());
  EXPECT_EQ(list.take_unused(), TaggedFreeList::kNone);
  for (int round = 0; round < 300; ++round) {
    list.give(std::span(all).first(40));
    list.give(std::span(all).subspan(40));
    ASSERT_EQ(list.listed(), 64u);
    ASSERT_EQ(list.take(std::span(all).first(10)), 10u);
    ASSERT_EQ(list.take(std::span(all).subspan(10)), 54u);
    ASSERT_EQ(std::set<std::uint32_t>(all.begin(), all.end()).size(), 64u);
    std::uint32_t none;
    ASSERT_EQ(list.take(std::span(&none, 1)), 0u);
  }
}

}  // namespace
}  // namespace millrace
