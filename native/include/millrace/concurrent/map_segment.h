#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "millrace/concurrent/map_pages.h"

namespace millrace {

// What a map keeps for an entry beside its key and value words: when it expires (milliseconds
// since the map was made, 44 bits: 557 years; 0: never) and when it was last used (a tick of the
// map's use counter, 20 bits).
struct MapMeta {
  static constexpr std::uint32_t kStampBits = 20;
  static constexpr std::uint64_t kStampMask = (std::uint64_t{1} << kStampBits) - 1;

  static std::uint64_t make(std::uint64_t expiry, std::uint64_t stamp) noexcept {
    return expiry << kStampBits | (stamp & kStampMask);
  }
  static std::uint64_t expiry(std::uint64_t meta) noexcept { return meta >> kStampBits; }
  static std::uint64_t stamp(std::uint64_t meta) noexcept { return meta & kStampMask; }
};

// One page of slots: open addressing with linear probing, removal by backward shift. A view, cheap
// to copy; writers hold the lock of the shard that the page belongs to, and so do readers, except
// for find(), which is right for readers under SeqLock too: it stays inside the page whatever it
// reads. Costs a probe of one cache line in most cases.
//
//   byte    0  entries u32, depth u32     depth: bits of the hash that all entries here share
//           8  earliest u64               no entry expires before that (ms); 0: none expires
//          64  168 slots of 16 bytes      key word u64, value word u64
//        2752  168 metas of 8 bytes       MapMeta
//
// A free slot holds the shard's empty word in place of a key: a key word that belongs to another
// shard, so that it can never be asked for here. A zeroed page is an empty segment of depth 0
// where the empty word is 0.
class MapSegment {
 public:
  static constexpr std::uint32_t kSlots = 168;
  // Up to here while there are pages to split into: seven eighths.
  static constexpr std::uint32_t kSoftLimit = 147;
  // Up to here when there are none. Free slots must remain: they end every search.
  static constexpr std::uint32_t kHardLimit = 164;
  static constexpr std::uint32_t kNone = kSlots;

  explicit MapSegment(MapPage& page) noexcept : words_(page.words) {}

  void clear(std::uint64_t empty, std::uint32_t depth) noexcept {
    for (std::uint32_t i = 0; i < kSlots; ++i) put(i, empty, 0, 0);
    set_header(0, depth);
    set_earliest(0);
  }

  std::uint32_t entries() const noexcept { return static_cast<std::uint32_t>(load(0)); }
  std::uint32_t depth() const noexcept { return static_cast<std::uint32_t>(load(0) >> 32); }
  void set_depth(std::uint32_t depth) noexcept { set_header(entries(), depth); }

  std::uint64_t earliest() const noexcept { return load(1); }
  void set_earliest(std::uint64_t expiry) noexcept { store(1, expiry); }
  void note_expiry(std::uint64_t expiry) noexcept {
    if (expiry != 0 && (earliest() == 0 || expiry < earliest())) set_earliest(expiry);
  }

  std::uint64_t key(std::uint32_t i) const noexcept { return load(kFirstSlot + 2 * i); }
  std::uint64_t value(std::uint32_t i) const noexcept { return load(kFirstSlot + 2 * i + 1); }
  std::uint64_t meta(std::uint32_t i) const noexcept { return load(kFirstMeta + i); }
  void set_value(std::uint32_t i, std::uint64_t value) noexcept {
    store(kFirstSlot + 2 * i + 1, value);
  }
  void set_meta(std::uint32_t i, std::uint64_t meta) noexcept { store(kFirstMeta + i, meta); }

  // The first slot of a cache line.
  static std::uint32_t home(std::uint64_t hash) noexcept {
    constexpr std::uint32_t kLines = kSlots / kLineSlots;
    return static_cast<std::uint32_t>((hash & 0xffffffffu) * kLines >> 32) * kLineSlots;
  }

  void prefetch(std::uint64_t hash) const noexcept {
    __builtin_prefetch(&words_[kFirstSlot + 2 * home(hash)]);
  }

  // The slot that holds `word` and whose value satisfies match(value), or kNone.
  template <class Match>
  std::uint32_t find(std::uint64_t hash, std::uint64_t word, std::uint64_t empty,
                     Match match) const noexcept {
    std::uint32_t first = home(hash);
    for (std::uint32_t seen = 0; seen < kSlots; seen += kLineSlots) {
      // All slots of a line before the first branch: it goes the same way nearly always, and a
      // processor that foresees it loads the line of the next look-up meanwhile.
      const std::uint64_t held[] = {key(first), key(first + 1), key(first + 2), key(first + 3)};
      std::uint32_t hits = which(held, word);
      for (; hits != 0; hits &= hits - 1) {
        const std::uint32_t i = first + static_cast<std::uint32_t>(std::countr_zero(hits));
        if (match(value(i))) return i;
      }
      if (which(held, empty) != 0) return kNone;
      first = first + kLineSlots == kSlots ? 0 : first + kLineSlots;
    }
    return kNone;
  }

  // REQUIRES: no such entry, entries() < kSlots.
  std::uint32_t insert(std::uint64_t hash, std::uint64_t word, std::uint64_t value,
                       std::uint64_t meta, std::uint64_t empty) noexcept {
    std::uint32_t i = home(hash);
    while (key(i) != empty) i = next(i);
    put(i, word, value, meta);
    set_header(entries() + 1, depth());
    note_expiry(MapMeta::expiry(meta));
    return i;
  }

  // Frees slot i; entries behind it move up, one of them perhaps into slot i.
  // hash_of(key word) answers the hash.
  template <class HashOf>
  void erase(std::uint32_t i, std::uint64_t empty, HashOf hash_of) noexcept {
    std::uint32_t hole = i;
    for (std::uint32_t j = next(i); key(j) != empty; j = next(j)) {
      // An entry may move to the hole unless its home lies between the two.
      if (distance(home(hash_of(key(j))), j) >= distance(hole, j)) {
        put(hole, key(j), value(j), meta(j));
        hole = j;
      }
    }
    put(hole, empty, 0, 0);
    set_header(entries() - 1, depth());
  }

  // Calls visit(i) for each entry, which must not insert or erase.
  template <class Visit>
  void each(std::uint64_t empty, Visit visit) const {
    for (std::uint32_t i = 0; i < kSlots; ++i) {
      if (key(i) != empty) visit(i);
    }
  }

 private:
  static constexpr std::uint32_t kLineSlots = 4;
  static constexpr std::uint32_t kFirstSlot = 8;
  static constexpr std::uint32_t kFirstMeta = kFirstSlot + 2 * kSlots;
  static_assert(kFirstMeta + kSlots == kMapPageWords && kSlots % kLineSlots == 0);

  // A bit for each of a line's keys that is `word`.
  static std::uint32_t which(const std::uint64_t (&held)[kLineSlots], std::uint64_t word) noexcept {
    const auto bit = [&](std::uint32_t i) { return std::uint32_t{held[i] == word} << i; };
    return bit(0) | bit(1) | bit(2) | bit(3);
  }

  static std::uint32_t next(std::uint32_t i) noexcept { return i + 1 == kSlots ? 0 : i + 1; }
  static std::uint32_t distance(std::uint32_t from, std::uint32_t to) noexcept {
    return to >= from ? to - from : to + kSlots - from;
  }

  void put(std::uint32_t i, std::uint64_t word, std::uint64_t value, std::uint64_t meta) noexcept {
    store(kFirstSlot + 2 * i, word);
    store(kFirstSlot + 2 * i + 1, value);
    store(kFirstMeta + i, meta);
  }
  void set_header(std::uint32_t entries, std::uint32_t depth) noexcept {
    store(0, std::uint64_t{depth} << 32 | entries);
  }

  // Acquire and release: pair with each other, as SeqLock wants it for readers without the lock.
  std::uint64_t load(std::uint32_t word) const noexcept {
    return words_[word].load(std::memory_order_acquire);
  }
  void store(std::uint32_t word, std::uint64_t value) noexcept {
    words_[word].store(value, std::memory_order_release);
  }

  std::atomic<std::uint64_t>* words_;
};

}  // namespace millrace
