#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>

#include "millrace/framing/frame.h"
#include "millrace/framing/framing_options.h"

namespace millrace {

inline constexpr std::uint8_t kFixSeparator = 1;

// The tag of the data field whose length a field of this tag gives, 0 if it gives none. Only data
// fields may hold the separator. The pairs of FIX 4.0 to 5.0 SP2.
constexpr std::uint32_t fix_data_tag(std::uint32_t tag) {
  switch (tag) {
    case 90:  // SecureData
    case 95:  // RawData
    case 212:
    case 348:
    case 350:
    case 352:
    case 354:
    case 356:
    case 358:
    case 360:
    case 362:
    case 364:
    case 445:
    case 618:
    case 621:
    case 1184:
    case 1277:
    case 1280:
    case 1282:
    case 1397:
      return tag + 1;
    case 93:  // Signature
      return 89;
    default:
      return 0;
  }
}

// FIX messages: "8=FIX.4.4|9=LENGTH|...|10=SUM|", where | is the separator. The payload is the
// whole message, the parts are its fields in order ("8=FIX.4.4" first, "10=SUM" last), without the
// separator. BodyLength and CheckSum are checked, and that each field is tag=value.
class FixScanner {
 public:
  FixScanner(const FramingOptions& options, const std::uint8_t* bytes, std::uint32_t size,
             FramingState& state, std::span<Part> parts, Frame& frame, std::uint32_t& needed,
             FrameError& error)
      : options_(options),
        bytes_(bytes),
        size_(std::min(size, options.max_bytes)),
        state_(state),
        parts_(parts),
        frame_(frame),
        needed_(needed),
        error_(error) {}

  ScanResult scan() {
    if (state_.body_known == 0) {
      const ScanResult result = scan_header();
      if (result != ScanResult::kFrame) return result;
    }
    const std::uint32_t total = state_.position + state_.body_bytes + kTrailerBytes;
    if (size_ < total) return unfinished(total);
    return check_message(total);
  }

 private:
  // "8=" and a BeginString of at most 32 bytes.
  static constexpr std::uint32_t kMaxBeginBytes = 34;
  static constexpr std::uint32_t kMaxLengthDigits = 10;
  static constexpr std::uint32_t kMaxTagDigits = 9;
  // "10=000|"
  static constexpr std::uint32_t kTrailerBytes = 7;

  ScanResult fail(FrameError what, std::uint64_t detail = 0) {
    return frame_error(state_, error_, what, detail);
  }

  ScanResult unfinished(std::uint32_t least) {
    if (size_ == options_.max_bytes) return fail(FrameError::kTooLarge, size_ + 1ull);
    needed_ = std::clamp(least, size_ + 1, options_.max_bytes);
    return ScanResult::kIncomplete;
  }

  // Whether bytes_ at `at` begins with `tag` as far as there are bytes.
  bool begins(std::uint32_t at, const char (&tag)[3]) const {
    return (at >= size_ || bytes_[at] == tag[0]) && (at + 1 >= size_ || bytes_[at + 1] == tag[1]);
  }

  // kFrame: position and body_bytes are known.
  ScanResult scan_header() {
    if (state_.position == 0) {
      if (!begins(0, "8=")) return fail(FrameError::kBadHeader);
      const std::uint32_t from = std::max(state_.scanned, 2u);
      const std::uint32_t limit = std::min(size_, kMaxBeginBytes + 1);
      const void* found =
          from < limit ? std::memchr(bytes_ + from, kFixSeparator, limit - from) : nullptr;
      if (found == nullptr) {
        if (size_ > kMaxBeginBytes) return fail(FrameError::kBadHeader);
        state_.scanned = size_;
        return unfinished(size_ + 1);
      }
      state_.position =
          static_cast<std::uint32_t>(static_cast<const std::uint8_t*>(found) - bytes_) + 1;
    }
    std::uint32_t at = state_.position;
    if (!begins(at, "9=")) return fail(FrameError::kBadHeader);
    at += 2;
    const std::uint32_t digits_at = at;
    std::uint64_t length = 0;
    for (;; ++at) {
      if (at >= size_) return unfinished(at + 1);
      if (bytes_[at] == kFixSeparator && at > digits_at) break;
      const std::uint32_t digit = bytes_[at] - std::uint32_t{'0'};
      if (digit > 9 || at - digits_at == kMaxLengthDigits) return fail(FrameError::kBadHeader);
      length = length * 10 + digit;
    }
    const std::uint64_t total = at + 1 + length + kTrailerBytes;
    if (total > options_.max_bytes) return fail(FrameError::kTooLarge, total);
    state_.position = at + 1;
    state_.body_bytes = static_cast<std::uint32_t>(length);
    state_.body_known = 1;
    return ScanResult::kFrame;
  }

  ScanResult check_message(std::uint32_t total) {
    const std::uint32_t trailer = total - kTrailerBytes;
    const std::uint8_t* sum = bytes_ + trailer;
    const bool ends = bytes_[trailer - 1] == kFixSeparator && std::memcmp(sum, "10=", 3) == 0 &&
                      sum[6] == kFixSeparator;
    if (!ends) return fail(FrameError::kBadBodyLength, state_.body_bytes);

    std::uint8_t expected = 0;
    for (std::uint32_t i = 0; i < trailer; ++i)
      expected = static_cast<std::uint8_t>(expected + bytes_[i]);
    std::uint32_t given = 0;
    for (int i = 3; i < 6; ++i) {
      const std::uint32_t digit = sum[i] - std::uint32_t{'0'};
      if (digit > 9) return fail(FrameError::kBadChecksum, expected);
      given = given * 10 + digit;
    }
    if (given != expected) return fail(FrameError::kBadChecksum, expected);

    std::uint32_t fields = 0;
    std::uint32_t stopped_at = 0;
    if (!split(trailer, fields, stopped_at)) return fail(FrameError::kBadField, stopped_at);
    if (fields < parts_.size()) parts_[fields] = {trailer, kTrailerBytes - 1};
    ++fields;
    if (fields > options_.max_arguments) return fail(FrameError::kBadField, trailer);
    frame_ = {0, total, total, fields};
    if (fields > parts_.size()) return ScanResult::kPartsFull;
    state_ = {};
    return ScanResult::kFrame;
  }

  // Finds the fields of bytes_[0, end), which ends in a separator.
  bool split(std::uint32_t end, std::uint32_t& fields, std::uint32_t& at) {
    std::uint32_t data_tag = 0;
    std::uint64_t data_bytes = 0;
    while (at < end) {
      std::uint32_t tag = 0;
      const std::uint32_t value = after_tag(at, end, tag);
      if (value == 0) return false;
      std::uint32_t separator;
      if (data_tag != 0 && tag == data_tag) {
        if (value + data_bytes >= end) return false;
        separator = value + static_cast<std::uint32_t>(data_bytes);
        if (bytes_[separator] != kFixSeparator) return false;
      } else {
        const void* found = std::memchr(bytes_ + value, kFixSeparator, end - value);
        if (found == nullptr) return false;
        separator = static_cast<std::uint32_t>(static_cast<const std::uint8_t*>(found) - bytes_);
      }
      data_tag = fix_data_tag(tag);
      if (data_tag != 0 && !read_number(value, separator, data_bytes)) return false;
      if (fields < parts_.size()) parts_[fields] = {at, separator - at};
      ++fields;
      at = separator + 1;
    }
    return true;
  }

  // Where the value of the field at `at` begins, 0 if the field does not begin with "digits=".
  std::uint32_t after_tag(std::uint32_t at, std::uint32_t end, std::uint32_t& tag) const {
    const std::uint32_t start = at;
    for (; at < end && at - start <= kMaxTagDigits; ++at) {
      if (bytes_[at] == '=') return at > start ? at + 1 : 0;
      const std::uint32_t digit = bytes_[at] - std::uint32_t{'0'};
      if (digit > 9) return 0;
      tag = tag * 10 + digit;
    }
    return 0;
  }

  bool read_number(std::uint32_t from, std::uint32_t to, std::uint64_t& number) const {
    number = 0;
    if (from == to || to - from > kMaxLengthDigits) return false;
    for (; from < to; ++from) {
      const std::uint32_t digit = bytes_[from] - std::uint32_t{'0'};
      if (digit > 9) return false;
      number = number * 10 + digit;
    }
    return true;
  }

  const FramingOptions& options_;
  const std::uint8_t* bytes_;
  std::uint32_t size_;
  FramingState& state_;
  std::span<Part> parts_;
  Frame& frame_;
  std::uint32_t& needed_;
  FrameError& error_;
};

}  // namespace millrace
