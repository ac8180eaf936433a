#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace millrace {

// How long things took, in nanoseconds: 16 buckets for each doubling, so a quantile is at most 6.25
// % above the truth. Not thread-safe. 8 KiB; recording is a few instructions, a quantile reads all.
class DelayHistogram {
 public:
  // weight: how many times it is counted.
  void record(std::int64_t ns, std::uint32_t weight = 1) {
    const std::uint64_t value = ns < 0 ? 0 : static_cast<std::uint64_t>(ns);
    counts_[bucket(value)] += weight;
    total_ += weight;
    if (value > max_) max_ = value;
  }

  // The value that `share` (0 to 1) of all recordings do not exceed; 0 when there are none.
  std::uint64_t quantile(double share) const {
    auto left = static_cast<std::uint64_t>(share * static_cast<double>(total_));
    if (left < total_) ++left;
    for (std::uint32_t index = 0; index < kBuckets && total_ != 0; ++index) {
      if (counts_[index] >= left) return upper_bound(index) < max_ ? upper_bound(index) : max_;
      left -= counts_[index];
    }
    return max_;
  }

  std::uint64_t max() const { return max_; }

 private:
  static constexpr std::uint32_t kSteps = 16;
  static constexpr std::uint32_t kStepBits = 4;
  static constexpr std::uint32_t kBuckets = (64 - kStepBits + 1) * kSteps;

  static std::uint32_t bucket(std::uint64_t value) {
    if (value < kSteps) return static_cast<std::uint32_t>(value);
    const auto octave = static_cast<std::uint32_t>(std::bit_width(value)) - 1 - kStepBits;
    return (octave + 1) * kSteps + static_cast<std::uint32_t>((value >> octave) & (kSteps - 1));
  }

  // The largest value of a bucket.
  static std::uint64_t upper_bound(std::uint32_t index) {
    if (index < kSteps) return index;
    const std::uint32_t octave = index / kSteps - 1;
    return ((std::uint64_t{kSteps} + index % kSteps + 1) << octave) - 1;
  }

  std::array<std::uint64_t, kBuckets> counts_{};
  std::uint64_t total_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace millrace
