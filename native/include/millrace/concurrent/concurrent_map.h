#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>

#include "millrace/concurrent/map_change.h"
#include "millrace/concurrent/map_entries.h"
#include "millrace/concurrent/map_store.h"

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
class ConcurrentMap : public MapStore<Entries> {
  using Store = MapStore<Entries>;
  using Store::ground_;
  using typename Store::Need;
  using typename Store::Shard;
  using typename Store::Slot;

 public:
  using Key = typename Entries::Key;
  using Value = typename Entries::Value;
  using Entry = typename Entries::Entry;
  using Change = MapChange<Value>;

  // Calls visit(entry) if the key has one. False: it has none. visit() may be called under a lock:
  // it must be brief and not come back to the map. `use`: whether that counts for eviction.
  template <class Visit>
  bool read(Key key, Visit visit, bool use = true) {
    const std::uint64_t hash = Entries::hash_of(ground_.hash, key);
    Shard& shard = shard_of(hash);
    if constexpr (Entries::kInSlot) {
      if (!this->evict_) {
        Value value = 0;
        const auto now = [this] { return this->now_ms(); };
        if (!shard.read_unlocked(ground_, hash, key, value, now)) return false;
        visit(Entry(key, value, 0));
        return true;
      }
    }
    const std::lock_guard guard(shard.lock());
    const Slot slot = find(shard, key, hash);
    if (!slot.found()) return false;
    visit(entry(shard, slot));
    if (use && this->evict_) {
      MapSegment at = shard.table().segment(ground_, slot.page);
      const std::uint64_t meta = at.meta(slot.index);
      at.set_meta(slot.index, MapMeta::make(MapMeta::expiry(meta), this->tick(false)));
    }
    return true;
  }

  bool has(Key key) {
    return read(
        key, [](const Entry&) {}, false);
  }

  // Calls decide(const Entry*), null if the key has none, and does what it answers, in one step
  // that no other thread comes between. decide() is called under a lock, and again after room had
  // to be made; it must be brief and not come back to the map.
  template <class Decide>
  MapResult change(Key key, Decide decide) {
    const std::uint64_t hash = Entries::hash_of(ground_.hash, key);
    Shard& shard = shard_of(hash);
    for (;;) {
      Need need;
      {
        const std::lock_guard guard(shard.lock());
        if (shard.has_timed()) this->removed(shard.sweep_some(ground_, this->now_ms()));
        const Slot slot = find(shard, key, hash);
        std::optional<Entry> held;
        if (slot.found()) held.emplace(entry(shard, slot));
        const Change change = decide(held ? &*held : static_cast<const Entry*>(nullptr));
        if (change.kind == Change::Kind::kPut) {
          if (Entries::pages_for(key, change.value) > this->entry_pages_ ||
              !Entries::can_be_key(key)) {
            return MapResult::kTooLarge;
          }
          if (put(shard, slot, key, hash, change, need)) return MapResult::kChanged;
        } else {
          if (change.kind == Change::Kind::kLeave || !held) return MapResult::kUnchanged;
          if (change.kind == Change::Kind::kErase) {
            shard.erase(ground_, slot, hash);
            this->removed(1);
          } else {
            shard.set_meta(ground_, slot, meta_for(change.ttl, held->meta()));
          }
          return MapResult::kChanged;
        }
      }
      if (!this->make_room(need)) return MapResult::kFull;
    }
  }

  MapResult set(Key key, Value value, MapTtl ttl = MapTtl::never()) {
    return change(key, [&](const Entry*) { return Change::put(value, ttl); });
  }
  MapResult set_if_absent(Key key, Value value, MapTtl ttl = MapTtl::never()) {
    return change(key, [&](const Entry* held) {
      return held == nullptr ? Change::put(value, ttl) : Change::leave();
    });
  }
  MapResult set_if_present(Key key, Value value, MapTtl ttl = MapTtl::never()) {
    return change(key, [&](const Entry* held) {
      return held != nullptr ? Change::put(value, ttl) : Change::leave();
    });
  }
  // No `expected`: only if the key has no entry.
  MapResult compare_and_set(Key key, std::optional<Value> expected, Value value,
                            MapTtl ttl = MapTtl::keep()) {
    return change(key, [&](const Entry* held) {
      const bool as_expected = held == nullptr ? !expected : expected && held->value_is(*expected);
      return as_expected ? Change::put(value, ttl) : Change::leave();
    });
  }
  MapResult erase(Key key) {
    return change(key, [](const Entry*) { return Change::erase(); });
  }
  MapResult erase_if(Key key, Value expected) {
    return change(key, [&](const Entry* held) {
      return held != nullptr && held->value_is(expected) ? Change::erase() : Change::leave();
    });
  }

  MapResult expire(Key key, MapTtl ttl) {
    return change(key, [&](const Entry*) { return Change::set_ttl(ttl); });
  }
  // kUnchanged too if it would not have expired.
  MapResult persist(Key key) {
    return change(key, [](const Entry* held) {
      const bool expires = held != nullptr && MapMeta::expiry(held->meta()) != 0;
      return expires ? Change::set_ttl(MapTtl::never()) : Change::leave();
    });
  }
  // Milliseconds until the key's entry expires, kNoExpiry if it never does; nothing if it has none.
  static constexpr std::uint64_t kNoExpiry = ~std::uint64_t{0};
  std::optional<std::uint64_t> ttl_ms(Key key) {
    const std::uint64_t hash = Entries::hash_of(ground_.hash, key);
    Shard& shard = shard_of(hash);
    const std::lock_guard guard(shard.lock());
    const Slot slot = find(shard, key, hash);
    if (!slot.found()) return std::nullopt;
    const std::uint64_t expiry = MapMeta::expiry(entry(shard, slot).meta());
    if (expiry == 0) return kNoExpiry;
    const auto elapsed = static_cast<std::uint64_t>(this->elapsed_ns());
    const std::uint64_t nanos = expiry * std::uint64_t{kNanosPerMilli};
    return nanos > elapsed ? (nanos - elapsed) / kNanosPerMilli : 0;
  }

  // Calls visit(i, value or nullptr) for each key, in order. The misses of a batch overlap, which
  // makes it faster than read() on a map that is larger than the caches. Not one moment: each
  // value is its own.
  template <class Visit>
  void read_many(std::span<const Key> keys, Visit visit) requires(Entries::kInSlot) {
    std::array<std::uint64_t, kBatch> hashes;
    for (std::size_t first = 0; first < keys.size(); first += kBatch) {
      const std::size_t n = std::min(kBatch, keys.size() - first);
      for (std::size_t i = 0; i < n; ++i) {
        hashes[i] = Entries::hash_of(ground_.hash, keys[first + i]);
        shard_of(hashes[i]).prefetch(ground_, hashes[i]);
      }
      for (std::size_t i = 0; i < n; ++i) {
        Value value = 0;
        const bool found =
            read(keys[first + i], [&value](const Entry& entry) { value = entry.value(); });
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
      Shard& shard = shard_of(hash);
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
        if (enough || !visit(entry(shard, {page, static_cast<std::uint32_t>(found[i] & 0xff)}))) {
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

  Shard& shard_of(std::uint64_t hash) noexcept { return this->shards_[ground_.shard_of(hash)]; }

  Entry entry(Shard& shard, Slot slot) const noexcept {
    const MapSegment at = shard.table().segment(ground_, slot.page);
    return Entries::entry(ground_.pages, at.key(slot.index), at.value(slot.index),
                          at.meta(slot.index));
  }

  // REQUIRES: the shard's lock. Reclaims the entry if its time has passed.
  Slot find(Shard& shard, Key key, std::uint64_t hash) {
    const Slot slot = shard.table().find(
        ground_, hash, Entries::word_of(key, hash),
        [&](std::uint64_t word) { return Entries::matches(ground_.pages, word, key); });
    if (!slot.found() || !shard.has_timed()) return slot;
    const std::uint64_t meta = shard.table().segment(ground_, slot.page).meta(slot.index);
    if (MapMeta::expiry(meta) == 0 || !Shard::expired(meta, this->now_ms())) return slot;
    shard.erase_expired(ground_, slot, hash);
    this->removed(1);
    return {slot.page, MapSegment::kNone};
  }

  std::uint64_t meta_for(MapTtl ttl, std::uint64_t old) {
    std::uint64_t expiry = 0;
    if (ttl.kind == MapTtl::Kind::kKeep) {
      expiry = MapMeta::expiry(old);
    } else if (ttl.kind == MapTtl::Kind::kAfter) {
      const auto elapsed = static_cast<std::uint64_t>(this->elapsed_ns());
      expiry = (elapsed + kNanosPerMilli - 1) / kNanosPerMilli + ttl.ms;
    }
    return MapMeta::make(expiry, this->evict_ ? this->tick(true) : 0);
  }

  // False: there was no room, and nothing has changed.
  bool put(Shard& shard, Slot slot, Key key, std::uint64_t hash, const Change& change, Need& need) {
    need.pages = Entries::pages_for(key, change.value);
    std::uint64_t word = 0;
    if (slot.found()) {
      MapSegment at = shard.table().segment(ground_, slot.page);
      word = at.value(slot.index);
      if (!Entries::replace(shard.log(), ground_.pages, key, change.value, word)) return false;
      at.set_value(slot.index, word);
      shard.set_meta(ground_, slot, meta_for(change.ttl, at.meta(slot.index)));
      return true;
    }
    if (!this->added()) {
      need.entry = true;
      return false;
    }
    if (make_slot(shard, hash, need) &&
        Entries::store(shard.log(), ground_.pages, key, change.value, word)) {
      shard.insert(ground_, hash, Entries::word_of(key, hash), word, meta_for(change.ttl, 0));
      return true;
    }
    this->removed(1);
    return false;
  }

  bool make_slot(Shard& shard, std::uint64_t hash, Need& need) {
    using Room = typename Shard::Table::Room;
    const Room room = shard.table().make_slot(ground_, hash);
    if (room == Room::kReady) return true;
    if (this->evict_) {
      shard.evict_oldest(ground_, hash, this->tick(false));
      this->removed(1);
      return true;
    }
    // What nothing can give: a segment without bits to split by stays full.
    need.pages = room == Room::kNoPage ? 2 : this->ground_.pages.count();
    return false;
  }
};

using ConcurrentWordMap = ConcurrentMap<MapWords>;
using ConcurrentByteMap = ConcurrentMap<MapStrings>;

}  // namespace millrace
