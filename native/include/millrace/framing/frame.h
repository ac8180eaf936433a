#pragma once

#include <cstdint>

namespace millrace {

// An inner part of a frame: an argument of a RESP request, a field of a FIX message.
struct Part {
  std::uint32_t offset;  // from Frame::begin
  std::uint32_t length;
};

struct Frame {
  std::uint32_t begin = 0;   // of the payload, in the bytes that were scanned
  std::uint32_t length = 0;  // of the payload
  std::uint32_t end = 0;     // bytes consumed
  std::uint32_t part_count = 0;
};

enum class ScanResult : std::uint8_t {
  kFrame,       // consume frame.end bytes
  kIncomplete,  // keep the bytes, come back with more of them behind
  kPartsFull,   // the frame has frame.part_count parts: come back with room for as many
  kSkipped,     // consume frame.end bytes, which hold no message (an empty RESP request)
  kError,       // the stream is broken for good
};

// How far an unfinished frame was looked at. All zero is a fresh one. Bytes before `scanned` hold
// no end of what is looked for and are not looked at again.
struct FramingState {
  std::uint64_t detail = 0;  // with kError: the length, sum or byte that was wrong
  std::uint32_t scanned = 0;
  std::uint32_t position = 0;   // where the unfinished header, bulk or body starts
  std::uint32_t arguments = 0;  // of a RESP request, once known
  std::uint32_t arguments_left = 0;
  std::uint32_t body_bytes = 0;  // of the bulk or body at `position`
  std::uint32_t body_known = 0;  // 0 or 1
};
static_assert(sizeof(FramingState) <= 32);

// The numbers cross to JavaScript: never renumber.
enum class FrameError : std::uint8_t {
  kNone = 0,
  kTooLarge = 1,
  kBadLength = 2,
  kBadVarint = 3,
  kRequestTooLarge = 4,
  kTooManyArguments = 5,
  kInvalidMultibulkLength = 6,
  kTooBigMultibulkCount = 7,
  kExpectedBulk = 8,
  kInvalidBulkLength = 9,
  kTooBigBulkCount = 10,
  kUnterminatedBulk = 11,
  kTooBigInline = 12,
  kUnbalancedQuotes = 13,
  kBadHeader = 14,
  kBadBodyLength = 15,
  kBadChecksum = 16,
  kBadField = 17,
};
inline constexpr std::uint8_t kFrameErrors = 18;

// What a user reads. {detail} is FramingState::detail as a number, {char} as a character, {max}
// FramingOptions::max_bytes. RESP errors are worded as Redis words them, without its "-ERR ".
constexpr const char* frame_error_text(FrameError error) {
  switch (error) {
    case FrameError::kNone:
      return "";
    case FrameError::kTooLarge:
      return "Frame of {detail} bytes or more is larger than maxBytes ({max})";
    case FrameError::kBadLength:
      return "Length field of {detail} does not fit lengthAdjustment and stripBytes";
    case FrameError::kBadVarint:
      return "Length prefix is not a varint of at most 64 bits";
    case FrameError::kRequestTooLarge:
      return "Protocol error: request of {detail} bytes or more is larger than maxBytes ({max})";
    case FrameError::kTooManyArguments:
    case FrameError::kInvalidMultibulkLength:
      return "Protocol error: invalid multibulk length";
    case FrameError::kTooBigMultibulkCount:
      return "Protocol error: too big mbulk count string";
    case FrameError::kExpectedBulk:
      return "Protocol error: expected '$', got '{char}'";
    case FrameError::kInvalidBulkLength:
      return "Protocol error: invalid bulk length";
    case FrameError::kTooBigBulkCount:
      return "Protocol error: too big bulk count string";
    case FrameError::kUnterminatedBulk:
      return "Protocol error: expected CRLF after bulk";
    case FrameError::kTooBigInline:
      return "Protocol error: too big inline request";
    case FrameError::kUnbalancedQuotes:
      return "Protocol error: unbalanced quotes in request";
    case FrameError::kBadHeader:
      return "FIX message does not begin with BeginString (8=) and BodyLength (9=)";
    case FrameError::kBadBodyLength:
      return "FIX BodyLength (9={detail}) does not lead to CheckSum (10=)";
    case FrameError::kBadChecksum:
      return "FIX CheckSum (10=) is wrong: the bytes add up to {detail}";
    case FrameError::kBadField:
      return "FIX message has a field at byte {detail} that is not tag=value, or too many fields";
  }
  return "";
}

// Whether a limit was passed, rather than the protocol broken.
constexpr bool is_too_large(FrameError error) {
  return error == FrameError::kTooLarge || error == FrameError::kRequestTooLarge;
}

// For the scanners: notes what was wrong and answers kError.
inline ScanResult frame_error(FramingState& state, FrameError& error, FrameError what,
                              std::uint64_t detail = 0) {
  state.detail = detail;
  error = what;
  return ScanResult::kError;
}

}  // namespace millrace
