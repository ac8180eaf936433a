#pragma once

#include <cstdint>

namespace millrace {

// The only way one stage names a connection to another: the descriptor, and the sequence number
// that the acceptor gave it. A descriptor is reused as soon as it is closed; a sequence is not (it
// wraps after 2^32 - 1 connections, and by then no stage holds a key of the same descriptor).
struct ConnectionKey {
  std::uint32_t fd = 0;
  std::uint32_t sequence = 0;  // never 0 for a live connection

  constexpr std::uint64_t packed() const {
    return (static_cast<std::uint64_t>(sequence) << 32) | fd;
  }
  static constexpr ConnectionKey unpack(std::uint64_t packed) {
    return {static_cast<std::uint32_t>(packed), static_cast<std::uint32_t>(packed >> 32)};
  }
  constexpr bool operator==(const ConnectionKey&) const = default;
};

}  // namespace millrace
