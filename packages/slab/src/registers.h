#pragma once

#include <cstddef>
#include <cstdint>

// Where JavaScript puts the numbers of a call and finds those of its answer: 40 bytes that a thread
// shares with its addon. A store costs it a nanosecond, an argument ten and a number returned
// twenty. TypeScript takes the offsets from the addon (registers.ts), so this is the one
// definition.
//
//   byte  0  handle u32, status u32
//         8  bytes u32, offset u32
//        16  length f64
//        24  capacity f64
//        32  mapped u32, error u32
struct Registers {
  // In: which of the thread's slabs or growable buffers. Out: what became of the call.
  std::uint32_t handle;
  std::uint32_t status;
  // In: how many bytes are asked for. Out: a block's size.
  std::uint32_t bytes;
  // In and out: a block. Out: how many blocks, or where in a list the wrong one stands.
  std::uint32_t offset;
  // Out, of a growable buffer.
  double length;
  double capacity;
  std::uint32_t mapped;
  // Out: errno, where the status is kSystem.
  std::uint32_t error;
};
static_assert(sizeof(Registers) == 40 && offsetof(Registers, length) == 16);

// Numbers that TypeScript knows (registers.ts).
enum class Status : std::uint32_t {
  kOk = 0,
  kClosed = 1,
  kExhausted = 2,
  kForeign = 3,
  kDoubleFree = 4,
  // More than a growable buffer may hold.
  kTooLong = 5,
  kSystem = 6,
  // In a build for debugging: the block was freed, but bytes behind it were written.
  kOverrun = 7,
};
