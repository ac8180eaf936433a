#pragma once

#include <cstdint>
#include <span>

#include "millrace/framing/frame.h"

namespace millrace {

// Splits the line of an inline RESP request ("SET key \"a value\"") at blanks, by the rules of
// Redis: "…" knows \n \r \t \b \a \xHH and \ before anything else, '…' knows \' only, a closing
// quote must be followed by a blank or by the end.
//
// Parts are byte ranges of the line, so arguments in quotes are unescaped in place, which only ever
// makes them shorter. The line is written to only by write(), after check() has accepted it.
class InlineRequest {
 public:
  InlineRequest(std::uint8_t* line, std::uint32_t length) : line_(line), length_(length) {}

  // Counts the arguments; false if quotes are unbalanced. Fills in parts, as far as there is room.
  // Where quoted() is true afterwards they are not right until write() has been called.
  bool check(std::span<Part> parts) { return split<false>(parts); }

  // Fills in all parts and unescapes.
  // REQUIRES: check() answered true, and is not called again for the same line.
  void write(std::span<Part> parts) { split<true>(parts); }

  std::uint32_t count() const { return count_; }
  bool quoted() const { return quoted_; }

 private:
  static bool is_blank(std::uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
  // Inside of an argument Redis takes \v and \f for ordinary characters.
  static bool ends_argument(std::uint8_t c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
  }

  static int hex_digit(std::uint8_t c) {
    if (c >= '0' && c <= '9') return c - '0';
    const std::uint8_t lower = c | 0x20;
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
  }

  static std::uint8_t escaped(std::uint8_t c) {
    switch (c) {
      case 'n':
        return '\n';
      case 'r':
        return '\r';
      case 't':
        return '\t';
      case 'b':
        return '\b';
      case 'a':
        return '\a';
      default:
        return c;
    }
  }

  template <bool kWrite>
  bool split(std::span<Part> parts) {
    count_ = 0;
    std::uint32_t at = 0;
    for (;;) {
      while (at < length_ && is_blank(line_[at])) ++at;
      if (at == length_) return true;
      const std::uint32_t start = at;
      std::uint32_t out = at;
      while (at < length_ && !ends_argument(line_[at])) {
        const std::uint8_t c = line_[at];
        if (c == '"' || c == '\'') {
          quoted_ = true;
          ++at;
          const bool closed =
              c == '"' ? in_double_quotes<kWrite>(at, out) : in_single_quotes<kWrite>(at, out);
          if (!closed || (at < length_ && !is_blank(line_[at]))) return false;
          break;
        }
        put<kWrite>(out, c);
        ++at;
      }
      if (count_ < parts.size()) parts[count_] = {start, out - start};
      ++count_;
    }
  }

  template <bool kWrite>
  bool in_double_quotes(std::uint32_t& at, std::uint32_t& out) {
    while (at < length_) {
      const std::uint8_t c = line_[at];
      if (c == '"') {
        ++at;
        return true;
      }
      if (c == '\\' && at + 3 < length_ && line_[at + 1] == 'x' && hex_digit(line_[at + 2]) >= 0 &&
          hex_digit(line_[at + 3]) >= 0) {
        const int byte = hex_digit(line_[at + 2]) * 16 + hex_digit(line_[at + 3]);
        put<kWrite>(out, static_cast<std::uint8_t>(byte));
        at += 4;
      } else if (c == '\\' && at + 1 < length_) {
        put<kWrite>(out, escaped(line_[at + 1]));
        at += 2;
      } else {
        put<kWrite>(out, c);
        ++at;
      }
    }
    return false;
  }

  template <bool kWrite>
  bool in_single_quotes(std::uint32_t& at, std::uint32_t& out) {
    while (at < length_) {
      const std::uint8_t c = line_[at];
      if (c == '\'') {
        ++at;
        return true;
      }
      if (c == '\\' && at + 1 < length_ && line_[at + 1] == '\'') ++at;
      put<kWrite>(out, line_[at]);
      ++at;
    }
    return false;
  }

  template <bool kWrite>
  void put(std::uint32_t& out, std::uint8_t byte) {
    if constexpr (kWrite) line_[out] = byte;
    ++out;
  }

  std::uint8_t* line_;
  std::uint32_t length_;
  std::uint32_t count_ = 0;
  bool quoted_ = false;
};

}  // namespace millrace
