#pragma once

#include <cstddef>
#include <cstdint>

// Where JavaScript puts the numbers of a call and finds those of its answer: 72 bytes that a thread
// shares with its addon. A store costs it a nanosecond, an argument ten and a number returned
// twenty. TypeScript takes the offsets from the addon (registers.ts), so this is the one
// definition.
//
//   byte  0  map u32, status u32
//         8  condition u32, ttl u32
//        16  ttl_ms f64
//        24  key u64
//        32  value: u64, i64 or f64
//        40  expected: as value
//        48  number f64
//        56  count u32, bytes u32
//        64  pool_offset u32, flag u32
struct Registers {
  // In: which of the thread's maps. Out: what became of the call.
  std::uint32_t map;
  std::uint32_t status;
  // In: when to write, and until when it is to live.
  std::uint32_t condition;
  std::uint32_t ttl;
  double ttl_ms;
  // In: a key of 64 bits (a string is an argument).
  std::uint64_t key;
  // In and out: a value of 64 bits (others are arguments).
  std::uint64_t value;
  std::uint64_t expected;
  // In: a cursor. Out: a cursor, a size, a time to live.
  double number;
  // In: how many keys to scan; where in a target a value of bytes goes. Out: its length.
  std::uint32_t count;
  std::uint32_t bytes;
  // In: where in the pool such a value goes.
  std::uint32_t pool_offset;
  // In: whether an expected value is given; whether a scan is to answer values.
  std::uint32_t flag;
};
static_assert(sizeof(Registers) == 72 && offsetof(Registers, value) == 32);

// Numbers that TypeScript knows (registers.ts compares them at load).
enum class Status : std::uint32_t {
  kUnchanged = 0,
  kDone = 1,
  kFull = 2,
  kTooLarge = 3,
  // A value of bytes does not fit into the pool or the target: nothing done, its length in `bytes`.
  kNeedsRoom = 4,
  kClosed = 5,
  // The sum does not fit 64 bits.
  kOverflow = 6,
};
enum class Condition : std::uint32_t { kAlways = 0, kIfAbsent = 1, kIfPresent = 2 };
enum class Ttl : std::uint32_t { kNever = 0, kKeep = 1, kAfter = 2 };
