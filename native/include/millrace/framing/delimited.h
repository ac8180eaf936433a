#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "millrace/framing/frame.h"
#include "millrace/framing/framing_options.h"

namespace millrace {

// Lines: up to '\n', which is not part of the payload, nor is a '\r' before it.
inline ScanResult scan_line(const FramingOptions& options, const std::uint8_t* bytes,
                            std::uint32_t size, FramingState& state, Frame& frame,
                            std::uint32_t& needed, FrameError& error) {
  // The longest line is max_bytes, '\r' and '\n': nothing is looked for beyond.
  const std::uint32_t limit = std::min(size, options.max_bytes + 2);
  const void* found = limit > state.scanned
                          ? std::memchr(bytes + state.scanned, '\n', limit - state.scanned)
                          : nullptr;
  if (found != nullptr) {
    const auto line = static_cast<std::uint32_t>(static_cast<const std::uint8_t*>(found) - bytes);
    const std::uint32_t length = line > 0 && bytes[line - 1] == '\r' ? line - 1 : line;
    if (length > options.max_bytes) {
      return frame_error(state, error, FrameError::kTooLarge, options.max_bytes + 1);
    }
    frame = {0, length, line + 1, 0};
    state = {};
    return ScanResult::kFrame;
  }
  const bool fits =
      size <= options.max_bytes || (size == options.max_bytes + 1 && bytes[size - 1] == '\r');
  if (!fits) return frame_error(state, error, FrameError::kTooLarge, options.max_bytes + 1);
  state.scanned = size;
  needed = size + 1;
  return ScanResult::kIncomplete;
}

// A delimiter of 1 to 16 bytes. Looks for its last byte and then compares what stands before it:
// so each byte is passed once even where a chunk ends inside of a delimiter.
inline ScanResult scan_delimited(const FramingOptions& options, const std::uint8_t* bytes,
                                 std::uint32_t size, FramingState& state, Frame& frame,
                                 std::uint32_t& needed, FrameError& error) {
  const std::uint32_t mark = options.delimiter_bytes;
  const std::uint8_t last = options.delimiter[mark - 1];
  const std::uint32_t limit = std::min(size, options.max_bytes + mark);
  std::uint32_t from = std::max(state.scanned, mark - 1);
  while (from < limit) {
    const void* found = std::memchr(bytes + from, last, limit - from);
    if (found == nullptr) break;
    const auto at = static_cast<std::uint32_t>(static_cast<const std::uint8_t*>(found) - bytes);
    const std::uint32_t length = at + 1 - mark;
    if (mark == 1 || std::memcmp(bytes + length, options.delimiter, mark - 1) == 0) {
      frame = {0, options.strip ? length : at + 1, at + 1, 0};
      state = {};
      return ScanResult::kFrame;
    }
    from = at + 1;
  }
  if (size >= options.max_bytes + mark) {
    return frame_error(state, error, FrameError::kTooLarge, options.max_bytes + 1);
  }
  state.scanned = size;
  needed = std::max(size + 1, mark);
  return ScanResult::kIncomplete;
}

}  // namespace millrace
