#pragma once

#include <cstdint>

namespace millrace {

// What a TimerWheel holds of one timer, in 22 bytes: not thread-safe, owns nothing, and all zeros
// is one that was never used. The tick, the flag and the generation share ten bytes, as a tick of
// 58 bits is enough for nine million years of milliseconds; no field is wider aligned than two
// bytes.
//
//   byte  0  tick (58 bits) << 6 | live << 5 | generation >> 16
//         8  the low 16 bits of the generation
//        10  id u32, next u32, previous u32
class [[gnu::packed, gnu::aligned(2)]] TimerNode {
 public:
  static constexpr std::uint64_t kLastTick = (std::uint64_t{1} << 58) - 1;
  static constexpr std::uint32_t kLastGeneration = (1u << 21) - 1;

  // When it fires; the slot it stands in begins at or before that.
  std::uint64_t tick() const noexcept { return time_ >> kStateBits; }
  void set_tick(std::uint64_t tick) noexcept {
    time_ = tick << kStateBits | (time_ & (kLive | kHighGeneration));
  }

  // 0: never used; then 1 to kLastGeneration, changed when the timer is gone.
  std::uint32_t generation() const noexcept {
    return static_cast<std::uint32_t>(time_ & kHighGeneration) << 16 | low_generation_;
  }
  // Whether it is in use, and its generation is this.
  bool is_live(std::uint64_t generation) const noexcept {
    const std::uint64_t state = (time_ & (kLive | kHighGeneration)) << 16 | low_generation_;
    return state == (kLive << 16) + generation;
  }
  void start() noexcept {
    if (generation() == 0) low_generation_ = 1;
    time_ |= kLive;
  }
  void end() noexcept {
    const std::uint32_t last = generation();
    const std::uint32_t next = last == kLastGeneration ? 1 : last + 1;
    time_ = (time_ & ~(kLive | kHighGeneration)) | next >> 16;
    low_generation_ = static_cast<std::uint16_t>(next);
  }

 private:
  static constexpr std::uint32_t kStateBits = 6;
  static constexpr std::uint64_t kLive = 1u << 5;
  static constexpr std::uint64_t kHighGeneration = kLive - 1;

  std::uint64_t time_;
  std::uint16_t low_generation_;

 public:
  std::uint32_t id;
  std::uint32_t next;  // of one that is not in use: the next such one
  std::uint32_t previous;
};
static_assert(sizeof(TimerNode) == 22 && alignof(TimerNode) == 2);

}  // namespace millrace
