#include "millrace/server/glob.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "seed.h"

namespace millrace {
namespace {

TEST(Glob, MatchesAsRedisDoes) {
  EXPECT_TRUE(glob_match("", ""));
  EXPECT_FALSE(glob_match("", "a"));
  EXPECT_TRUE(glob_match("*", ""));
  EXPECT_TRUE(glob_match("*", "anything"));
  EXPECT_TRUE(glob_match("**", ""));
  EXPECT_TRUE(glob_match("h?llo", "hello"));
  EXPECT_FALSE(glob_match("h?llo", "hllo"));
  EXPECT_TRUE(glob_match("h*llo", "heeeello"));
  EXPECT_TRUE(glob_match("tick:*", "tick:BTCUSDT"));
  EXPECT_FALSE(glob_match("tick:*", "tic:BTCUSDT"));
  EXPECT_TRUE(glob_match("*:*:c", "a:b:b:c"));
  EXPECT_FALSE(glob_match("a*b", "ac"));
}

TEST(Glob, ReadsClasses) {
  EXPECT_TRUE(glob_match("h[ae]llo", "hallo"));
  EXPECT_FALSE(glob_match("h[ae]llo", "hillo"));
  EXPECT_TRUE(glob_match("h[^e]llo", "hallo"));
  EXPECT_FALSE(glob_match("h[^e]llo", "hello"));
  EXPECT_TRUE(glob_match("[a-c]1", "b1"));
  EXPECT_TRUE(glob_match("[c-a]1", "b1")) << "a range the wrong way round counts";
  EXPECT_FALSE(glob_match("[a-c]1", "d1"));
  EXPECT_TRUE(glob_match("[a-]", "a")) << "to the ], as in Redis";
  EXPECT_TRUE(glob_match("[\\]]", "]"));
  EXPECT_FALSE(glob_match("[]", "a"));
  EXPECT_TRUE(glob_match("[abc", "b")) << "an unclosed class ends with the pattern";
  EXPECT_TRUE(glob_match("[\xf0-\xff]", "\xf8")) << "bytes are not signed";
}

TEST(Glob, EscapesTakeTheNextCharacterToTheLetter) {
  EXPECT_TRUE(glob_match("a\\*b", "a*b"));
  EXPECT_FALSE(glob_match("a\\*b", "axb"));
  EXPECT_TRUE(glob_match("a\\?", "a?"));
  EXPECT_TRUE(glob_match("\\[x]", "[x]"));
  EXPECT_TRUE(glob_match("a\\", "a\\")) << "a last backslash is itself";
}

TEST(Glob, ManyStarsStayLinearInEachByte) {
  std::string pattern;
  for (int i = 0; i < 64; ++i) pattern += "a*";
  pattern += "b";
  const std::string text(64 * 1024, 'a');
  EXPECT_FALSE(glob_match(pattern, text));
}

// The definition, without any cleverness.
bool matches_slowly(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] == '*') {
    for (std::size_t i = 0; i <= text.size(); ++i) {
      if (matches_slowly(pattern.substr(1), text.substr(i))) return true;
    }
    return false;
  }
  if (text.empty()) return false;
  if (pattern[0] == '?') return matches_slowly(pattern.substr(1), text.substr(1));
  if (pattern[0] == '[') {
    std::size_t p = 0;
    const bool matched = glob_detail::match_class(pattern, p, static_cast<unsigned char>(text[0]));
    return matched && matches_slowly(pattern.substr(p), text.substr(1));
  }
  if (pattern[0] == '\\' && pattern.size() > 1) pattern.remove_prefix(1);
  return pattern[0] == text[0] && matches_slowly(pattern.substr(1), text.substr(1));
}

TEST(Glob, AgreesWithItsDefinition) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  std::mt19937_64 random(seed);
  const std::string_view alphabet = "ab*?[]^-\\";
  for (int i = 0; i < 50'000; ++i) {
    std::string pattern;
    std::string text;
    for (std::uint64_t n = random() % 8; n > 0; --n)
      pattern += alphabet[random() % alphabet.size()];
    for (std::uint64_t n = random() % 8; n > 0; --n) text += alphabet[random() % 2];
    ASSERT_EQ(glob_match(pattern, text), matches_slowly(pattern, text)) << pattern << " " << text;
  }
}

}  // namespace
}  // namespace millrace
