#pragma once

#include <cstdint>

namespace millrace {

// The memory that a worker's JavaScript reads and writes directly. This is the one definition: the
// addon hands these numbers to TypeScript, which refuses to start when its own differ
// (ERR_LAYOUT_MISMATCH). All fields are u32 in native order; offsets are bytes from the start of
// the arena.
//
// Inbound descriptor, 32 bytes (receiver to worker), in a ring of `capacity` of them:
//
//     0        4          8        12       16           20        24          28
//    ┌────────┬──────────┬────────┬────────┬────────────┬─────────┬───────────┬────────┐
//    │ fd     │ sequence │ offset │ length │ kind       │ parts   │ partCount │ block  │
//    └────────┴──────────┴────────┴────────┴────────────┴─────────┴───────────┴────────┘
//    message: payload at [offset, offset + length); parts: offset of partCount pairs of u32
//             (offset from the payload's start, length); bit 8 of kind: the framed bytes in the
//             arena, [offset - before, offset + length + after), are what send() would write.
//    close:   length = CloseReason.
//    end:     length = FrameError, 0 for a plain end of input, kFrameIncomplete for one in the
//    middle
//             of a frame; parts and partCount are the low and high half of the error's detail.
//
// Outbound operation, 32 bytes (worker to sender), in a list that one native call hands over:
//
//     0        4          8        12       16           20        24          28
//    ┌────────┬──────────┬────────┬────────┬────────────┬─────────┬───────────┬────────┐
//    │ fd     │ sequence │ offset │ length │ kind       │ a       │ b         │ block  │
//    └────────┴──────────┴────────┴────────┴────────────┴─────────┴───────────┴────────┘
//    write:    bytes [offset, offset + length) of `block`: the output block or an inbound one. Bit
//    8
//              of kind: wants a drain event.
//    end:      a = CloseReason.   activate: a = subscription index, b = its generation.
//    publish:  [offset, …) holds {topicBytes, payloadBytes, keyLow, keyHigh, flags} as u32, the
//              topic, the payload; fd and sequence name the publisher to be left out (0: nobody).
//
// Control words, u32, one block of kControlWords for each worker:
//
//     0 running    the ring position of the descriptor being handled, written before each; the one
//                  before the batch until then
//     1 outMark    operations that stood in the list when it began
//     2 state      1 while JavaScript is inside a batch
//     3 failed     messages that failed, modulo 2^32 (handler threw, or never settled)
//     4 held       messages whose async handler has not settled, or that wait behind one
//     5 handled    messages that were handled, modulo 2^32
//     6 outBlock   the output block, 7 its size, 8 bytes of it in use
//     9 opCount    operations in the list that were not handed over yet
//    10 resultA, 11 resultB   second and third results of a native call
//    12 dropped    messages that came for a connection which had ended, modulo 2^32
//    13 outMarkBytes  length of the last of those operations when it began: it may have grown since
// Beside the FrameErrors of the framing: input ended inside a frame.
inline constexpr std::uint32_t kFrameIncomplete = 255;

struct InboundDescriptor {
  std::uint32_t fd;
  std::uint32_t sequence;
  std::uint32_t offset;
  std::uint32_t length;
  std::uint32_t kind;
  std::uint32_t parts;
  std::uint32_t part_count;
  std::uint32_t block;
};
static_assert(sizeof(InboundDescriptor) == 32);

enum InboundKind : std::uint32_t {
  kInMessage = 0,
  kInOpen = 1,
  kInClose = 2,
  kInDrain = 3,
  kInEnd = 4,        // no more messages: the peer's end of input, or a broken frame
  kInServerEnd = 5,  // the server closes gracefully
  kInReopen = 6,
  kInExactEcho = 1 << 8,
  kInParked = 1 << 9,  // set by the addon: the frame lives on, see Consumer::park()
};

struct OutboundOperation {
  std::uint32_t fd;
  std::uint32_t sequence;
  std::uint32_t offset;
  std::uint32_t length;
  std::uint32_t kind;
  std::uint32_t a;
  std::uint32_t b;
  std::uint32_t block;
};
static_assert(sizeof(OutboundOperation) == 32);

enum OutboundKind : std::uint32_t {
  kOutWrite = 0,
  kOutEnd = 1,
  kOutPublish = 2,
  kOutActivate = 3,
  kOutWantsDrain = 1 << 8,
};

struct PublishHeader {
  std::uint32_t topic_bytes;
  std::uint32_t payload_bytes;
  std::uint32_t key_low;
  std::uint32_t key_high;
  std::uint32_t flags;
};
static_assert(sizeof(PublishHeader) == 20);

enum ControlWord : std::uint32_t {
  kControlRunning = 0,
  kControlOutMark = 1,
  kControlState = 2,
  kControlFailed = 3,
  kControlHeld = 4,
  kControlHandled = 5,
  kControlOutBlock = 6,
  kControlOutBlockBytes = 7,
  kControlOutUsed = 8,
  kControlOpCount = 9,
  kControlResultA = 10,
  kControlResultB = 11,
  kControlDropped = 12,
  kControlOutMarkBytes = 13,
};
inline constexpr std::uint32_t kControlWords = 16;
inline constexpr std::uint32_t kOperationListCapacity = 1024;

}  // namespace millrace
