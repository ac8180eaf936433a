#pragma once

#include <cstdint>
#include <cstring>

#include "millrace/framing/frame.h"
#include "millrace/framing/framing_options.h"

namespace millrace {

inline std::uint64_t read_length(const std::uint8_t* bytes, std::uint8_t width, bool little) {
  switch (width) {
    case 1:
      return bytes[0];
    case 2: {
      std::uint16_t value;
      std::memcpy(&value, bytes, sizeof value);
      return little ? value : __builtin_bswap16(value);
    }
    case 4: {
      std::uint32_t value;
      std::memcpy(&value, bytes, sizeof value);
      return little ? value : __builtin_bswap32(value);
    }
    default: {
      std::uint64_t value;
      std::memcpy(&value, bytes, sizeof value);
      return little ? value : __builtin_bswap64(value);
    }
  }
}
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "read_length swaps for big-endian only");

// length_offset bytes, a length field, and as many bytes as it says plus length_adjustment.
inline ScanResult scan_length_prefixed(const FramingOptions& options, const std::uint8_t* bytes,
                                       std::uint32_t size, FramingState& state, Frame& frame,
                                       std::uint32_t& needed, FrameError& error) {
  const std::uint32_t header = options.length_offset + options.length_bytes;
  if (size < header) {
    needed = header;
    return ScanResult::kIncomplete;
  }
  const std::uint64_t field =
      read_length(bytes + options.length_offset, options.length_bytes, options.little_endian);
  const std::int64_t adjustment = options.length_adjustment;
  // Compared before they are added: a field of 2^64 - 1 must not wrap round to a small body.
  if (adjustment < 0 && field < static_cast<std::uint64_t>(-adjustment)) {
    return frame_error(state, error, FrameError::kBadLength, field);
  }
  const std::int64_t largest = static_cast<std::int64_t>(options.max_bytes) - adjustment;
  if (largest < 0 || field > static_cast<std::uint64_t>(largest)) {
    return frame_error(state, error, FrameError::kTooLarge, field);
  }
  const auto body = static_cast<std::uint32_t>(static_cast<std::int64_t>(field) + adjustment);
  const std::uint32_t total = header + body;
  if (options.strip_bytes > total) {
    return frame_error(state, error, FrameError::kBadLength, field);
  }
  if (size < total) {
    needed = total;
    return ScanResult::kIncomplete;
  }
  frame = {options.strip_bytes, total - options.strip_bytes, total, 0};
  return ScanResult::kFrame;
}

inline constexpr std::uint32_t kMaxVarintBytes = 10;

// A base-128 varint as of protobuf's delimited streams, and as many bytes as it says.
inline ScanResult scan_varint(const FramingOptions& options, const std::uint8_t* bytes,
                              std::uint32_t size, FramingState& state, Frame& frame,
                              std::uint32_t& needed, FrameError& error) {
  std::uint64_t length = 0;
  std::uint32_t at = 0;
  for (;;) {
    if (at == size) {
      needed = size + 1;
      return ScanResult::kIncomplete;
    }
    const std::uint8_t byte = bytes[at];
    // The tenth byte has room for the 64th bit only.
    if (at == kMaxVarintBytes - 1 && byte > 1) {
      return frame_error(state, error, FrameError::kBadVarint);
    }
    length |= std::uint64_t{byte & 0x7fu} << (7 * at);
    ++at;
    if (length > options.max_bytes) {
      return frame_error(state, error, FrameError::kTooLarge, length);
    }
    if (byte < 0x80) break;
  }
  const std::uint32_t total = at + static_cast<std::uint32_t>(length);
  if (size < total) {
    needed = total;
    return ScanResult::kIncomplete;
  }
  frame = {at, static_cast<std::uint32_t>(length), total, 0};
  return ScanResult::kFrame;
}

// Bytes of the shortest varint of `value`.
constexpr std::uint32_t varint_bytes(std::uint64_t value) {
  std::uint32_t bytes = 1;
  for (; value >= 0x80; value >>= 7) ++bytes;
  return bytes;
}

}  // namespace millrace
