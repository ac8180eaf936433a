#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>

#include "millrace/base/cache_line.h"
#include "millrace/feed/feed_entry.h"

namespace millrace {

// The batch that a consumer has leased, as JavaScript sees it: one ArrayBuffer of kBytes.
//
//   byte      0         4                                                        64
//   header   | started | (unused)                                                 |
//   byte     64 + 32 i  +4       +8                              +24              +32
//   row i    | offset  | length | key: low, high                | received (f64)  |
//
//   started   written by JavaScript: one more than the highest row it has looked at. Read when the
//             consumer dies: messages below it were begun. Nothing else is ever read back.
//   offset    of the message's first byte in the arena; 0 when length is 0
//   key       as FeedKey
//   received  nanoseconds since the feed was made
//
// The feed fills rows under its lock on the consumer's thread. Owns its memory.
class LeaseTable {
 public:
  static constexpr std::uint32_t kMaxRows = 256;
  static constexpr std::size_t kHeaderBytes = 64;
  static constexpr std::size_t kRowBytes = 32;
  static constexpr std::size_t kBytes = kHeaderBytes + kMaxRows * kRowBytes;

  LeaseTable() : bytes_(static_cast<std::byte*>(::operator new(kBytes, kAlignment))) {
    std::memset(bytes_, 0, kBytes);
  }
  LeaseTable(const LeaseTable&) = delete;
  LeaseTable& operator=(const LeaseTable&) = delete;
  ~LeaseTable() { ::operator delete(bytes_, kAlignment); }

  std::byte* data() { return bytes_; }

  void fill(std::uint32_t row, const FeedEntry& entry) {
    const Row filled{entry.length == 0 ? 0 : entry.block, entry.length, entry.key,
                     static_cast<double>(entry.received_ns)};
    std::memcpy(bytes_ + kHeaderBytes + row * kRowBytes, &filled, kRowBytes);
  }

  // Another thread may read it while JavaScript runs; relaxed: it is a hint until that thread
  // stops.
  std::uint32_t started() const {
    return __atomic_load_n(reinterpret_cast<const std::uint32_t*>(bytes_), __ATOMIC_RELAXED);
  }
  void set_started(std::uint32_t rows) {
    __atomic_store_n(reinterpret_cast<std::uint32_t*>(bytes_), rows, __ATOMIC_RELAXED);
  }

 private:
  static constexpr std::align_val_t kAlignment{kCacheLineBytes};

  struct Row {
    std::uint32_t offset;
    std::uint32_t length;
    FeedKey key;
    double received_ns;
  };
  static_assert(sizeof(Row) == kRowBytes);

  std::byte* bytes_;
};

}  // namespace millrace
