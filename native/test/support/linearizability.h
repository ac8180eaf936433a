#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <unordered_set>
#include <vector>

// Whether a recorded history can be explained by its operations having happened one after another,
// each at some moment between its begin and its end. Algorithm: Wing and Gong, "Testing and
// Verifying Concurrent Objects" (1993), with Lowe's memory of what has been tried, "Testing for
// Linearizability" (2017). Not thread-safe. Costs a few steps an operation for histories that are
// linearizable; exponential in the number of threads at worst.
//
// Spec: `State` (comparable, with a hash in `HashState`), `Operation` (what was asked and what was
// answered), `static std::optional<State> apply(const State&, const Operation&)`: the state after
// it, none if it could not have answered so.
template <class Spec>
class Linearizability {
 public:
  using State = typename Spec::State;

  struct Record {
    std::int64_t begin;
    std::int64_t end;  // equal to another's begin: the two overlap
    typename Spec::Operation operation;
  };

  static bool holds(std::vector<Record> history, const State& initial) {
    std::sort(history.begin(), history.end(),
              [](const Record& a, const Record& b) { return a.begin < b.begin; });
    return Linearizability(std::move(history)).search(initial);
  }

 private:
  // What has been put in order so far, and the state after it.
  struct Tried {
    std::vector<std::uint64_t> done;
    State state;
    bool operator==(const Tried&) const = default;
  };
  struct HashTried {
    std::size_t operator()(const Tried& tried) const {
      std::size_t hash = typename Spec::HashState{}(tried.state);
      for (const std::uint64_t word : tried.done) hash = hash * 0x9e3779b97f4a7c15u + word;
      return hash;
    }
  };
  // A choice of the search: `chosen` came next, in `state`; `first` was the first not yet in order.
  struct Step {
    std::size_t chosen;
    std::size_t first;
    State state;
  };

  explicit Linearizability(std::vector<Record> history)
      : history_(std::move(history)), done_((history_.size() + 63) / 64) {}

  bool search(State state) {
    std::vector<Step> steps;
    std::size_t first = 0;
    std::size_t candidate = 0;
    for (;;) {
      while (first < history_.size() && is_done(first)) ++first;
      if (first == history_.size()) return true;
      candidate = std::max(candidate, first);
      std::optional<State> next;
      while (candidate < history_.size() && may_come_next(first, candidate)) {
        if (!is_done(candidate)) {
          next = Spec::apply(state, history_[candidate].operation);
          if (next) {
            flip(candidate);
            if (tried_.insert({done_, *next}).second) break;
            flip(candidate);
            next.reset();
          }
        }
        ++candidate;
      }
      if (next) {
        steps.push_back({candidate, first, state});
        state = *next;
        candidate = 0;
        continue;
      }
      if (steps.empty()) return false;
      flip(steps.back().chosen);
      candidate = steps.back().chosen + 1;
      first = steps.back().first;
      state = steps.back().state;
      steps.pop_back();
    }
  }

  // Nothing that is still to come had ended before it began.
  bool may_come_next(std::size_t first, std::size_t candidate) const {
    for (std::size_t i = first; i < candidate; ++i) {
      if (!is_done(i) && history_[i].end < history_[candidate].begin) return false;
    }
    return true;
  }

  bool is_done(std::size_t i) const { return (done_[i / 64] >> i % 64 & 1) != 0; }
  void flip(std::size_t i) { done_[i / 64] ^= std::uint64_t{1} << i % 64; }

  std::vector<Record> history_;
  std::vector<std::uint64_t> done_;
  std::unordered_set<Tried, HashTried> tried_;
};
