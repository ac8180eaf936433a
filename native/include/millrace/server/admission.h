#pragma once

#include <atomic>
#include <cstdint>

namespace millrace {

// Admits a key to a stage's queue at most once, so that a queue with one slot for each connection
// can never be full and no edge is ever lost. One word for each descriptor and stage:
//
//      admit()            begin()            finish()
//   idle ─────▶ queued ─────────▶ running ─────────────▶ idle
//                                   │ admit()              ▲
//                                   ▼                      │ the caller pushes the key again
//                                 again ── finish() ──▶ queued
//
// The word belongs to the descriptor, not to the connection: a key that was queued for an earlier
// connection of the same descriptor keeps its place, and the stage that pops it serves the
// descriptor's present connection (see Receiver::step and Sender::step).
//
// Every operation is a sequentially consistent read-modify-write (or load): whoever admits has
// published its reason before, by a sequentially consistent read-modify-write or in the kernel (a
// plain store may still be on its way when admit() looks and changes nothing), and finds either
// `queued`/`again`, in which case the stage reads that reason after begin(), or pushes the key
// itself.
class Admission {
 public:
  // Any thread. True: the caller pushes the key.
  bool admit() noexcept {
    std::uint8_t state = word_.load(std::memory_order_seq_cst);
    for (;;) {
      std::uint8_t next;
      switch (state) {
        case kIdle:
          next = kQueued;
          break;
        case kRunning:
          next = kAgain;
          break;
        default:
          return false;
      }
      // Pairs with the exchanges of begin() and finish().
      if (word_.compare_exchange_weak(state, next, std::memory_order_seq_cst))
        return next == kQueued;
    }
  }

  // The stage's thread, on popping the key.
  void begin() noexcept { word_.exchange(kRunning, std::memory_order_seq_cst); }

  // The stage's thread, when it is done. True: admitted again meanwhile, the caller pushes the key.
  bool finish() noexcept {
    std::uint8_t state = kRunning;
    if (word_.compare_exchange_strong(state, kIdle, std::memory_order_seq_cst)) return false;
    word_.exchange(kQueued, std::memory_order_seq_cst);
    return true;
  }

  // The stage's thread: more work is known to be there (a spent budget). The caller pushes the key.
  void requeue() noexcept { word_.exchange(kQueued, std::memory_order_seq_cst); }

 private:
  enum : std::uint8_t { kIdle, kQueued, kRunning, kAgain };
  std::atomic<std::uint8_t> word_{kIdle};
};

}  // namespace millrace
