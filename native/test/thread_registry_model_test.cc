// The entry of a part (ThreadRegistry::enter) against its suspension, on a machine that keeps
// stores in a buffer for as long as it likes, as x86-64 does: every interleaving there is. This is
// about the protocol; a test of the code hardly ever sees a store that is late.
#include <gtest/gtest.h>

#include <set>
#include <tuple>
#include <vector>

namespace {

enum class Barrier { kSuspenderOnly, kBoth };

// What can be different between two moments. The owner's buffer holds the last store that memory
// has not seen: -1 for none, else what it stores to `busy`.
struct State {
  int owner = 0;      // 0: store busy  1: load key  2: inside, store busy back  3: out
  int suspender = 0;  // 0: store key  1: barrier  2: wait for busy  3: inside  4: done
  int busy = 0;
  int key = 1;
  int buffer = -1;
  auto tie() const { return std::tie(owner, suspender, busy, key, buffer); }
  bool operator<(const State& other) const { return tie() < other.tie(); }
};

std::vector<State> successors(const State& state, Barrier barrier) {
  std::vector<State> next;
  const auto step = [&](auto change) {
    State copy = state;
    change(copy);
    next.push_back(copy);
  };
  // The machine: the buffered store reaches memory at any time.
  if (state.buffer != -1) {
    step([](State& s) { s.busy = s.buffer, s.buffer = -1; });
  }
  switch (state.owner) {
    case 0:
      step([](State& s) { s.buffer = 1, s.owner = 1; });
      break;
    case 1:
      step([](State& s) { s.owner = s.key == 1 ? 2 : 3; });
      break;
    case 2:
      // A buffer keeps the order of stores; a second one waits for the first.
      if (state.buffer == -1) {
        step([](State& s) { s.buffer = 0, s.owner = 3; });
      }
      break;
    default:
      break;
  }
  switch (state.suspender) {
    case 0:
      // A locked instruction: its own store is in memory at once.
      step([](State& s) { s.key = 0, s.suspender = 1; });
      break;
    case 1:
      // membarrier() runs a barrier on the owner's core: its buffer is empty afterwards.
      step([barrier](State& s) {
        if (barrier == Barrier::kBoth && s.buffer != -1) s.busy = s.buffer, s.buffer = -1;
        s.suspender = 2;
      });
      break;
    case 2:
      if (state.busy == 0) {
        step([](State& s) { s.suspender = 3; });
      }
      break;
    case 3:
      step([](State& s) { s.suspender = 4; });
      break;
    default:
      break;
  }
  return next;
}

bool both_can_be_inside(Barrier barrier) {
  std::set<State> seen;
  std::vector<State> open{State{}};
  while (!open.empty()) {
    const State state = open.back();
    open.pop_back();
    if (!seen.insert(state).second) continue;
    if (state.owner == 2 && state.suspender == 3) return true;
    for (const State& next : successors(state, barrier)) open.push_back(next);
  }
  return false;
}

TEST(ThreadRegistryModel, OwnerAndSuspenderAreNeverBothInside) {
  EXPECT_FALSE(both_can_be_inside(Barrier::kBoth));
}

TEST(ThreadRegistryModel, WithoutTheOwnersBarrierTheyCanBe) {
  EXPECT_TRUE(both_can_be_inside(Barrier::kSuspenderOnly));
}

}  // namespace
