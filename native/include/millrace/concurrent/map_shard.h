#pragma once

#include <atomic>
#include <cstdint>
#include <limits>

#include "millrace/base/cache_line.h"
#include "millrace/concurrent/map_segment.h"
#include "millrace/concurrent/map_table.h"
#include "millrace/concurrent/seq_lock.h"

namespace millrace {

// One of the parts a map is divided into by the first bits of the hash: a lock, a table, how its
// entries expire and which goes first. Every member REQUIRES the lock, except those marked "any
// thread". Owns its pages and what Entries::Log keeps for its entries. No operation handles more
// than a few segments, but for sweep_all() and clear().
template <class Entries>
class alignas(kCacheLineBytes) MapShard {
 public:
  static constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

  using Table = MapTable<Entries>;
  using Slot = typename Table::Slot;

  void open(const MapGround& ground, std::uint32_t page, std::uint64_t empty) noexcept {
    table_.open(ground, page, empty);
  }

  SeqLock& lock() noexcept { return lock_; }
  Table& table() noexcept { return table_; }
  typename Entries::Log& log() noexcept { return log_; }

  // Any thread. Entries that have expired count until they are reclaimed.
  std::uint32_t entries() const noexcept { return entries_.load(std::memory_order_relaxed); }
  // Any thread. No entry expires before that; kNever if none will.
  std::uint64_t earliest() const noexcept { return earliest_.load(std::memory_order_relaxed); }
  // Any thread. Since the map was made.
  std::uint64_t expirations() const noexcept { return expired_.load(std::memory_order_relaxed); }
  std::uint64_t evictions() const noexcept { return evicted_.load(std::memory_order_relaxed); }

  bool has_timed() const noexcept { return timed_.load(std::memory_order_relaxed) != 0; }

  static bool expired(std::uint64_t meta, std::uint64_t now) noexcept {
    const std::uint64_t expiry = MapMeta::expiry(meta);
    return expiry != 0 && expiry <= now;
  }

  // Any thread, without the lock: whether there is such an entry, and its value word. now() is
  // asked only if some entry can expire.
  template <class Now>
  bool read_unlocked(const MapGround& ground, std::uint64_t hash, std::uint64_t word,
                     std::uint64_t& value, Now now) const noexcept {
    for (;;) {
      const std::uint64_t begun = lock_.read_begin();
      const std::uint32_t page = table_.page_of(ground, hash);
      bool found = false;
      // A page number out of a directory that is being rewritten may be anything.
      if (page - 1 < ground.pages.count()) {
        const MapSegment at = table_.segment(ground, page);
        const std::uint32_t i =
            at.find(hash, word, table_.empty_word(), [](std::uint64_t) { return true; });
        found = i != MapSegment::kNone;
        if (found) {
          value = at.value(i);
          // Acquire: pairs with the release in count(), as SeqLock wants it.
          if (timed_.load(std::memory_order_acquire) != 0) found = !expired(at.meta(i), now());
        }
      }
      if (lock_.read_valid(begun)) [[likely]]
        return found;
    }
  }

  // Any thread, without the lock: begins to load what read_unlocked() will look at.
  void prefetch(const MapGround& ground, std::uint64_t hash) const noexcept {
    const std::uint32_t page = table_.page_of(ground, hash);
    if (page - 1 < ground.pages.count()) table_.segment(ground, page).prefetch(hash);
  }

  // REQUIRES: table().make_slot() answered kReady, and there is no such entry.
  void insert(const MapGround& ground, std::uint64_t hash, std::uint64_t word, std::uint64_t value,
              std::uint64_t meta) noexcept {
    table_.insert(ground, hash, word, value, meta);
    count(1, MapMeta::expiry(meta) != 0 ? 1 : 0);
    note_expiry(MapMeta::expiry(meta));
  }

  void set_meta(const MapGround& ground, Slot slot, std::uint64_t meta) noexcept {
    MapSegment at = table_.segment(ground, slot.page);
    const std::uint64_t expiry = MapMeta::expiry(meta);
    count(0, (expiry != 0 ? 1 : 0) - (MapMeta::expiry(at.meta(slot.index)) != 0 ? 1 : 0));
    at.set_meta(slot.index, meta);
    at.note_expiry(expiry);
    note_expiry(expiry);
  }

  // Slots found before are no longer good.
  void erase(MapGround& ground, Slot slot, std::uint64_t hash) noexcept {
    drop(ground, slot);
    // Looking at the neighbour costs a cache miss: not each time.
    const std::uint32_t left = table_.segment(ground, slot.page).entries();
    if (left < Table::kMergeBelow && left % 8 == 0) table_.merge(ground, hash);
  }

  // An entry that was found to have expired.
  void erase_expired(MapGround& ground, Slot slot, std::uint64_t hash) noexcept {
    erase(ground, slot, hash);
    add(expired_, 1);
  }

  // The entry of a segment that was used the longest ago, and how long ago, in ticks.
  std::uint32_t oldest(MapSegment at, std::uint64_t tick, std::uint64_t& age) const noexcept {
    std::uint32_t found = MapSegment::kNone;
    at.each(table_.empty_word(), [&](std::uint32_t i) {
      const std::uint64_t its = (tick - MapMeta::stamp(at.meta(i))) & MapMeta::kStampMask;
      if (found != MapSegment::kNone && its <= age) return;
      found = i;
      age = its;
    });
    return found;
  }

  // Removes the oldest entry of the hash's segment. False if none has the age.
  bool evict_oldest(MapGround& ground, std::uint64_t hash, std::uint64_t tick,
                    std::uint64_t least_age = 0) noexcept {
    const std::uint32_t page = table_.page_of(ground, hash);
    std::uint64_t age = 0;
    const std::uint32_t i = oldest(table_.segment(ground, page), tick, age);
    if (i == MapSegment::kNone || age < least_age) return false;
    erase(ground, {page, i}, hash);
    add(evicted_, 1);
    return true;
  }

  // Reclaims expired entries in the next two segments of a round, if some can have expired.
  // Answers how many.
  std::uint32_t sweep_some(MapGround& ground, std::uint64_t now) noexcept {
    std::uint32_t reclaimed = 0;
    for (int step = 0; step < 2 && earliest() <= now; ++step) reclaimed += sweep(ground, now);
    return reclaimed;
  }

  // Reclaims all entries that have expired.
  std::uint32_t sweep_all(MapGround& ground, std::uint64_t now) noexcept {
    if (earliest() > now) return 0;
    std::uint32_t reclaimed = 0;
    hand_ = 0;
    lap_earliest_ = kNever;
    do {
      reclaimed += sweep(ground, now);
    } while (hand_ != 0);
    return reclaimed;
  }

  void clear(MapGround& ground) noexcept {
    log_.clear(ground.pages);
    table_.clear(ground);
    count(-std::int64_t{entries()}, -std::int64_t{timed_.load(std::memory_order_relaxed)});
    earliest_.store(kNever, std::memory_order_relaxed);
    lap_earliest_ = kNever;
    hand_ = 0;
  }

 private:
  static void add(std::atomic<std::uint64_t>& counter, std::uint64_t n) noexcept {
    counter.store(counter.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }

  void count(std::int64_t entries, std::int64_t timed) noexcept {
    entries_.store(static_cast<std::uint32_t>(this->entries() + entries),
                   std::memory_order_relaxed);
    if (timed == 0) return;
    // Release: pairs with the acquire in read_unlocked().
    timed_.store(static_cast<std::uint32_t>(timed_.load(std::memory_order_relaxed) + timed),
                 std::memory_order_release);
  }

  void note_expiry(std::uint64_t expiry) noexcept {
    if (expiry == 0) return;
    if (expiry < earliest()) earliest_.store(expiry, std::memory_order_relaxed);
    if (expiry < lap_earliest_) lap_earliest_ = expiry;
  }

  void drop(MapGround& ground, Slot slot) noexcept {
    const MapSegment at = table_.segment(ground, slot.page);
    log_.release(ground.pages, at.value(slot.index));
    count(-1, MapMeta::expiry(at.meta(slot.index)) != 0 ? -1 : 0);
    table_.erase(ground, slot);
  }

  // Reclaims in the segment under the hand and moves on; a round that is complete tells when the
  // next entry expires.
  std::uint32_t sweep(MapGround& ground, std::uint64_t now) noexcept {
    const std::uint64_t hash = hand_ >> ground.shard_bits;
    const std::uint32_t page = table_.page_of(ground, hash);
    MapSegment at = table_.segment(ground, page);
    const std::uint64_t end = table_.end_of(ground, hash);
    std::uint32_t reclaimed = 0;
    if (at.earliest() != 0 && at.earliest() <= now) {
      std::uint64_t next = 0;
      for (std::uint32_t i = 0; i < MapSegment::kSlots;) {
        const bool held = at.key(i) != table_.empty_word();
        if (held && expired(at.meta(i), now)) {
          drop(ground, {page, i});  // Another entry may have moved to i.
          ++reclaimed;
          continue;
        }
        const std::uint64_t expiry = held ? MapMeta::expiry(at.meta(i)) : 0;
        if (expiry != 0 && (next == 0 || expiry < next)) next = expiry;
        ++i;
      }
      at.set_earliest(next);
    }
    if (at.earliest() != 0 && at.earliest() < lap_earliest_) lap_earliest_ = at.earliest();
    if (reclaimed != 0) {
      add(expired_, reclaimed);
      if (at.entries() < Table::kMergeBelow) table_.merge(ground, hash);
    }
    hand_ = end << ground.shard_bits;
    if (hand_ == 0) {
      earliest_.store(lap_earliest_, std::memory_order_relaxed);
      lap_earliest_ = kNever;
    }
    return reclaimed;
  }

  SeqLock lock_;
  std::atomic<std::uint32_t> entries_{0};
  std::atomic<std::uint32_t> timed_{0};
  Table table_;
  std::atomic<std::uint64_t> earliest_{kNever};
  // Where the next sweep looks (hash bits behind those of the shard), and the earliest expiry among
  // the segments that this round has passed.
  std::uint64_t hand_ = 0;
  std::uint64_t lap_earliest_ = kNever;
  std::atomic<std::uint64_t> expired_{0};
  std::atomic<std::uint64_t> evicted_{0};
  [[no_unique_address]] typename Entries::Log log_;
};

}  // namespace millrace
