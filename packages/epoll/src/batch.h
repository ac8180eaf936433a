#pragma once

#include <cstddef>

#include "loop_poller.h"

// Where the events of one turn of the loop lie for JavaScript: a Uint32Array of kWords elements.
//
//   element 0           how many of the events JavaScript has begun with
//   element 1 + 3 i     the descriptor of event i
//   element 2 + 3 i     its events
//   element 3 + 3 i     the number of the registration it belongs to
//
// src/native.ts gets these numbers from here.
struct Batch {
  static constexpr std::size_t kBegun = 0;
  static constexpr std::size_t kFirst = 1;
  static constexpr std::size_t kStride = 3;
  static constexpr std::size_t kWords = kFirst + kStride * LoopPoller::kBatch;
};
