#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>

#include "millrace/concurrent/map_access.h"
#include "millrace/concurrent/map_change.h"
#include "millrace/concurrent/map_entries.h"

namespace millrace {

// A hash map for many threads within a fixed number of bytes, with expiry and eviction:
// ConcurrentMap<MapWords> (u64 to u64) and ConcurrentMap<MapStrings> (bytes to bytes).
// Any thread may call anything once open() has succeeded. Owns its memory (MapOptions::max_bytes
// at most). Costs a hash, a shard's line, a directory word and a line of slots; writers lock the
// shard (1 of 64 by default), readers of words lock nothing, readers of bytes lock the shard.
// A thread that is stopped inside a call holds up the callers of that shard until it goes on; no
// call waits for anything else, and none enters code of the caller but read()'s, change()'s and
// scan()'s functions.
//
// Expiry is checked when an entry is looked at; memory comes back when the shard is next written
// to, or when room is needed. Never early, late by a kernel tick at most (4 ms).
template <class Entries>
class ConcurrentMap : public MapAccess<Entries> {
  using Access = MapAccess<Entries>;
  using Access::ground_;
  using typename Access::Shard;
  using typename Access::Slot;

 public:
  using typename Access::Change;
  using typename Access::Entry;
  using typename Access::Key;
  using typename Access::Value;

  bool has(Key key) {
    const auto nothing = [](const Entry&) {};
    return this->read(key, nothing, false);
  }

  MapResult set(Key key, Value value, MapTtl ttl = MapTtl::never()) {
    return this->change(key, [&](const Entry*) { return Change::put(value, ttl); });
  }
  MapResult set_if_absent(Key key, Value value, MapTtl ttl = MapTtl::never()) {
    return this->change(key, [&](const Entry* held) {
      return held == nullptr ? Change::put(value, ttl) : Change::leave();
    });
  }
  MapResult set_if_present(Key key, Value value, MapTtl ttl = MapTtl::never()) {
    return this->change(key, [&](const Entry* held) {
      return held != nullptr ? Change::put(value, ttl) : Change::leave();
    });
  }
  // No `expected`: only if the key has no entry.
  MapResult compare_and_set(Key key, std::optional<Value> expected, Value value,
                            MapTtl ttl = MapTtl::keep()) {
    return this->change(key, [&](const Entry* held) {
      const bool as_expected = held == nullptr ? !expected : expected && held->value_is(*expected);
      return as_expected ? Change::put(value, ttl) : Change::leave();
    });
  }
  MapResult erase(Key key) {
    return this->change(key, [](const Entry*) { return Change::erase(); });
  }
  MapResult erase_if(Key key, Value expected) {
    return this->change(key, [&](const Entry* held) {
      return held != nullptr && held->value_is(expected) ? Change::erase() : Change::leave();
    });
  }

  MapResult expire(Key key, MapTtl ttl) {
    return this->change(key, [&](const Entry*) { return Change::set_ttl(ttl); });
  }
  // kUnchanged too if it would not have expired.
  MapResult persist(Key key) {
    return this->change(key, [](const Entry* held) {
      const bool expires = held != nullptr && MapMeta::expiry(held->meta()) != 0;
      return expires ? Change::set_ttl(MapTtl::never()) : Change::leave();
    });
  }
  // Milliseconds until the key's entry expires, kNoExpiry if it never does; nothing if it has none.
  static constexpr std::uint64_t kNoExpiry = ~std::uint64_t{0};
  std::optional<std::uint64_t> ttl_ms(Key key) {
    const std::uint64_t hash = Entries::hash_of(ground_.hash, key);
    Shard& shard = this->shard_of(hash);
    const std::lock_guard guard(shard.lock());
    const Slot slot = this->find(shard, key, hash);
    if (!slot.found()) return std::nullopt;
    const std::uint64_t expiry = MapMeta::expiry(this->entry(shard, slot).meta());
    if (expiry == 0) return kNoExpiry;
    const auto elapsed = static_cast<std::uint64_t>(this->elapsed_ns());
    const std::uint64_t nanos = expiry * std::uint64_t{kNanosPerMilli};
    return nanos > elapsed ? (nanos - elapsed) / kNanosPerMilli : 0;
  }

  // Calls visit(i, value or nullptr) for each key, in order. The misses of a batch overlap, which
  // makes it faster than read() on a map that is larger than the caches. Not one moment: each value
  // is its own.
  template <class Visit>
  void read_many(std::span<const Key> keys, Visit visit) requires(Entries::kInSlot) {
    std::array<std::uint64_t, kBatch> hashes;
    for (std::size_t first = 0; first < keys.size(); first += kBatch) {
      const std::size_t n = std::min(kBatch, keys.size() - first);
      for (std::size_t i = 0; i < n; ++i) {
        hashes[i] = Entries::hash_of(ground_.hash, keys[first + i]);
        this->shard_of(hashes[i]).prefetch(ground_, hashes[i]);
      }
      for (std::size_t i = 0; i < n; ++i) {
        Value value = 0;
        const bool found =
            this->read(keys[first + i], [&value](const Entry& entry) { value = entry.value(); });
        visit(first + i, found ? &value : nullptr);
      }
    }
  }

  // Walks the entries in the order of their hashes, from `cursor` (0 at first) to about `count`
  // further ones, and answers the cursor to go on from; 0: that was the end. visit(entry) may
  // answer false for "no room", and gets that entry again from the returned cursor; it is called
  // under a lock.
  //
  // An entry's place in this order never changes, however the table grows or shrinks: what is in
  // the map from the first call to the last is visited, once (twice only if visit() refused one of
  // two entries with the same 52 bits of hash). A call may visit none and not be the end.
  static constexpr std::uint32_t kCursorBits = 52;
  template <class Visit>
  std::uint64_t scan(std::uint64_t cursor, std::uint32_t count, Visit visit) {
    constexpr std::uint32_t kRest = 64 - kCursorBits;
    std::uint32_t visited = 0;
    for (std::uint32_t steps = 0; steps < kScanSteps + count / 64; ++steps) {
      const std::uint64_t hash = cursor << kRest;
      Shard& shard = this->shard_of(hash);
      const std::lock_guard guard(shard.lock());
      const std::uint32_t page = shard.table().page_of(ground_, hash);
      const MapSegment at = shard.table().segment(ground_, page);
      // Place in the order, and slot.
      std::uint64_t found[MapSegment::kSlots];
      std::uint32_t n = 0;
      const std::uint64_t now = shard.has_timed() ? this->now_ms() : 0;
      at.each(shard.table().empty_word(), [&](std::uint32_t i) {
        const std::uint64_t place = Entries::hash_of_word(ground_.hash, at.key(i)) >> kRest;
        if (place >= cursor && !Shard::expired(at.meta(i), now)) found[n++] = place << 8 | i;
      });
      std::sort(found, found + n);
      for (std::uint32_t i = 0; i < n; ++i) {
        const std::uint64_t place = found[i] >> 8;
        const bool enough = visited >= count && (i == 0 || place != found[i - 1] >> 8);
        if (enough ||
            !visit(this->entry(shard, {page, static_cast<std::uint32_t>(found[i] & 0xff)}))) {
          return place;
        }
        ++visited;
      }
      cursor = shard.table().end_of(ground_, hash) >> kRest;
      if (cursor == 0 || visited >= count) return cursor;
    }
    return cursor;
  }

 private:
  static constexpr std::size_t kBatch = 16;
  // Segments that a scan looks at before it answers, found anything or not.
  static constexpr std::uint32_t kScanSteps = 256;
  static_assert(MapSegment::kSlots <= 0xff && kCursorBits + 8 <= 64);
};

using ConcurrentWordMap = ConcurrentMap<MapWords>;
using ConcurrentByteMap = ConcurrentMap<MapStrings>;

}  // namespace millrace
