#pragma once

#include <cstddef>
#include <cstdint>

namespace millrace {

// What a push does when as many messages wait as there is room for.
enum class FeedOverflow : std::uint8_t {
  kBlock,       // the producer waits for room
  kDropNewest,  // the message is refused
  kDropOldest,  // the oldest message that no consumer has claimed makes room
  kConflate,    // a message replaces the waiting one of its key; without such a one it is refused
  kSample,  // every sample_every-th message takes the place of the oldest, the others are refused
};

enum class FeedKeyKind : std::uint8_t { kNone, kU32, kU64, kAscii16 };

// A key of any kind in 16 bytes: a number in `low`, ascii16 as its bytes in order, padded with NUL.
struct FeedKey {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  friend bool operator==(const FeedKey&, const FeedKey&) = default;
};

struct FeedOptions {
  std::uint32_t capacity = 0;           // messages that may wait
  std::uint32_t max_message_bytes = 0;  // the largest message
  std::size_t max_bytes = 0;            // memory for message bytes, whole pages of 64 KiB
  std::uint32_t max_keys = 0;           // kConflate: keys that may wait, at most `capacity`
  std::uint32_t sample_every = 0;       // kSample
  FeedKeyKind key = FeedKeyKind::kNone;
  FeedOverflow overflow = FeedOverflow::kBlock;
  std::int64_t block_timeout_ms = -1;   // kBlock: how long a producer waits; negative: for ever
  std::int64_t warn_push_after_ns = 0;  // observers are told of pushes that take longer; 0: never
};

enum class PushResult : std::uint8_t {
  kAccepted,
  kDropped,   // by policy, and counted
  kFull,      // kBlock only: nothing happened and nothing was counted; wait for room and try again
  kClosed,    // counted as dropped
  kTooLarge,  // longer than max_message_bytes: nothing happened and nothing was counted
};

// Spreads all 32 bits (the finaliser of MurmurHash3).
constexpr std::uint32_t mix_bits(std::uint32_t value) {
  value = (value ^ value >> 16) * 0x85ebca6bu;
  value = (value ^ value >> 13) * 0xc2b2ae35u;
  return value ^ value >> 16;
}

constexpr std::uint32_t fold_bits(std::uint64_t value) {
  return static_cast<std::uint32_t>(value) ^ static_cast<std::uint32_t>(value >> 32);
}

// Which consumer a key belongs to. Of a u64 key only the low half counts: keys that must keep their
// mutual order, yet be told apart by conflation, share their low halves.
constexpr std::uint32_t shard_hash(FeedKeyKind kind, const FeedKey& key) {
  if (kind != FeedKeyKind::kAscii16) return mix_bits(static_cast<std::uint32_t>(key.low));
  return mix_bits(fold_bits(key.low) ^ mix_bits(fold_bits(key.high)));
}

// Which bucket of the key index a key belongs to: all of it counts.
constexpr std::uint32_t key_hash(const FeedKey& key) {
  return mix_bits(
      static_cast<std::uint32_t>(key.low) ^
      mix_bits(static_cast<std::uint32_t>(key.low >> 32) ^ mix_bits(fold_bits(key.high))));
}

}  // namespace millrace
