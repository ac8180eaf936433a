#pragma once

#include <cstddef>
#include <cstdint>

namespace millrace {

// Why a connection ended. The numbers cross to JavaScript (bridge_layout.h), where the names of the
// same order stand in close-reason.ts.
enum class CloseReason : std::uint8_t {
  kNone = 0,
  kPeer,
  kReset,
  kIdle,
  kFirstByte,
  kLifetime,
  kProtocol,
  kOverload,
  kSlowConsumer,
  kStuck,
  kError,
  kServer,
  kLocal,
};
inline constexpr std::size_t kCloseReasons = 13;

// Why an accepted socket, or one that could have been accepted, was turned away.
enum class RejectReason : std::uint8_t {
  kMaxConnections = 0,
  kMaxPerAddress,
  kAcceptRate,
  kDescriptors,  // EMFILE, ENFILE, or a descriptor beyond the table
  kMemory,       // ENOBUFS, ENOMEM
  kDraining,
};
inline constexpr std::size_t kRejectReasons = 6;

}  // namespace millrace
