#pragma once

#include <cstddef>
#include <string_view>
#include <utility>

namespace millrace {

namespace glob_detail {

// Matches one class `[...]` at pattern[p] (the '['), and moves p behind it.
inline bool match_class(std::string_view pattern, std::size_t& p, unsigned char c) {
  ++p;
  const bool negated = p < pattern.size() && pattern[p] == '^';
  if (negated) ++p;
  bool matched = false;
  while (p < pattern.size() && pattern[p] != ']') {
    if (pattern[p] == '\\' && p + 1 < pattern.size()) {
      ++p;
      matched |= static_cast<unsigned char>(pattern[p]) == c;
      ++p;
    } else if (p + 2 < pattern.size() && pattern[p + 1] == '-') {
      unsigned char low = static_cast<unsigned char>(pattern[p]);
      unsigned char high = static_cast<unsigned char>(pattern[p + 2]);
      if (low > high) std::swap(low, high);
      matched |= c >= low && c <= high;
      p += 3;
    } else {
      matched |= static_cast<unsigned char>(pattern[p]) == c;
      ++p;
    }
  }
  if (p < pattern.size()) ++p;
  return matched != negated;
}

}  // namespace glob_detail

// Redis's glob: `*`, `?`, `[a-c]`, `[^a]`, `\` escapes. Linear memory; at most |pattern| * |text|
// steps (one level of backtracking: only the last `*` is ever retried).
inline bool glob_match(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t star_text = 0;
  for (;;) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = ++p;
      star_text = t;
      continue;
    }
    if (t == text.size()) return p == pattern.size();
    std::size_t after = p;
    bool matched = false;
    if (p < pattern.size()) {
      const unsigned char c = static_cast<unsigned char>(text[t]);
      if (pattern[p] == '?') {
        matched = true;
        ++after;
      } else if (pattern[p] == '[') {
        matched = glob_detail::match_class(pattern, after, c);
      } else {
        if (pattern[p] == '\\' && p + 1 < pattern.size()) ++after;
        matched = static_cast<unsigned char>(pattern[after]) == c;
        ++after;
      }
    }
    if (matched) {
      p = after;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star;
      t = ++star_text;
    } else {
      return false;
    }
  }
}

}  // namespace millrace
