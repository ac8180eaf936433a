#include "millrace/framing/framing_options.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>

namespace millrace {
namespace {

using Words = std::array<std::uint32_t, kFramingWords>;

constexpr Words kValid = {static_cast<std::uint32_t>(FramingKind::kLengthPrefixed),
                          1000,
                          1,
                          1,
                          7,
                          8,
                          3,
                          0xffff'fffe,
                          11,
                          5,
                          6,
                          0x6463'6261,
                          0x6665,
                          0,
                          0};

TEST(FramingOptions, AreDecodedWordForWord) {
  FramingOptions options;
  ASSERT_TRUE(decode_framing(kValid, options));
  EXPECT_EQ(options.kind, FramingKind::kLengthPrefixed);
  EXPECT_EQ(options.max_bytes, 1000u);
  EXPECT_TRUE(options.strip);
  EXPECT_TRUE(options.little_endian);
  EXPECT_EQ(options.fixed_bytes, 7u);
  EXPECT_EQ(options.length_bytes, 8);
  EXPECT_EQ(options.length_offset, 3u);
  EXPECT_EQ(options.length_adjustment, -2);
  EXPECT_EQ(options.strip_bytes, 11u);
  EXPECT_EQ(options.max_arguments, 5u);
  EXPECT_EQ(options.delimiter_bytes, 6);
  EXPECT_EQ(std::memcmp(options.delimiter, "abcdef\0", 7), 0);
}

TEST(FramingOptions, WordsOutOfRangeAreRefused) {
  const std::pair<std::size_t, std::uint32_t> wrong[] = {
      {0, 8},
      {1, 0},
      {1, kMaxFrameBytes + 1},
      {2, 2},
      {3, 2},
      {5, 3},
      {5, 16},
      {6, kMaxHeaderOffset + 1},
      {9, 0},
      {9, kMaxArguments + 1},
      {10, 17},
      {7, 0x8000'0000},
      {7, 0x7fff'ffff},
      {8, 0xffff'ffff},
      {4, 0xffff'ffff},
  };
  for (const auto& [index, value] : wrong) {
    Words words = kValid;
    words[index] = value;
    FramingOptions options;
    options.max_bytes = 77;
    EXPECT_FALSE(decode_framing(words, options)) << index << " = " << value;
    EXPECT_EQ(options.max_bytes, 77u);
  }
  FramingOptions options;
  EXPECT_FALSE(decode_framing(std::span(kValid).first(kFramingWords - 1), options));
}

TEST(FramingOptions, AKindNeedsItsOwnOption) {
  FramingOptions options;
  Words words = kValid;
  words[0] = static_cast<std::uint32_t>(FramingKind::kFixed);
  words[4] = 0;
  EXPECT_FALSE(decode_framing(words, options));
  words = kValid;
  words[0] = static_cast<std::uint32_t>(FramingKind::kDelimiter);
  words[10] = 0;
  EXPECT_FALSE(decode_framing(words, options));
}

}  // namespace
}  // namespace millrace
