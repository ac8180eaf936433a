#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>

#include "support/linearizability.h"

// One entry of a map of words, as a sequential program would see it. Keys do not depend on each
// other, so that the history of each is checked by itself.
struct MapEntrySpec {
  using State = std::optional<std::uint64_t>;

  struct HashState {
    std::size_t operator()(const State& state) const {
      return state ? std::hash<std::uint64_t>{}(*state) : ~std::size_t{0};
    }
  };

  enum class Kind : std::uint8_t { kGet, kSet, kSetIfAbsent, kErase, kCompareAndSet, kAdd };

  struct Operation {
    Kind kind;
    State argument;  // what was stored, or added
    State expected;  // of a compare-and-set
    bool changed = false;
    State seen;  // what a get found, what an add made
  };

  static std::optional<State> apply(const State& state, const Operation& operation) {
    const auto if_so = [](bool so, State next) {
      return so ? std::optional<State>(std::in_place, next) : std::nullopt;
    };
    switch (operation.kind) {
      case Kind::kGet:
        return if_so(operation.seen == state, state);
      case Kind::kSet:
        return if_so(operation.changed, operation.argument);
      case Kind::kSetIfAbsent:
        return if_so(operation.changed == !state, state ? state : operation.argument);
      case Kind::kErase:
        return if_so(operation.changed == state.has_value(), std::nullopt);
      case Kind::kCompareAndSet: {
        const bool equal = state == operation.expected;
        return if_so(operation.changed == equal, equal ? operation.argument : state);
      }
      default: {
        const State sum = state.value_or(0) + *operation.argument;
        return if_so(operation.seen == sum, sum);
      }
    }
  }
};

using MapHistory = Linearizability<MapEntrySpec>;
