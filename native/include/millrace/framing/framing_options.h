#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace millrace {

// The numbers cross to JavaScript and are part of the layout below: never renumber.
enum class FramingKind : std::uint8_t {
  kRaw,
  kLines,
  kDelimiter,
  kFixed,
  kLengthPrefixed,
  kVarint,
  kResp,
  kFix,
};

inline constexpr std::uint32_t kMaxFrameBytes = 1u << 30;
inline constexpr std::uint32_t kMaxDelimiterBytes = 16;
inline constexpr std::uint32_t kMaxHeaderOffset = 1u << 16;
inline constexpr std::uint32_t kMaxArguments = 1024 * 1024;

struct FramingOptions {
  FramingKind kind = FramingKind::kRaw;

  // kResp, kFix: of the whole request or message. Otherwise: of what follows the header, without
  // the delimiter. At most kMaxFrameBytes.
  std::uint32_t max_bytes = 1u << 20;

  // kDelimiter.
  std::uint8_t delimiter[kMaxDelimiterBytes] = {};
  std::uint8_t delimiter_bytes = 0;
  bool strip = true;

  // kFixed.
  std::uint32_t fixed_bytes = 0;

  // kLengthPrefixed. The bytes after the length field are its value plus length_adjustment.
  std::uint8_t length_bytes = 4;
  bool little_endian = false;
  std::uint32_t length_offset = 0;
  std::int32_t length_adjustment = 0;
  std::uint32_t strip_bytes = 4;  // taken off the front of what is handed out

  // kResp: arguments of a request. kFix: fields of a message.
  std::uint32_t max_arguments = kMaxArguments;
};

// How options come from JavaScript, in 32-bit words:
//
//    0  kind             4  fixed_bytes        8  strip_bytes
//    1  max_bytes        5  length_bytes       9  max_arguments
//    2  strip            6  length_offset     10  delimiter_bytes
//    3  little_endian    7  length_adjustment 11  delimiter, 16 bytes in 4 words, first byte lowest
inline constexpr std::size_t kFramingWords = 15;

// False, and `options` untouched, if the words are not the options of any framing.
inline bool decode_framing(std::span<const std::uint32_t> words, FramingOptions& options) {
  if (words.size() != kFramingWords) return false;
  if (words[0] > static_cast<std::uint32_t>(FramingKind::kFix)) return false;
  const auto kind = static_cast<FramingKind>(words[0]);
  const bool valid_length = words[5] == 1 || words[5] == 2 || words[5] == 4 || words[5] == 8;
  const auto adjustment = static_cast<std::int32_t>(words[7]);
  const auto max_adjustment = static_cast<std::int32_t>(kMaxFrameBytes);
  if (words[1] == 0 || words[1] > kMaxFrameBytes) return false;
  if (words[2] > 1 || words[3] > 1) return false;
  if (words[4] > kMaxFrameBytes || (kind == FramingKind::kFixed && words[4] == 0)) return false;
  if (!valid_length || words[6] > kMaxHeaderOffset) return false;
  if (adjustment < -max_adjustment || adjustment > max_adjustment) return false;
  if (words[8] > kMaxFrameBytes) return false;
  if (words[9] == 0 || words[9] > kMaxArguments) return false;
  if (words[10] > kMaxDelimiterBytes || (kind == FramingKind::kDelimiter && words[10] == 0)) {
    return false;
  }

  FramingOptions decoded;
  decoded.kind = kind;
  decoded.max_bytes = words[1];
  decoded.strip = words[2] != 0;
  decoded.little_endian = words[3] != 0;
  decoded.fixed_bytes = words[4];
  decoded.length_bytes = static_cast<std::uint8_t>(words[5]);
  decoded.length_offset = words[6];
  decoded.length_adjustment = adjustment;
  decoded.strip_bytes = words[8];
  decoded.max_arguments = words[9];
  decoded.delimiter_bytes = static_cast<std::uint8_t>(words[10]);
  for (std::uint32_t i = 0; i < kMaxDelimiterBytes; ++i) {
    decoded.delimiter[i] = static_cast<std::uint8_t>(words[11 + i / 4] >> (i % 4 * 8));
  }
  options = decoded;
  return true;
}

}  // namespace millrace
