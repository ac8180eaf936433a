#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

namespace millrace::model {

inline constexpr int kMaxThreads = 4;
inline constexpr int kMaxLocations = 48;

// Of each location: the number of the message a thread has seen at least, or is told of.
using View = std::array<std::uint16_t, kMaxLocations>;
// Of each thread: how far it was when it released what the owner has acquired.
using Clock = std::array<std::uint32_t, kMaxThreads>;

// One store to an atomic, and what whoever acquires it is told.
struct Message {
  std::uint64_t value = 0;
  View view{};
  Clock clock{};
  // A read-modify-write read the one before it: nothing can come between the two.
  bool adjacent = false;
};

// An atomic: its messages by number (the order they were made in), and their modification order,
// which is another one when a store goes before one that was made earlier.
struct Location {
  const void* address = nullptr;
  std::vector<Message> messages;
  std::vector<std::uint16_t> order;      // numbers
  std::vector<std::uint16_t> positions;  // by number
  // The last in modification order that a sequentially consistent operation read or made.
  std::uint16_t sequential = 0;

  std::uint16_t last() const { return order.back(); }
  bool has_successor(std::uint16_t number) const {
    const std::size_t next = positions[number] + std::size_t{1};
    return next < order.size() && messages[order[next]].adjacent;
  }
  std::uint16_t later(std::uint16_t a, std::uint16_t b) const {
    return positions[a] < positions[b] ? b : a;
  }
  // Makes a message at a place in modification order.
  std::uint16_t insert(std::size_t position, std::uint64_t value, bool adjacent) {
    const auto number = static_cast<std::uint16_t>(messages.size());
    messages.emplace_back();
    messages.back().value = value;
    messages.back().adjacent = adjacent;
    order.insert(order.begin() + static_cast<std::ptrdiff_t>(position), number);
    positions.push_back(0);
    for (std::size_t i = position; i < order.size(); ++i) {
      positions[order[i]] = static_cast<std::uint16_t>(i);
    }
    return number;
  }
};

inline bool acquires(std::memory_order order) {
  return order == std::memory_order_acquire || order == std::memory_order_acq_rel ||
         order == std::memory_order_seq_cst || order == std::memory_order_consume;
}
inline bool releases(std::memory_order order) {
  return order == std::memory_order_release || order == std::memory_order_acq_rel ||
         order == std::memory_order_seq_cst;
}

// The memory of one execution, by the rules of C++20 in the form of a machine with views
// (after Kang et al., "A Promising Semantics for Relaxed-Memory Concurrency", POPL 2017, without
// promises): a load takes any message of its location that is not before what its thread has seen,
// a store goes to any place of the modification order behind that. What release and acquire order
// is passed on as views; read-modify-writes continue the release sequence they read from. The order
// of sequentially consistent operations is that of the execution: each one of them acts on its
// location at or behind the last. Not modelled: fences, consume (taken as acquire), and loads that
// take values of stores not yet made, which C++ allows on paper for relaxed operations.
class Memory {
 public:
  struct ThreadState {
    View view{};
    Clock clock{};
  };

  void reset() {
    for (int i = 0; i < count_; ++i) {
      Location& location = locations_[static_cast<std::size_t>(i)];
      location.messages.clear();
      location.order.clear();
      location.positions.clear();
      location.sequential = 0;
    }
    count_ = 0;
    threads = {};
    for (std::size_t t = 0; t < kMaxThreads; ++t) threads[t].clock[t] = 1;
  }

  // The number of the atomic that lies there; what is not known yet is made, with this value.
  int locate(const void* address, std::uint64_t value) {
    for (int i = 0; i < count_; ++i) {
      if (locations_[static_cast<std::size_t>(i)].address == address) return i;
    }
    if (count_ == kMaxLocations) std::abort();
    Location& made = locations_[static_cast<std::size_t>(count_)];
    made.address = address;
    made.insert(0, value, false);
    return count_++;
  }

  Location& at(int location) { return locations_[static_cast<std::size_t>(location)]; }

  // The first place in modification order that the thread may act at.
  std::size_t floor(int thread, int location, bool sequential) {
    Location& where = at(location);
    const std::uint16_t seen = threads[std::size_t(thread)].view[std::size_t(location)];
    const std::uint16_t from = sequential ? where.later(seen, where.sequential) : seen;
    return where.positions[from];
  }

  std::uint64_t read(int thread, int location, std::uint16_t number, std::memory_order order) {
    Location& where = at(location);
    ThreadState& reader = threads[std::size_t(thread)];
    see(reader.view, location, number);
    if (acquires(order)) {
      join(reader.view, where.messages[number].view);
      join(reader.clock, where.messages[number].clock);
    }
    if (order == std::memory_order_seq_cst) {
      where.sequential = where.later(where.sequential, number);
    }
    return where.messages[number].value;
  }

  // `read_from`: of a read-modify-write, the number of the message it read; -1: a plain store.
  void write(int thread, int location, std::size_t position, std::uint64_t value,
             std::memory_order order, int read_from) {
    Location& where = at(location);
    ThreadState& writer = threads[std::size_t(thread)];
    const std::uint16_t number = where.insert(position, value, read_from >= 0);
    see(writer.view, location, number);
    Message& message = where.messages[number];
    if (read_from >= 0) {
      message.view = where.messages[std::size_t(read_from)].view;
      message.clock = where.messages[std::size_t(read_from)].clock;
    }
    message.view[std::size_t(location)] = number;
    if (releases(order)) {
      join(message.view, writer.view);
      join(message.clock, writer.clock);
      ++writer.clock[std::size_t(thread)];
    }
    if (order == std::memory_order_seq_cst) where.sequential = number;
  }

  void see(View& view, int location, std::uint16_t number) {
    std::uint16_t& seen = view[std::size_t(location)];
    seen = at(location).later(seen, number);
  }
  void join(View& into, const View& from) {
    for (int i = 0; i < count_; ++i) see(into, i, from[std::size_t(i)]);
  }
  static void join(Clock& into, const Clock& from) {
    for (std::size_t t = 0; t < kMaxThreads; ++t) into[t] = std::max(into[t], from[t]);
  }

  std::array<ThreadState, kMaxThreads> threads;

 private:
  std::array<Location, kMaxLocations> locations_;
  int count_ = 0;
};

}  // namespace millrace::model
