#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>

#include "millrace/framing/frame.h"
#include "millrace/framing/framing_options.h"
#include "millrace/framing/inline_request.h"

namespace millrace {

// Requests of the Redis protocol (RESP2): "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", or a line of words. The
// payload is the whole request, the parts are its arguments. Empty requests are skipped, as Redis
// does. Replies are not a framing of their own: "+OK" is an inline request of one word.
//
// Where it differs from Redis: max_bytes is for a whole request, not for an argument; the CRLF
// behind a bulk is checked; a NUL in an inline request is a character like any other.
class RespScanner {
 public:
  RespScanner(const FramingOptions& options, std::uint8_t* bytes, std::uint32_t size,
              FramingState& state, std::span<Part> parts, Frame& frame, std::uint32_t& needed,
              FrameError& error)
      : options_(options),
        bytes_(bytes),
        // What lies beyond the largest request is not looked at: then it makes no difference
        // whether the bytes came in one chunk or in many.
        size_(std::min(size, options.max_bytes)),
        state_(state),
        parts_(parts),
        frame_(frame),
        needed_(needed),
        error_(error) {}

  ScanResult scan() {
    if (size_ == 0) return unfinished(1);
    return bytes_[0] == '*' ? scan_array() : scan_inline();
  }

 private:
  static constexpr std::uint32_t kMaxLineBytes = 64 * 1024;
  // "$0\r\n\r\n"
  static constexpr std::uint64_t kMinArgumentBytes = 6;

  enum class Header : std::uint8_t { kWhole, kUnfinished, kTooLong, kInvalid };

  ScanResult fail(FrameError what, std::uint64_t detail = 0) {
    return frame_error(state_, error_, what, detail);
  }

  // `least` bytes are what the request is known to need.
  ScanResult unfinished(std::uint64_t least) {
    if (size_ == options_.max_bytes) return fail(FrameError::kRequestTooLarge, size_ + 1ull);
    needed_ =
        static_cast<std::uint32_t>(std::clamp<std::uint64_t>(least, size_ + 1, options_.max_bytes));
    return ScanResult::kIncomplete;
  }

  ScanResult skip(std::uint32_t bytes) {
    frame_ = {0, 0, bytes, 0};
    state_ = {};
    return ScanResult::kSkipped;
  }

  ScanResult scan_inline() {
    const std::uint32_t limit = std::min(size_, kMaxLineBytes + 2);
    const void* found = limit > state_.scanned
                            ? std::memchr(bytes_ + state_.scanned, '\n', limit - state_.scanned)
                            : nullptr;
    if (found == nullptr) {
      if (size_ > kMaxLineBytes && !(size_ == kMaxLineBytes + 1 && bytes_[size_ - 1] == '\r')) {
        return fail(FrameError::kTooBigInline);
      }
      state_.scanned = size_;
      return unfinished(size_ + 1);
    }
    const auto newline =
        static_cast<std::uint32_t>(static_cast<const std::uint8_t*>(found) - bytes_);
    const std::uint32_t length = newline > 0 && bytes_[newline - 1] == '\r' ? newline - 1 : newline;
    if (length > kMaxLineBytes) return fail(FrameError::kTooBigInline);

    InlineRequest request(bytes_, length);
    if (!request.check(parts_)) return fail(FrameError::kUnbalancedQuotes);
    if (request.count() == 0) return skip(newline + 1);
    if (request.count() > options_.max_arguments) return fail(FrameError::kTooManyArguments);
    frame_ = {0, newline + 1, newline + 1, request.count()};
    if (request.count() > parts_.size()) {
      state_.scanned = newline;
      return ScanResult::kPartsFull;
    }
    if (request.quoted()) request.write(parts_);
    state_ = {};
    return ScanResult::kFrame;
  }

  ScanResult scan_array() {
    if (state_.arguments != 0) [[unlikely]]
      return resume_array();
    std::int64_t count;
    std::uint32_t end;
    switch (read_header(0, count, end)) {
      case Header::kUnfinished:
        return unfinished(size_ + 1);
      case Header::kTooLong:
        return fail(FrameError::kTooBigMultibulkCount);
      case Header::kInvalid:
        return fail(FrameError::kInvalidMultibulkLength);
      case Header::kWhole:
        break;
    }
    if (count <= 0) return skip(end);
    if (count > options_.max_arguments) return fail(FrameError::kTooManyArguments);
    const auto arguments = static_cast<std::uint32_t>(count);
    const std::uint64_t least = end + kMinArgumentBytes * arguments;
    if (least > options_.max_bytes) return fail(FrameError::kRequestTooLarge, least);
    return scan_arguments({.position = end, .arguments = arguments, .left = arguments});
  }

  // The parts of earlier calls are gone: once all is there the headers are walked again.
  ScanResult resume_array() {
    const ScanResult result = scan_arguments({.position = state_.position,
                                              .arguments = state_.arguments,
                                              .left = state_.arguments_left,
                                              .body = state_.body_bytes,
                                              .body_known = state_.body_known != 0});
    return result == ScanResult::kFrame ? scan_array() : result;
  }

  // How far into a request the walk has come.
  struct Walk {
    std::uint32_t position;
    std::uint32_t arguments;
    std::uint32_t left;
    std::uint32_t body = 0;
    bool body_known = false;
  };

  // kFrame: all arguments are there, and those that this call came past are in parts_.
  ScanResult scan_arguments(Walk walk) {
    while (walk.left > 0) {
      if (!walk.body_known) {
        if (walk.position == size_) {
          return suspend(walk, walk.position + kMinArgumentBytes * walk.left);
        }
        if (bytes_[walk.position] != '$') {
          return fail(FrameError::kExpectedBulk, bytes_[walk.position]);
        }
        std::int64_t value;
        std::uint32_t behind;
        switch (read_header(walk.position, value, behind)) {
          case Header::kUnfinished:
            return suspend(walk, walk.position + kMinArgumentBytes * walk.left);
          case Header::kTooLong:
            return fail(FrameError::kTooBigBulkCount);
          case Header::kInvalid:
            return fail(FrameError::kInvalidBulkLength);
          case Header::kWhole:
            break;
        }
        if (value < 0 || value > options_.max_bytes) return fail(FrameError::kInvalidBulkLength);
        walk.position = behind;
        walk.body = static_cast<std::uint32_t>(value);
        walk.body_known = true;
      }
      const std::uint64_t end = std::uint64_t{walk.position} + walk.body + 2;
      const std::uint64_t least = end + kMinArgumentBytes * (walk.left - 1);
      if (least > options_.max_bytes) return fail(FrameError::kRequestTooLarge, least);
      if (end > size_) return suspend(walk, least);
      if (bytes_[end - 2] != '\r' || bytes_[end - 1] != '\n') {
        return fail(FrameError::kUnterminatedBulk);
      }
      const std::uint32_t index = walk.arguments - walk.left;
      if (index < parts_.size()) parts_[index] = {walk.position, walk.body};
      walk.position = static_cast<std::uint32_t>(end);
      walk.body_known = false;
      --walk.left;
    }
    frame_ = {0, walk.position, walk.position, walk.arguments};
    state_ = {};
    return walk.arguments > parts_.size() ? ScanResult::kPartsFull : ScanResult::kFrame;
  }

  ScanResult suspend(const Walk& walk, std::uint64_t least) {
    state_.scanned = std::max(state_.scanned, walk.position);
    state_.position = walk.position;
    state_.arguments = walk.arguments;
    state_.arguments_left = walk.left;
    state_.body_bytes = walk.body;
    state_.body_known = walk.body_known ? 1 : 0;
    return unfinished(least);
  }

  // The number in the header line that starts with a type byte at `at`; `end` is behind its CRLF.
  Header read_header(std::uint32_t at, std::int64_t& value, std::uint32_t& end) {
    // Nearly every header: a few digits, and all of it there.
    if (state_.scanned <= at + 1) [[likely]] {
      const std::uint32_t stop = std::min(size_, at + 10);
      std::uint32_t i = at + 1;
      std::uint32_t number = 0;
      while (i < stop) {
        const std::uint32_t digit = bytes_[i] - std::uint32_t{'0'};
        if (digit > 9) break;
        number = number * 10 + digit;
        ++i;
      }
      const bool canonical = i == at + 2 || (i > at + 2 && bytes_[at + 1] != '0');
      if (canonical && i + 1 < size_ && bytes_[i] == '\r' && bytes_[i + 1] == '\n') [[likely]] {
        value = number;
        end = i + 2;
        return Header::kWhole;
      }
    }
    return read_unusual_header(at, value, end);
  }

  // Negative, longer than nine digits, wrong, or not all there.
  [[gnu::noinline]] Header read_unusual_header(std::uint32_t at, std::int64_t& value,
                                               std::uint32_t& end) {
    const std::uint32_t from = std::max(state_.scanned, at + 1);
    const std::uint32_t limit = std::min(size_, at + kMaxLineBytes + 1);
    const void* found = from < limit ? std::memchr(bytes_ + from, '\r', limit - from) : nullptr;
    if (found == nullptr) {
      state_.scanned = size_;
      return size_ - at > kMaxLineBytes ? Header::kTooLong : Header::kUnfinished;
    }
    const auto cr = static_cast<std::uint32_t>(static_cast<const std::uint8_t*>(found) - bytes_);
    if (cr + 1 == size_) {
      state_.scanned = cr;
      return Header::kUnfinished;
    }
    end = cr + 2;
    const bool valid = bytes_[cr + 1] == '\n' && parse_integer(at + 1, cr, value);
    return valid ? Header::kWhole : Header::kInvalid;
  }

  // Decimal as Redis writes it: no plus sign, no blanks, no leading zeros, 64 bits.
  bool parse_integer(std::uint32_t from, std::uint32_t to, std::int64_t& value) const {
    const bool negative = from < to && bytes_[from] == '-';
    if (negative) ++from;
    if (from == to || to - from > 19) return false;
    if (bytes_[from] == '0' && (negative || to - from > 1)) return false;
    std::uint64_t number = 0;
    for (; from < to; ++from) {
      const std::uint32_t digit = bytes_[from] - std::uint32_t{'0'};
      if (digit > 9) return false;
      number = number * 10 + digit;
    }
    constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    if (number > kMax + (negative ? 1 : 0)) return false;
    value = static_cast<std::int64_t>(negative ? 0 - number : number);
    return true;
  }

  const FramingOptions& options_;
  std::uint8_t* bytes_;
  std::uint32_t size_;
  FramingState& state_;
  std::span<Part> parts_;
  Frame& frame_;
  std::uint32_t& needed_;
  FrameError& error_;
};

}  // namespace millrace
