#pragma once

#include <array>
#include <cstdint>
#include <unordered_map>

#include "memory.h"

namespace millrace::model {

// Who read and wrote the memory that is no atomic, and when: two accesses of different threads, one
// of them a write, that nothing orders are a race, whichever came first in this execution (vector
// clocks, after FastTrack: Flanagan and Freund, PLDI 2009). Used by the checker. Costs a look-up an
// access.
class Races {
 public:
  void reset() { cells_.clear(); }

  // False: a race with an earlier write.
  bool read(const void* address, int thread, const Clock& clock) {
    Cell& cell = cells_[address];
    cell.reads[std::size_t(thread)] = clock[std::size_t(thread)];
    return all_before(cell.writes, thread, clock);
  }

  // False: a race with an earlier read or write.
  bool write(const void* address, int thread, const Clock& clock) {
    Cell& cell = cells_[address];
    const bool ordered =
        all_before(cell.reads, thread, clock) && all_before(cell.writes, thread, clock);
    cell.writes[std::size_t(thread)] = clock[std::size_t(thread)];
    return ordered;
  }

 private:
  struct Cell {
    Clock reads{};
    Clock writes{};
  };

  static bool all_before(const Clock& accesses, int thread, const Clock& clock) {
    for (std::size_t other = 0; other < kMaxThreads; ++other) {
      if (other != std::size_t(thread) && accesses[other] > clock[other]) return false;
    }
    return true;
  }

  std::unordered_map<const void*, Cell> cells_;
};

}  // namespace millrace::model
