#pragma once

#include <cstdint>
#include <mutex>
#include <optional>

#include "millrace/concurrent/map_change.h"
#include "millrace/concurrent/map_store.h"

namespace millrace {

// The two ways to an entry of a ConcurrentMap: read(), and change(), of which all operations that
// write are made. Threads, ownership and costs: see there.
template <class Entries>
class MapAccess : public MapStore<Entries> {
  using Store = MapStore<Entries>;
  using typename Store::Need;

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

 protected:
  using Store::ground_;
  using typename Store::Shard;
  using typename Store::Slot;

  Shard& shard_of(std::uint64_t hash) noexcept { return this->shards_[ground_.shard_of(hash)]; }

  Entry entry(Shard& shard, Slot slot) const noexcept {
    const MapSegment at = shard.table().segment(ground_, slot.page);
    return Entries::entry(ground_.pages, at.key(slot.index), at.value(slot.index),
                          has_metas(shard) ? at.meta(slot.index) : 0);
  }

  // False: all metas of the shard are 0. They lie apart from the slots: a cache miss less.
  bool has_metas(const Shard& shard) const noexcept { return this->evict_ || shard.has_timed(); }

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

 private:
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
      if (has_metas(shard) || change.ttl.kind == MapTtl::Kind::kAfter) {
        shard.set_meta(ground_, slot, meta_for(change.ttl, at.meta(slot.index)));
      }
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

}  // namespace millrace
