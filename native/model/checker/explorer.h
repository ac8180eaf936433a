#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <source_location>
#include <string>
#include <vector>

#include "choices.h"
#include "fiber.h"
#include "memory.h"
#include "races.h"
#include "sites.h"

namespace millrace::model {

struct Result {
  // What went wrong in the first execution in which something did, and the way there.
  std::string failure;
  std::string trace;
  std::uint64_t executions = 0;
  // Given up because they repeat others: in another order, or in another round of a loop.
  std::uint64_t cut = 0;

  bool holds() const { return failure.empty(); }
};

// What a thread does next. Two operations commute if they are of different locations, or only read.
struct Operation {
  const void* address = nullptr;  // nullptr: several
  bool writes = false;
  bool sequential = false;

  bool commutes(const Operation& other) const {
    if (address == nullptr || other.address == nullptr) return false;
    if (address != other.address) return true;
    return !writes && !other.writes && !(sequential && other.sequential);
  }
};

// Runs a program of a few threads in every way that the memory model allows: each order of their
// atomic operations up to commutation (sleep sets: Godefroid, LNCS 1032, 1996), each message that a
// load may take, each place in modification order that a store may go to. One system thread.
// Reports: failed checks, data races, and threads that sleep for ever. A failed compare_exchange is
// always one that has seen another value. A loop that sees the same again and again and changes
// nothing is cut after three rounds: somebody else has to change something first.
class Explorer {
 public:
  static Explorer& instance() {
    static Explorer explorer;
    return explorer;
  }

  // Program: made afresh for each execution; kThreads; run(thread); finish(), after all have ended.
  template <class Program>
  Result explore(std::uint64_t most_executions = 20'000'000) {
    result_ = {};
    choices_.clear();
    do {
      start_execution();
      phase_ = Phase::kSetup;
      {
        Program program;
        phase_ = Phase::kThreads;
        struct Start {
          Program* program;
          int thread;
        };
        std::array<Start, kMaxThreads> starts;
        for (int t = 0; t < Program::kThreads; ++t) {
          starts[std::size_t(t)] = {&program, t};
          threads_[std::size_t(t)].fiber.start(
              [](void* context) {
                const auto& start = *static_cast<Start*>(context);
                start.program->run(start.thread);
              },
              &starts[std::size_t(t)]);
        }
        if (run_threads(Program::kThreads)) {
          phase_ = Phase::kFinish;
          program.finish();
          ++result_.executions;
        }
        phase_ = Phase::kSetup;
      }
      if (!result_.holds()) return result_;
      if (result_.executions + result_.cut > most_executions) {
        result_.failure = "too many executions: make the program smaller";
        return result_;
      }
    } while (choices_.advance());
    if (result_.executions == 0) result_.failure = "no execution came to its end";
    return result_;
  }

  Sites& sites() { return sites_; }

  // --- What programs and their atomics call ---

  std::uint64_t load(const void* address, std::uint64_t held, std::memory_order order,
                     const std::source_location& where);
  void store(const void* address, std::uint64_t held, std::uint64_t value, std::memory_order order,
             const std::source_location& where);
  // `change(old)`: the value to store, none if the exchange fails, which some cannot. Answers what
  // was read.
  template <class Change>
  std::uint64_t modify(const void* address, std::uint64_t held, std::memory_order order,
                       std::optional<std::memory_order> on_failure,
                       const std::source_location& where, Change change);
  void plain_read(const void* address);
  void plain_write(const void* address);
  // A round of waiting. If the thread has seen nothing new since the last one, it goes on when
  // something that it looked at has changed.
  void pause();
  // As the system call, of a word whose value is below 2^32.
  void futex_wait(const void* address, std::uint32_t expected);
  void futex_wake(const void* address);
  // A new call of the checked code begins: what it sees may be what the one before saw.
  void begin_call() {
    if (phase_ == Phase::kThreads) changed();
  }
  // Ends the execution, and the exploration.
  void fail(const std::string& what);

  bool in_threads() const { return phase_ == Phase::kThreads; }

 private:
  enum class Phase { kSetup, kThreads, kFinish };

  struct Seen {
    Sites::Key site;
    int location;
    std::uint16_t number;
    int rounds;
  };
  // Code may look at the same word a few times in a row without being in a loop.
  static constexpr int kMostRounds = 3;

  struct Thread {
    Fiber fiber;
    Operation next;
    bool asleep = false;   // in a futex
    bool waiting = false;  // in pause(): for something behind what `seen` holds
    bool fresh = true;     // has seen something new, or changed something, since pause()
    std::vector<Seen> seen;
  };

  void start_execution();
  bool run_threads(int count);
  bool enabled(const Thread& thread);
  std::vector<Seen> overtaken(const Thread& thread);
  // The rounds of loops before this are others than those to come.
  void changed() {
    current().seen.clear();
    current().fresh = true;
  }
  Thread& current() { return threads_[std::size_t(running_)]; }
  // The fiber: says what it does next, and goes on when it is its turn.
  void announce(const void* address, bool writes, bool sequential);
  void cut();
  void note_load(const std::source_location& where, Kind kind, int location, std::uint16_t number);
  void note(const char* what, const void* address, std::uint64_t value, std::memory_order order,
            const std::source_location& where);

  Memory memory_;
  Races races_;
  Sites sites_;
  Choices choices_;
  std::array<Thread, kMaxThreads> threads_;
  // What waking and sleeping threads pass on through the kernel's lock.
  Memory::ThreadState futex_;
  Result result_;
  std::vector<std::string> notes_;
  Phase phase_ = Phase::kSetup;
  int running_ = 0;
  bool given_up_ = false;
  bool tracing_ = false;

 public:
  // Runs the failing execution once more, to tell how it came to that.
  template <class Program>
  Result explain() {
    tracing_ = true;
    Result result = explore<Program>();
    tracing_ = false;
    return result;
  }
};

template <class Change>
std::uint64_t Explorer::modify(const void* address, std::uint64_t held, std::memory_order order,
                               std::optional<std::memory_order> on_failure,
                               const std::source_location& where, Change change) {
  order = sites_.order_at(where, Kind::kReadModifyWrite, order);
  if (on_failure) on_failure = sites_.order_at(where, Kind::kFailedExchange, *on_failure);
  if (phase_ != Phase::kThreads) {
    Location& place = memory_.at(memory_.locate(address, held));
    std::uint64_t& value = place.messages[place.last()].value;
    const std::uint64_t old = value;
    if (const std::optional<std::uint64_t> next = change(old)) value = *next;
    return old;
  }
  announce(address, true, order == std::memory_order_seq_cst);
  const int location = memory_.locate(address, held);
  Location& place = memory_.at(location);
  // Which messages it can read, and whether that makes it succeed.
  struct Way {
    std::uint16_t number;
    bool succeeds;
  };
  std::vector<Way> ways;
  const std::size_t first = memory_.floor(running_, location, false);
  const std::size_t first_sequential = memory_.floor(running_, location, true);
  for (std::size_t i = place.order.size(); i-- > first;) {
    const std::uint16_t number = place.order[i];
    const bool succeeds = change(place.messages[number].value).has_value();
    const std::memory_order its = succeeds ? order : *on_failure;
    if (its == std::memory_order_seq_cst && i < first_sequential) continue;
    if (succeeds && place.has_successor(number)) continue;
    ways.push_back({number, succeeds});
  }
  if (ways.empty()) {
    cut();
    return 0;
  }
  const Way way = ways[choices_.choose(ways.size())];
  const std::uint64_t old = place.messages[way.number].value;
  if (!way.succeeds) {
    note_load(where, Kind::kFailedExchange, location, way.number);
    note("fails", address, old, *on_failure, where);
    return memory_.read(running_, location, way.number, *on_failure);
  }
  const std::uint64_t next = *change(old);
  memory_.read(running_, location, way.number, order);
  memory_.write(running_, location, place.positions[way.number] + std::size_t{1}, next, order,
                way.number);
  changed();
  note("changes to", address, next, order, where);
  return old;
}

}  // namespace millrace::model
