#include "millrace/concurrent/keyed_hash.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <set>
#include <vector>

namespace millrace {
namespace {

std::vector<std::byte> counting_bytes(std::size_t size) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i);
  return bytes;
}

TEST(KeyedHash, DependsOnTheSecret) {
  EXPECT_NE(KeyedHash(1).of_word(5), KeyedHash(2).of_word(5));
  EXPECT_EQ(KeyedHash(1).of_word(5), KeyedHash(1).of_word(5));
  EXPECT_NE(KeyedHash::random().of_word(5), KeyedHash::random().of_word(5));
}

TEST(KeyedHash, DependsOnEveryByteTheLengthAndTheKind) {
  const KeyedHash hash(7);
  for (std::size_t size = 0; size <= 70; ++size) {
    std::vector<std::byte> bytes = counting_bytes(size);
    std::set<std::uint64_t> seen{hash.of_bytes(bytes.data(), size, false),
                                 hash.of_bytes(bytes.data(), size, true)};
    for (std::byte& byte : bytes) {
      byte ^= std::byte{0x80};
      seen.insert(hash.of_bytes(bytes.data(), size, false));
      byte ^= std::byte{0x80};
    }
    bytes.push_back(std::byte{0});
    seen.insert(hash.of_bytes(bytes.data(), size + 1, false));
    EXPECT_EQ(seen.size(), size + 3);
  }
}

TEST(KeyedHash, SpreadsNeighboursOverAllBits) {
  const KeyedHash hash(9);
  constexpr int kWords = 4096;
  int ones[64] = {};
  for (std::uint64_t word = 0; word < kWords; ++word) {
    const std::uint64_t changed = hash.of_word(word) ^ hash.of_word(word + 1);
    for (int bit = 0; bit < 64; ++bit) ones[bit] += changed >> bit & 1;
  }
  // Half of 4096, give or take eight standard deviations.
  EXPECT_GT(*std::min_element(ones, ones + 64), kWords / 2 - 256);
  EXPECT_LT(*std::max_element(ones, ones + 64), kWords / 2 + 256);
}

}  // namespace
}  // namespace millrace
