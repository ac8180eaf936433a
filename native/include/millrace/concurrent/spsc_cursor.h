#pragma once

#include <atomic>
#include <cstdint>

#include "millrace/base/cache_line.h"

namespace millrace {

// The index protocol of a ring with one producer and one consumer; the slots are elsewhere (often
// in memory shared with JavaScript) and slot i is `position & mask()`. One thread calls the
// producer's members, one the consumer's; the last group is for anybody. Owns two cache lines, one
// a side. Constant time; the other side's line is read only when the remembered index does not
// suffice.
//
// Positions count slots since the start and never wrap in practice (63 bits; the last one of the
// producer's says that it is closed); all `capacity` slots are usable.
class SpscCursor {
 public:
  // REQUIRES: capacity is a power of two, 1 to 2^31; start below 2^62.
  explicit SpscCursor(std::uint32_t capacity, std::uint64_t start = 0) noexcept
      : producer_{start, start, capacity}, consumer_{start, start, capacity} {}
  SpscCursor(const SpscCursor&) = delete;
  SpscCursor& operator=(const SpscCursor&) = delete;

  // Producer: slots that may be written from write_position() on. Looks at the consumer's index
  // only if fewer than `wanted` are known to be free; the answer may be below what is really free,
  // but not below `wanted` if that many are.
  std::uint32_t writable(std::uint32_t wanted = 1) noexcept {
    const std::uint64_t position = write_position();
    std::uint32_t room = producer_.capacity - distance(producer_.seen, position);
    if (room < wanted) {
      // Seq_cst: pairs with release(), also as the second look after a "paused" announcement.
      producer_.seen = consumer_.position.load(std::memory_order_seq_cst);
      room = producer_.capacity - distance(producer_.seen, position);
    }
    return room;
  }

  std::uint64_t write_position() const noexcept {
    return producer_.position.load(std::memory_order_relaxed) & ~kClosed;
  }

  // Producer: hands over the next `count` slots; false, and does not, if closed. REQUIRES: count <=
  // writable().
  bool publish(std::uint32_t count) noexcept {
    std::uint64_t open = write_position();
    // Seq_cst read-modify-write: pairs with readable(), also as the look after the consumer has
    // announced its sleep (Parker::unpark_published).
    return producer_.position.compare_exchange_strong(open, open + count, std::memory_order_seq_cst,
                                                      std::memory_order_relaxed);
  }

  // Consumer: slots that may be read from read_position() on; see writable().
  std::uint32_t readable(std::uint32_t wanted = 1) noexcept {
    const std::uint64_t position = read_position();
    std::uint32_t ready = distance(position, consumer_.seen);
    if (ready < wanted) {
      // Seq_cst: pairs with publish().
      consumer_.seen = producer_.position.load(std::memory_order_seq_cst);
      ready = distance(position, consumer_.seen);
    }
    return ready;
  }

  std::uint64_t read_position() const noexcept {
    return consumer_.position.load(std::memory_order_relaxed);
  }

  // Consumer: gives back the oldest `count` slots. REQUIRES: count <= readable().
  void release(std::uint32_t count) noexcept {
    // Seq_cst read-modify-write: pairs with writable(). A drainer frees room with it before it
    // looks at the producer's "paused" word.
    consumer_.position.exchange(read_position() + count, std::memory_order_seq_cst);
  }

  // publish() and release() without a locked instruction: for a peer that looks by itself, and is
  // not woken. REQUIRES: nobody else closes.
  void publish_quietly(std::uint32_t count) noexcept {
    // Release: pairs with readable().
    producer_.position.store(write_position() + count, std::memory_order_release);
  }
  void release_quietly(std::uint32_t count) noexcept {
    // Release: pairs with writable().
    consumer_.position.store(read_position() + count, std::memory_order_release);
  }

  // Any thread: no publish() succeeds from here on. Idempotent.
  void close() noexcept {
    // Seq_cst: a consumer that is about to sleep sees it (Parker), like any other work.
    producer_.position.fetch_or(kClosed, std::memory_order_seq_cst);
  }
  bool closed() const noexcept {
    // Acquire: pairs with close().
    return (producer_.position.load(std::memory_order_acquire) & kClosed) != 0;
  }
  // Closed, and every slot was given back: nothing more will come.
  bool drained() const noexcept {
    // Acquire: pairs with close(). Once closed the position stands still, so the answer is final.
    const std::uint64_t position = producer_.position.load(std::memory_order_acquire);
    return (position & kClosed) != 0 &&
           consumer_.position.load(std::memory_order_relaxed) == (position & ~kClosed);
  }

  // Any thread. Acquire: pairs with publish() and release(), for whoever reads the slots by them.
  std::uint64_t published() const noexcept {
    return producer_.position.load(std::memory_order_acquire) & ~kClosed;
  }
  std::uint64_t released() const noexcept {
    return consumer_.position.load(std::memory_order_acquire);
  }

  // Any thread: slots in use, a moment ago. Exact for either side when the other stands still.
  std::uint32_t depth() const noexcept {
    const std::uint64_t first = released();  // before published(), so that depth is never negative
    const std::uint64_t depth = published() - first;
    return depth < capacity() ? static_cast<std::uint32_t>(depth) : capacity();
  }

  std::uint32_t capacity() const noexcept { return producer_.capacity; }
  std::uint32_t mask() const noexcept { return producer_.capacity - 1; }

 private:
  static constexpr std::uint64_t kClosed = std::uint64_t{1} << 63;

  // `seen` and the copy of the capacity belong to the side whose line they are on.
  struct alignas(kCacheLineBytes) Side {
    std::atomic<std::uint64_t> position;
    std::uint64_t seen;
    std::uint32_t capacity;
  };

  static std::uint32_t distance(std::uint64_t from, std::uint64_t to) noexcept {
    return static_cast<std::uint32_t>(to - from);
  }

  Side producer_;
  Side consumer_;
};

}  // namespace millrace
