#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>

#include "hand_over.h"
#include "millrace/concurrent/spsc_cursor.h"
#include "millrace/concurrent/spsc_ring.h"

#if __has_include(<rigtorp/SPSCQueue.h>)
#include <rigtorp/SPSCQueue.h>
#define MILLRACE_HAS_RIGTORP
#endif
#if __has_include(<boost/lockfree/spsc_queue.hpp>)
#include <boost/lockfree/spsc_queue.hpp>
#define MILLRACE_HAS_BOOST
#endif
#if __has_include(<readerwriterqueue/readerwriterqueue.h>)
#include <readerwriterqueue/readerwriterqueue.h>
#define MILLRACE_HAS_READERWRITERQUEUE
#endif

namespace millrace_bench {
namespace {

using Word = std::uint64_t;

// What a queue of one producer and one consumer is both sides of.
template <class Side>
struct BothSides {
  explicit BothSides(std::uint32_t) {}
  Side& make_producer() { return side; }
  Side& make_consumer() { return side; }
  Side side;
};

// Slots of the caller's beside a cursor. Quiet: nobody sleeps, as with the peers; otherwise the
// other side may be asleep in a parker.
template <bool kQuiet>
struct Cursor {
  std::uint32_t push(const Word* values, std::uint32_t count) {
    const std::uint32_t room = std::min(cursor.writable(count), count);
    if (room == 0) return 0;
    const auto at = static_cast<std::uint32_t>(cursor.write_position()) & (kCapacity - 1);
    const std::uint32_t first = std::min(room, kCapacity - at);
    std::copy_n(values, first, &slots[at]);
    std::copy_n(values + first, room - first, &slots[0]);
    kQuiet ? cursor.publish_quietly(room) : static_cast<void>(cursor.publish(room));
    return room;
  }
  std::uint32_t pop(Word* values, std::uint32_t count) {
    const std::uint32_t ready = std::min(cursor.readable(count), count);
    if (ready == 0) return 0;
    const auto at = static_cast<std::uint32_t>(cursor.read_position()) & (kCapacity - 1);
    const std::uint32_t first = std::min(ready, kCapacity - at);
    std::copy_n(&slots[at], first, values);
    std::copy_n(&slots[0], ready - first, values + first);
    kQuiet ? cursor.release_quietly(ready) : cursor.release(ready);
    return ready;
  }
  millrace::SpscCursor cursor{kCapacity};
  std::unique_ptr<Word[]> slots = std::make_unique<Word[]>(kCapacity);
};

// The same, one by one.
template <bool kQuiet>
struct CursorOne {
  std::uint32_t push(const Word* values, std::uint32_t) {
    if (cursor.writable() == 0) return 0;
    slots[cursor.write_position() & (kCapacity - 1)] = *values;
    kQuiet ? cursor.publish_quietly(1) : static_cast<void>(cursor.publish(1));
    return 1;
  }
  std::uint32_t pop(Word* values, std::uint32_t) {
    if (cursor.readable() == 0) return 0;
    *values = slots[cursor.read_position() & (kCapacity - 1)];
    kQuiet ? cursor.release_quietly(1) : cursor.release(1);
    return 1;
  }
  millrace::SpscCursor cursor{kCapacity};
  std::unique_ptr<Word[]> slots = std::make_unique<Word[]>(kCapacity);
};

// Records that carry their length.
struct Ring {
  static constexpr std::uint32_t kBytes = kCapacity * 16;
  std::uint32_t push(const Word* values, std::uint32_t count) {
    const std::uint32_t done = one_by_one(values, count, [this](Word value) {
      std::byte* const room = ring.reserve(sizeof value);
      if (room == nullptr) return false;
      std::memcpy(room, &value, sizeof value);
      ring.commit(sizeof value);
      return true;
    });
    ring.publish();
    return done;
  }
  std::uint32_t pop(Word* values, std::uint32_t count) {
    const std::uint32_t done = one_by_one(values, count, [this](Word& value) {
      std::span<std::byte> record;
      if (!ring.next(record)) return false;
      std::memcpy(&value, record.data(), sizeof value);
      return true;
    });
    ring.release();
    return done;
  }
  std::unique_ptr<Word[]> memory = std::make_unique<Word[]>(kBytes / 8);
  millrace::SpscRing ring{reinterpret_cast<std::byte*>(memory.get()), kBytes};
};

void add(const char* name, void (*body)(benchmark::State&)) {
  benchmark::RegisterBenchmark(name, body)
      ->Args({1, 1})
      ->Args({1, 32})
      ->UseRealTime()
      ->MinTime(0.05);
}

#ifdef MILLRACE_HAS_RIGTORP
struct Rigtorp {
  std::uint32_t push(const Word* values, std::uint32_t count) {
    return one_by_one(values, count, [this](Word value) { return queue.try_push(value); });
  }
  std::uint32_t pop(Word* values, std::uint32_t count) {
    return one_by_one(values, count, [this](Word& value) {
      const Word* const front = queue.front();
      if (front == nullptr) return false;
      value = *front;
      queue.pop();
      return true;
    });
  }
  rigtorp::SPSCQueue<Word> queue{kCapacity};
};
#endif

#ifdef MILLRACE_HAS_BOOST
struct Boost {
  std::uint32_t push(const Word* values, std::uint32_t count) {
    return count == 1 ? queue.push(*values) : static_cast<std::uint32_t>(queue.push(values, count));
  }
  std::uint32_t pop(Word* values, std::uint32_t count) {
    return count == 1 ? queue.pop(*values) : static_cast<std::uint32_t>(queue.pop(values, count));
  }
  boost::lockfree::spsc_queue<Word> queue{kCapacity};
};
#endif

#ifdef MILLRACE_HAS_READERWRITERQUEUE
struct ReaderWriter {
  std::uint32_t push(const Word* values, std::uint32_t count) {
    return one_by_one(values, count, [this](Word value) { return queue.try_enqueue(value); });
  }
  std::uint32_t pop(Word* values, std::uint32_t count) {
    return one_by_one(values, count, [this](Word& value) { return queue.try_dequeue(value); });
  }
  moodycamel::ReaderWriterQueue<Word> queue{kCapacity};
};
#endif

const bool kAdded = [] {
  add("cursor", &hand_over<BothSides<Cursor<true>>>);
  add("cursor_wakes", &hand_over<BothSides<Cursor<false>>>);
  add("cursor_one", &hand_over<BothSides<CursorOne<true>>>);
  add("cursor_one_wakes", &hand_over<BothSides<CursorOne<false>>>);
  add("ring", &hand_over<BothSides<Ring>>);
#ifdef MILLRACE_HAS_RIGTORP
  add("rigtorp", &hand_over<BothSides<Rigtorp>>);
#endif
#ifdef MILLRACE_HAS_BOOST
  add("boost", &hand_over<BothSides<Boost>>);
#endif
#ifdef MILLRACE_HAS_READERWRITERQUEUE
  add("readerwriterqueue", &hand_over<BothSides<ReaderWriter>>);
#endif
  return true;
}();

}  // namespace
}  // namespace millrace_bench
