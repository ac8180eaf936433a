#include "millrace/server/address_counts.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include "seed.h"

namespace millrace {
namespace {

std::unique_ptr<Connection> from(std::uint32_t address, std::uint8_t family = AF_INET) {
  auto connection = std::make_unique<Connection>();
  connection->family = family;
  std::memcpy(connection->peer_ip, &address, sizeof address);
  return connection;
}

TEST(AddressCounts, RefusesOneMoreThanTheLimit) {
  AddressCounts counts(2, 8);
  const auto a = from(1);
  const auto b = from(2);
  EXPECT_TRUE(counts.enter(*a));
  EXPECT_TRUE(counts.enter(*a));
  EXPECT_FALSE(counts.enter(*a));
  EXPECT_TRUE(counts.enter(*b));
  counts.leave(*a);
  EXPECT_TRUE(counts.enter(*a));
  EXPECT_FALSE(counts.enter(*a));
}

TEST(AddressCounts, NoLimitAndUnixSocketsAreNotCounted) {
  AddressCounts off(0, 8);
  AddressCounts counts(1, 8);
  const auto inet = from(1);
  const auto local = from(0, AF_UNIX);
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(off.enter(*inet));
    EXPECT_TRUE(counts.enter(*local));
  }
  off.leave(*inet);
  counts.leave(*local);
  EXPECT_EQ(AddressCounts::bytes(0, 8), 0u);
}

TEST(AddressCounts, ALeaveWithoutAnEnterChangesNothing) {
  AddressCounts counts(1, 8);
  const auto a = from(1);
  counts.leave(*from(7));
  EXPECT_TRUE(counts.enter(*a));
  counts.leave(*from(7));
  EXPECT_FALSE(counts.enter(*a));
}

// Entries move when their neighbours go: none may be lost, at any filling.
TEST(AddressCounts, KeepsExactCountsOverEntriesThatComeAndGo) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  std::mt19937_64 random(seed);
  constexpr std::uint32_t kLimit = 3;
  constexpr std::size_t kMost = 64;
  AddressCounts counts(kLimit, kMost);
  std::map<std::uint32_t, std::uint32_t> model;
  std::vector<std::uint32_t> live;
  for (int i = 0; i < 100'000; ++i) {
    if (live.size() < kMost && (live.empty() || random() % 2 == 0)) {
      // One address is all zeros, as an empty entry is.
      const auto address = static_cast<std::uint32_t>(random() % 40);
      const bool expected = model[address] < kLimit;
      ASSERT_EQ(counts.enter(*from(address)), expected) << address;
      if (!expected) continue;
      ++model[address];
      live.push_back(address);
    } else {
      const std::size_t index = random() % live.size();
      counts.leave(*from(live[index]));
      --model[live[index]];
      live[index] = live.back();
      live.pop_back();
    }
  }
}

}  // namespace
}  // namespace millrace
