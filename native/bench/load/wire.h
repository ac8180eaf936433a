#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace millrace::bench {

// The bytes every server of the benchmark speaks.
//
// echo: 4 bytes of length, big-endian, then the payload; the reply is the same frame.
// resp: a Redis PING as an array of one bulk string; the reply is the simple string PONG.
enum class Protocol : std::uint8_t { kEcho, kResp };

inline constexpr std::uint32_t kPrefixBytes = 4;
inline constexpr std::uint32_t kPayloadBytes = 64;
inline constexpr std::uint32_t kEchoBytes = kPrefixBytes + kPayloadBytes;
inline constexpr std::string_view kPing = "*1\r\n$4\r\nPING\r\n";
inline constexpr std::string_view kPong = "+PONG\r\n";

// Answers false for a name that is no protocol.
inline bool parse_protocol(const char* name, Protocol& out) {
  if (std::strcmp(name, "echo") == 0) {
    out = Protocol::kEcho;
    return true;
  }
  if (std::strcmp(name, "resp") == 0) {
    out = Protocol::kResp;
    return true;
  }
  return false;
}

inline const char* protocol_name(Protocol protocol) {
  return protocol == Protocol::kEcho ? "echo" : "resp";
}

inline std::uint32_t read_big_endian_32(const std::uint8_t* bytes) {
  return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 |
         std::uint32_t{bytes[2]} << 8 | std::uint32_t{bytes[3]};
}

inline void write_big_endian_32(std::uint8_t* bytes, std::uint32_t value) {
  bytes[0] = static_cast<std::uint8_t>(value >> 24);
  bytes[1] = static_cast<std::uint8_t>(value >> 16);
  bytes[2] = static_cast<std::uint8_t>(value >> 8);
  bytes[3] = static_cast<std::uint8_t>(value);
}

}  // namespace millrace::bench
