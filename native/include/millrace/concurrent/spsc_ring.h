#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "millrace/base/cache_line.h"
#include "millrace/concurrent/spsc_cursor.h"

namespace millrace {

// A ring of byte records of any size between one producer thread and one consumer thread, in memory
// that the caller provides (and may share with JavaScript). Records come out whole, contiguous and
// in order. Owns nothing but its counters; no member allocates or blocks. A record costs one copy
// at most; both sides may work in batches, and then pay one locked instruction a batch.
//
//   record, in steps of 8 bytes:   0         8                    8 + length
//                                  | length  | payload ...        | up to 7 unused
//   before the wrap:               | kPadding | unused to the end of the memory
//
// A record takes at most half of the memory, so that it always fits into an empty ring, wherever
// that stands. Headers are checked before they are believed: whoever scribbles over the memory can
// lose records, but not make the consumer read outside of it.
class SpscRing {
 public:
  static constexpr std::uint32_t kMinBytes = 64;
  static constexpr std::uint32_t kMaxBytes = std::uint32_t{1} << 31;

  // REQUIRES: `memory` is 8-byte aligned and outlives the ring; `bytes` is a power of two between
  // kMinBytes and kMaxBytes. `start` is the first position, in steps of 8 bytes, below
  // 2^62.
  SpscRing(std::byte* memory, std::uint32_t bytes, std::uint64_t start = 0) noexcept
      : cursor_(bytes / kStep, start), memory_(memory) {}
  SpscRing(const SpscRing&) = delete;
  SpscRing& operator=(const SpscRing&) = delete;

  // Producer: room for a record of up to `bytes`, or null when there is none, the record is too
  // large, or the ring is closed. The next reserve() takes back a reservation that was not
  // committed.
  std::byte* reserve(std::uint32_t bytes) noexcept {
    if (bytes > max_record_bytes() || closed()) return nullptr;
    const std::uint32_t steps = steps_of(bytes);
    std::uint32_t at = index(cursor_.write_position() + producer_.staged);
    const std::uint32_t contiguous = cursor_.capacity() - at;
    const std::uint32_t padding = steps > contiguous ? contiguous : 0;
    const std::uint32_t wanted = producer_.staged + padding + steps;
    if (cursor_.writable(wanted) < wanted) return nullptr;
    if (padding != 0) {
      write_header(at, kPadding);
      at = 0;
    }
    producer_.reserved_at = at;
    producer_.padding = padding;
    return payload(at);
  }

  // Producer: the reservation is a record now. REQUIRES: a reserve() of at least `bytes` before.
  void commit(std::uint32_t bytes) noexcept {
    write_header(producer_.reserved_at, bytes);
    producer_.staged += producer_.padding + steps_of(bytes);
    ++producer_.staged_records;
  }

  // Producer: hands over all committed records; false if closed, and they are gone. Afterwards
  // Parker::unpark_published() is enough.
  bool publish() noexcept {
    if (producer_.staged == 0) return !closed();
    const std::uint64_t before = producer_.pushed.load(std::memory_order_relaxed);
    // First: who reads both counters never finds more popped than pushed.
    producer_.pushed.store(before + producer_.staged_records, std::memory_order_relaxed);
    const bool open = cursor_.publish(producer_.staged);
    if (open) {
      note_depth();
      note_records(before + producer_.staged_records);
    } else {
      producer_.pushed.store(before, std::memory_order_relaxed);
    }
    producer_.staged = 0;
    producer_.staged_records = 0;
    return open;
  }

  // Producer: one record, published. False when full, too large, or closed.
  bool try_push(std::span<const std::byte> record) noexcept {
    // Cut to a length that is too large, not to one that fits.
    const auto bytes =
        static_cast<std::uint32_t>(record.size() < kMaxBytes ? record.size() : kMaxBytes);
    std::byte* room = reserve(bytes);
    if (room == nullptr) return false;
    if (bytes != 0) std::memcpy(room, record.data(), bytes);
    commit(bytes);
    return publish();
  }

  // Consumer: the next record, in place, valid until release(). False when there is none.
  bool next(std::span<std::byte>& record) noexcept {
    for (;;) {
      const std::uint32_t ready = cursor_.readable(consumer_.passed + 1);
      if (ready <= consumer_.passed) return false;
      const std::uint32_t at = index(cursor_.read_position() + consumer_.passed);
      const std::uint32_t contiguous = cursor_.capacity() - at;
      const std::uint32_t length = read_header(at);
      const std::uint32_t steps = length == kPadding             ? contiguous
                                  : length <= max_record_bytes() ? steps_of(length)
                                                                 : kMaxBytes;
      if (steps > contiguous || steps > ready - consumer_.passed) {
        // Somebody wrote over the header. Where the next one is nobody knows.
        consumer_.passed = ready;
        consumer_.damaged.store(consumer_.damaged.load(std::memory_order_relaxed) + 1,
                                std::memory_order_relaxed);
        return false;
      }
      if (length == kPadding) {
        consumer_.passed += steps;
        continue;
      }
      consumer_.before = consumer_.passed;
      consumer_.passed += steps;
      ++consumer_.passed_records;
      record = {payload(at), length};
      return true;
    }
  }

  // Consumer: the record that next() answered last was not taken after all. Once for each next().
  void put_back() noexcept {
    consumer_.passed = consumer_.before;
    --consumer_.passed_records;
  }

  // Consumer: gives back the memory of every record that next() has answered. seq_cst, like
  // SpscCursor::release().
  void release() noexcept {
    if (consumer_.passed == 0) return;
    const std::uint64_t popped = consumer_.popped.load(std::memory_order_relaxed);
    consumer_.popped.store(popped + consumer_.passed_records, std::memory_order_relaxed);
    cursor_.release(consumer_.passed);
    consumer_.passed = 0;
    consumer_.passed_records = 0;
  }

  // Consumer: calls visit(std::span<std::byte>) for up to `most` records, then releases them all.
  template <class Visit>
  std::uint32_t drain(std::uint32_t most, Visit&& visit) {
    std::uint32_t count = 0;
    std::span<std::byte> record;
    while (count < most && next(record)) {
      visit(record);
      ++count;
    }
    release();
    return count;
  }

  // Consumer, before it sleeps: next() would find something. A seq_cst load, as
  // Parker::unpark_published() asks for.
  bool has_next() noexcept { return cursor_.readable(consumer_.passed + 1) > consumer_.passed; }

  // Any thread: no record is handed over from here on. Idempotent.
  void close() noexcept { cursor_.close(); }
  bool closed() const noexcept { return cursor_.closed(); }
  // Closed and empty: nothing more will come.
  bool drained() const noexcept { return cursor_.drained(); }

  // Any thread.
  std::uint32_t capacity_bytes() const noexcept { return cursor_.capacity() * kStep; }
  std::uint32_t max_record_bytes() const noexcept { return cursor_.capacity() * kStep / 2 - kStep; }
  std::uint32_t depth_bytes() const noexcept { return cursor_.depth() * kStep; }
  // The greatest depth, headers and padding included, that the producer has seen.
  std::uint32_t high_water_bytes() const noexcept {
    return producer_.high_water.load(std::memory_order_relaxed) * kStep;
  }
  // The same in records.
  std::uint64_t high_water_records() const noexcept {
    return producer_.high_water_records.load(std::memory_order_relaxed);
  }
  // Records published, and records released, since construction.
  std::uint64_t pushed() const noexcept { return producer_.pushed.load(std::memory_order_relaxed); }
  std::uint64_t popped() const noexcept { return consumer_.popped.load(std::memory_order_relaxed); }
  // How often next() met a header that somebody had written over, and threw away all it had.
  std::uint64_t damaged() const noexcept {
    return consumer_.damaged.load(std::memory_order_relaxed);
  }

 private:
  static constexpr std::uint32_t kStep = 8;
  static constexpr std::uint32_t kPadding = 0xffff'ffffu;

  static std::uint32_t steps_of(std::uint32_t bytes) noexcept {
    return 1 + (bytes + kStep - 1) / kStep;
  }
  std::uint32_t index(std::uint64_t position) const noexcept {
    return static_cast<std::uint32_t>(position) & cursor_.mask();
  }
  std::byte* step(std::uint32_t at) const noexcept { return memory_ + std::size_t{at} * kStep; }
  std::byte* payload(std::uint32_t at) const noexcept { return step(at) + kStep; }
  void write_header(std::uint32_t at, std::uint32_t length) noexcept {
    std::memcpy(step(at), &length, sizeof length);
  }
  std::uint32_t read_header(std::uint32_t at) const noexcept {
    std::uint32_t length;
    std::memcpy(&length, step(at), sizeof length);
    return length;
  }

  // The consumer's line is read only if the ring looks fuller than ever by an old look at it.
  void note_depth() noexcept {
    const std::uint32_t highest = producer_.high_water.load(std::memory_order_relaxed);
    if (cursor_.capacity() - cursor_.writable(0) <= highest) return;
    const std::uint32_t depth = cursor_.capacity() - cursor_.writable(cursor_.capacity());
    if (depth > highest) producer_.high_water.store(depth, std::memory_order_relaxed);
  }

  void note_records(std::uint64_t pushed) noexcept {
    const std::uint64_t highest = producer_.high_water_records.load(std::memory_order_relaxed);
    if (pushed - producer_.popped_seen <= highest) return;
    producer_.popped_seen = consumer_.popped.load(std::memory_order_relaxed);
    const std::uint64_t depth = pushed - producer_.popped_seen;
    if (depth > highest) producer_.high_water_records.store(depth, std::memory_order_relaxed);
  }

  struct alignas(kCacheLineBytes) Producer {
    std::uint32_t staged = 0;  // steps committed and not published, padding included
    std::uint32_t staged_records = 0;
    std::uint32_t reserved_at = 0;
    std::uint32_t padding = 0;
    std::atomic<std::uint64_t> pushed{0};
    std::atomic<std::uint32_t> high_water{0};
    std::uint64_t popped_seen = 0;
    std::atomic<std::uint64_t> high_water_records{0};
  };
  struct alignas(kCacheLineBytes) Consumer {
    std::uint32_t passed = 0;  // steps answered by next() and not released
    std::uint32_t passed_records = 0;
    std::uint32_t before = 0;  // `passed` before the last record
    std::atomic<std::uint64_t> popped{0};
    std::atomic<std::uint64_t> damaged{0};
  };

  SpscCursor cursor_;
  Producer producer_;
  Consumer consumer_;
  alignas(kCacheLineBytes) std::byte* const memory_;
};

}  // namespace millrace
