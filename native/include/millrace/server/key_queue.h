#pragma once

#include <cstdint>
#include <span>

#include "millrace/base/parker.h"
#include "millrace/concurrent/mpmc_queue.h"
#include "millrace/server/connection_key.h"

namespace millrace {

// Where a stage puts keys for another stage. On one thread it may be the other stage itself;
// between threads it is a KeyQueue.
class KeySink {
 public:
  virtual void push(ConnectionKey key) = 0;  // the key was admitted: this cannot fail
  virtual void wake() = 0;                   // after a batch of pushes

 protected:
  ~KeySink() = default;
};

// A queue of admitted keys and the parker of the thread that pops them. It has as many slots as
// there are descriptors, and Admission lets each in once, so a push always finds room.
class KeyQueue final : public KeySink {
 public:
  KeyQueue(std::uint32_t descriptors, Parker& parker) : keys_(descriptors), parker_(parker) {}

  static std::size_t bytes(std::uint32_t descriptors) {
    return MpmcQueue<std::uint64_t>::bytes(descriptors);
  }

  void push(ConnectionKey key) override { keys_.push_assured(key.packed()); }
  void wake() override { parker_.unpark(); }

  std::uint32_t pop(std::span<std::uint64_t> keys) { return keys_.try_pop_many(keys); }
  bool can_pop() const { return keys_.can_pop(); }

  std::uint32_t capacity() const { return keys_.capacity(); }
  std::uint32_t depth() const { return keys_.size(); }
  std::uint32_t high_water() const { return keys_.high_water(); }
  std::uint64_t passed() const { return keys_.passed(); }

 private:
  MpmcQueue<std::uint64_t> keys_;
  Parker& parker_;
};

}  // namespace millrace
