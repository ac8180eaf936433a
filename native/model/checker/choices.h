#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace millrace::model {

// The decisions of one execution, and the way to the next: a depth-first search that runs the
// program again from its start for each leaf. Used by the checker. Owns as much as the longest
// execution has decisions.
class Choices {
 public:
  void restart() { next_ = 0; }

  // 0 at first, up to count - 1 in later executions.
  std::uint32_t choose(std::size_t count) {
    if (count <= 1) return 0;
    if (next_ == taken_.size()) taken_.push_back({0, static_cast<std::uint32_t>(count)});
    return taken_[next_++].chosen;
  }

  // False: there was no other way any more.
  bool advance() {
    taken_.resize(next_);
    while (!taken_.empty() && taken_.back().chosen + 1 == taken_.back().count) taken_.pop_back();
    if (taken_.empty()) return false;
    ++taken_.back().chosen;
    return true;
  }

  void clear() {
    taken_.clear();
    next_ = 0;
  }

 private:
  struct Taken {
    std::uint32_t chosen;
    std::uint32_t count;
  };

  std::vector<Taken> taken_;
  std::size_t next_ = 0;
};

}  // namespace millrace::model
