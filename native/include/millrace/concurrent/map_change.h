#pragma once

#include <cstdint>

namespace millrace {

// When an entry that is written expires.
struct MapTtl {
  // Some 400 years: what an expiry's 44 bits hold on a machine that has been up for a century.
  static constexpr std::uint64_t kMaxMs = (std::uint64_t{1} << 44) - (std::uint64_t{1} << 42);

  enum class Kind : std::uint8_t { kNever, kKeep, kAfter };
  Kind kind = Kind::kNever;
  // For kAfter: 1 to kMaxMs.
  std::uint64_t ms = 0;

  static MapTtl never() noexcept { return {}; }
  // As the entry has it; a new one never expires.
  static MapTtl keep() noexcept { return {Kind::kKeep, 0}; }
  static MapTtl after(std::uint64_t ms) noexcept { return {Kind::kAfter, ms}; }
};

// What is to be done with an entry.
template <class Value>
struct MapChange {
  enum class Kind : std::uint8_t { kLeave, kErase, kPut, kSetTtl };
  Kind kind = Kind::kLeave;
  Value value{};
  MapTtl ttl{};

  static MapChange leave() noexcept { return {}; }
  static MapChange erase() noexcept { return {Kind::kErase, {}, {}}; }
  static MapChange put(Value value, MapTtl ttl) noexcept { return {Kind::kPut, value, ttl}; }
  static MapChange set_ttl(MapTtl ttl) noexcept { return {Kind::kSetTtl, {}, ttl}; }
};

enum class MapResult : std::uint8_t {
  kChanged,
  // The entry is not there, or not as it was asked for.
  kUnchanged,
  // No room, and nothing that may be evicted.
  kFull,
  // A key above kMaxMapKeyBytes, or an entry of more than half of the map.
  kTooLarge,
};

}  // namespace millrace
