// The checker of histories on such as are known to be good or bad.
#include "support/linearizability.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <initializer_list>
#include <random>
#include <vector>

#include "seed.h"
#include "support/map_history.h"

namespace {

using Kind = MapEntrySpec::Kind;
using State = MapEntrySpec::State;
using Record = MapHistory::Record;

Record get(std::int64_t begin, std::int64_t end, State seen) {
  return {begin, end, {Kind::kGet, {}, {}, false, seen}};
}
Record set(std::int64_t begin, std::int64_t end, std::uint64_t value) {
  return {begin, end, {Kind::kSet, value, {}, true, {}}};
}
Record set_if_absent(std::int64_t begin, std::int64_t end, std::uint64_t value, bool changed) {
  return {begin, end, {Kind::kSetIfAbsent, value, {}, changed, {}}};
}
Record erase(std::int64_t begin, std::int64_t end, bool changed) {
  return {begin, end, {Kind::kErase, {}, {}, changed, {}}};
}
Record compare_and_set(std::int64_t begin, std::int64_t end, State expected, std::uint64_t value,
                       bool changed) {
  return {begin, end, {Kind::kCompareAndSet, value, expected, changed, {}}};
}
Record add(std::int64_t begin, std::int64_t end, std::uint64_t sum) {
  return {begin, end, {Kind::kAdd, 1, {}, false, sum}};
}

bool holds(std::initializer_list<Record> history) {
  return MapHistory::holds(std::vector<Record>(history), std::nullopt);
}

TEST(Linearizability, HistoriesOfOneThreadAreTheirOwnOrder) {
  EXPECT_TRUE(holds({}));
  EXPECT_TRUE(holds({get(0, 1, {}), set(2, 3, 5), get(4, 5, 5), erase(6, 7, true), get(8, 9, {})}));
  EXPECT_FALSE(holds({get(0, 1, 5)}));
  EXPECT_FALSE(holds({set(0, 1, 5), get(2, 3, {})}));
  EXPECT_FALSE(holds({set(0, 1, 5), get(2, 3, 6)}));
  EXPECT_FALSE(holds({set(0, 1, 5), erase(2, 3, false)}));
  EXPECT_FALSE(holds({set(0, 1, 5), set_if_absent(2, 3, 6, true)}));
  EXPECT_FALSE(holds({set(0, 1, 5), compare_and_set(2, 3, 6, 7, true)}));
  EXPECT_FALSE(holds({set(0, 1, 5), compare_and_set(2, 3, 5, 7, false)}));
}

TEST(Linearizability, OverlappingOperationsMayComeInAnyOrder) {
  EXPECT_TRUE(holds({set(0, 10, 5), get(1, 2, {})}));
  EXPECT_TRUE(holds({set(0, 10, 5), get(1, 2, 5)}));
  EXPECT_TRUE(holds({set(0, 10, 5), set(0, 10, 6), get(11, 12, 5)}));
  EXPECT_TRUE(holds({set(0, 10, 5), set(0, 10, 6), get(11, 12, 6)}));
  EXPECT_TRUE(holds({set(0, 10, 5), erase(1, 9, true), get(2, 3, 5), get(4, 5, {})}));
  // It begins in the moment in which the other ends.
  EXPECT_TRUE(holds({set(0, 5, 5), get(5, 6, {})}));
}

TEST(Linearizability, WhatHasEndedIsSeen) {
  EXPECT_FALSE(holds({set(0, 1, 5), set(2, 3, 6), get(4, 5, 5)}));
  EXPECT_FALSE(holds({set(0, 1, 5), erase(2, 3, true), get(4, 20, 5)}));
  // New, then old, while one store is under way.
  EXPECT_FALSE(holds({set(0, 1, 5), set(2, 20, 6), get(3, 4, 6), get(5, 6, 5)}));
  // Two readers that see two stores in two orders.
  EXPECT_FALSE(holds({set(0, 20, 5), set(0, 20, 6), get(1, 2, 5), get(3, 4, 6), get(5, 6, 5)}));
}

TEST(Linearizability, OneOfTwoWins) {
  EXPECT_TRUE(holds({set_if_absent(0, 10, 5, true), set_if_absent(0, 10, 6, false)}));
  EXPECT_FALSE(holds({set_if_absent(0, 10, 5, true), set_if_absent(0, 10, 6, true)}));
  EXPECT_FALSE(holds({set_if_absent(0, 10, 5, false), set_if_absent(0, 10, 6, false)}));
  EXPECT_FALSE(holds(
      {set(0, 1, 1), compare_and_set(2, 10, 1, 2, true), compare_and_set(2, 10, 1, 3, true)}));
  EXPECT_FALSE(holds({set(0, 1, 1), erase(2, 10, true), erase(2, 10, true)}));
  EXPECT_TRUE(holds({add(0, 10, 2), add(0, 10, 1), add(0, 10, 3)}));
  EXPECT_FALSE(holds({add(0, 10, 1), add(0, 10, 1)}));
}

// Histories made from an order that is known, each operation stretched around its moment.
std::vector<Record> made_history(std::mt19937_64& random, int length) {
  std::vector<Record> history;
  State state;
  for (int i = 0; i < length; ++i) {
    const std::int64_t moment = 10 * i;
    const std::int64_t begin = moment - static_cast<std::int64_t>(random() % 40);
    const std::int64_t end = moment + static_cast<std::int64_t>(random() % 40);
    const std::uint64_t value = random() % 4;
    switch (random() % 4) {
      case 0:
        history.push_back(set(begin, end, value));
        break;
      case 1:
        history.push_back(erase(begin, end, state.has_value()));
        break;
      case 2:
        history.push_back(compare_and_set(begin, end, value, value + 1, state == value));
        break;
      default:
        history.push_back(get(begin, end, state));
    }
    state = *MapEntrySpec::apply(state, history.back().operation);
  }
  return history;
}

TEST(Linearizability, FindsAnOrderWhereOneIsHidden) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  std::mt19937_64 random(seed);
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(MapHistory::holds(made_history(random, 300), {}));
}

TEST(Linearizability, FindsTheOneReadThatFitsNowhere) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  std::mt19937_64 random(seed);
  for (int i = 0; i < 50; ++i) {
    std::vector<Record> history = made_history(random, 300);
    const auto moment = static_cast<std::int64_t>(10 * (random() % 300));
    history.push_back(get(moment, moment + 5, 99));
    EXPECT_FALSE(MapHistory::holds(history, {}));
  }
}

}  // namespace
