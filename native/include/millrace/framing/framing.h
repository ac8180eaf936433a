#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "millrace/framing/delimited.h"
#include "millrace/framing/fix.h"
#include "millrace/framing/frame.h"
#include "millrace/framing/framing_options.h"
#include "millrace/framing/length_prefixed.h"
#include "millrace/framing/resp.h"

namespace millrace {

// Finds messages in a byte stream. Immutable: any thread may call next(), with a FramingState per
// stream. Owns no memory and allocates none. Costs a length-prefixed frame some nanoseconds, and
// otherwise one pass over the bytes however they are chunked.
class Framing {
 public:
  // REQUIRES: options that decode_framing() accepts.
  explicit Framing(const FramingOptions& options) : options_(options) {}

  // Finds the next frame in bytes[0, size), where bytes[0] is the first byte after the last frame
  // (or after what was skipped). As long as the answer is kIncomplete the bytes must stay, and may
  // move; `needed` then says how many bytes in all, more than `size`, the frame is known to take at
  // least, and never more than max_frame_bytes(). `state` is reset with each frame.
  //
  // Writes to `bytes` inside of a frame it answers, where a RESP inline request has arguments in
  // quotes: they are unescaped in place. After kError `state.detail` belongs to the error, and the
  // stream must not be scanned any more.
  ScanResult next(std::uint8_t* bytes, std::uint32_t size, FramingState& state,
                  std::span<Part> parts, Frame& frame, std::uint32_t& needed,
                  FrameError& error) const {
    switch (options_.kind) {
      case FramingKind::kRaw:
        return take(size == 0 ? 1 : std::min(size, options_.max_bytes), size, frame, needed);
      case FramingKind::kFixed:
        return take(options_.fixed_bytes, size, frame, needed);
      case FramingKind::kLines:
        return scan_line(options_, bytes, size, state, frame, needed, error);
      case FramingKind::kDelimiter:
        return scan_delimited(options_, bytes, size, state, frame, needed, error);
      case FramingKind::kLengthPrefixed:
        return scan_length_prefixed(options_, bytes, size, state, frame, needed, error);
      case FramingKind::kVarint:
        return scan_varint(options_, bytes, size, state, frame, needed, error);
      case FramingKind::kResp:
        return RespScanner(options_, bytes, size, state, parts, frame, needed, error).scan();
      case FramingKind::kFix:
        return FixScanner(options_, bytes, size, state, parts, frame, needed, error).scan();
    }
    return ScanResult::kIncomplete;
  }

  // Whether the bytes [0, frame.end) that next() found `frame` in are those that encoding its
  // payload would make: then an echo can send them as they are.
  bool echo_is_exact(const Frame& frame) const {
    switch (options_.kind) {
      case FramingKind::kRaw:
      case FramingKind::kFixed:
      case FramingKind::kDelimiter:
        return true;
      case FramingKind::kLines:
        return frame.end == frame.length + 1;
      case FramingKind::kLengthPrefixed:
        return options_.length_offset == 0 && options_.strip_bytes == options_.length_bytes;
      case FramingKind::kVarint:
        return frame.begin == varint_bytes(frame.length);
      case FramingKind::kResp:
      case FramingKind::kFix:
        return false;
    }
    return false;
  }

  // The most bytes that an unfinished frame can occupy, header included.
  std::uint32_t max_frame_bytes() const {
    switch (options_.kind) {
      case FramingKind::kLines:
        return options_.max_bytes + 2;
      case FramingKind::kDelimiter:
        return options_.max_bytes + options_.delimiter_bytes;
      case FramingKind::kFixed:
        return options_.fixed_bytes;
      case FramingKind::kLengthPrefixed:
        return options_.max_bytes + options_.length_offset + options_.length_bytes;
      case FramingKind::kVarint:
        return options_.max_bytes + kMaxVarintBytes;
      case FramingKind::kRaw:
      case FramingKind::kResp:
      case FramingKind::kFix:
        return options_.max_bytes;
    }
    return options_.max_bytes;
  }

  // The most parts that a frame can have.
  std::uint32_t max_parts() const {
    switch (options_.kind) {
      case FramingKind::kResp:
        // An argument takes two bytes at least: inline, "a ".
        return std::min(options_.max_arguments, std::max(options_.max_bytes / 2, 1u));
      case FramingKind::kFix:
        // The shortest field is "1=" and a separator.
        return std::min(options_.max_arguments, std::max(options_.max_bytes / 3, 1u));
      default:
        return 0;
    }
  }

  const FramingOptions& options() const { return options_; }

 private:
  static ScanResult take(std::uint32_t bytes, std::uint32_t size, Frame& frame,
                         std::uint32_t& needed) {
    if (size < bytes) {
      needed = bytes;
      return ScanResult::kIncomplete;
    }
    frame = {0, bytes, bytes, 0};
    return ScanResult::kFrame;
  }

  FramingOptions options_;
};

}  // namespace millrace
