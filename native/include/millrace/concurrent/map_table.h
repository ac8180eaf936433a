#pragma once

#include <cstdint>

#include "millrace/concurrent/keyed_hash.h"
#include "millrace/concurrent/map_directory.h"
#include "millrace/concurrent/map_pages.h"
#include "millrace/concurrent/map_segment.h"

namespace millrace {

// What all shards of a map share. Constant once the map is open, but for the pages in it.
struct MapGround {
  MapPages pages;
  KeyedHash hash{0};
  std::uint32_t shard_bits = 1;

  std::uint64_t shard_of(std::uint64_t hash_value) const noexcept {
    return hash_value >> (64 - shard_bits);
  }
};

// The hash table of one shard: segments found through a directory, in the order of the hash. A full
// segment splits in two and sparse neighbours merge, so growing never stops the map: no step
// handles more than two segments. Synchronised by its shard; page_of() and find() are also for
// readers under SeqLock, who must check the page number. Owns its pages. A look-up costs a
// directory word and a line of slots; a split inserts some 150 entries anew.
//
// `Entries` says what a slot means (map_entries.h): here, the hash of a key word.
template <class Entries>
class MapTable {
 public:
  // Below this many entries in a segment a merge is worth trying.
  static constexpr std::uint32_t kMergeBelow = 40;

  struct Slot {
    std::uint32_t page;
    std::uint32_t index;
    bool found() const noexcept { return index != MapSegment::kNone; }
  };

  // `page` is a zeroed page of the map, and this table's for ever. `empty`: a key word whose hash
  // belongs to another shard.
  void open(const MapGround& ground, std::uint32_t page, std::uint64_t empty) noexcept {
    base_page_ = page;
    empty_ = empty;
    if (empty != 0) segment(ground, page).clear(empty, 0);
    directory_.reset(page);
  }

  std::uint64_t empty_word() const noexcept { return empty_; }

  MapSegment segment(const MapGround& ground, std::uint32_t page) const noexcept {
    return MapSegment(ground.pages.at(page));
  }

  std::uint32_t page_of(const MapGround& ground, std::uint64_t hash) const noexcept {
    return directory_.find(hash << ground.shard_bits, ground.pages);
  }
  MapSegment segment_of(const MapGround& ground, std::uint64_t hash) const noexcept {
    return segment(ground, page_of(ground, hash));
  }

  // The first hash behind those of the hash's segment; 0 behind the last of all.
  std::uint64_t end_of(const MapGround& ground, std::uint64_t hash) const noexcept {
    const std::uint32_t depth = segment_of(ground, hash).depth();
    const std::uint64_t size = std::uint64_t{1} << (64 - ground.shard_bits - depth);
    return (hash & ~(size - 1)) + size;
  }

  template <class Match>
  Slot find(const MapGround& ground, std::uint64_t hash, std::uint64_t word, Match match) const {
    const std::uint32_t page = page_of(ground, hash);
    return {page, segment(ground, page).find(hash, word, empty_, match)};
  }

  enum class Room : std::uint8_t {
    kReady,
    // Not enough pages to split the segment: two at most.
    kNoPage,
    // The directory cannot tell more hashes apart. No random hash gets there: a map has a quarter
    // as many pages as its directories have places.
    kNoBits,
  };

  // Sees to it that insert() has a free slot.
  Room make_slot(MapGround& ground, std::uint64_t hash) noexcept {
    for (;;) {
      const MapSegment at = segment_of(ground, hash);
      if (at.entries() < MapSegment::kSoftLimit) return Room::kReady;
      const Room split_room = split(ground, hash);
      if (split_room == Room::kReady) continue;
      return at.entries() < MapSegment::kHardLimit ? Room::kReady : split_room;
    }
  }

  // REQUIRES: make_slot() answered kReady, and there is no such entry.
  void insert(const MapGround& ground, std::uint64_t hash, std::uint64_t word, std::uint64_t value,
              std::uint64_t meta) noexcept {
    segment_of(ground, hash).insert(hash, word, value, meta, empty_);
  }

  // Entries behind it in the segment may move, one of them into the slot.
  void erase(const MapGround& ground, Slot slot) noexcept {
    segment(ground, slot.page).erase(slot.index, empty_, [&ground](std::uint64_t word) {
      return Entries::hash_of_word(ground.hash, word);
    });
  }

  // Joins the hash's segment with its neighbour, the other half of what they were before a split,
  // if both together are sparse; and again.
  void merge(MapGround& ground, std::uint64_t hash) noexcept {
    for (;;) {
      const std::uint64_t bits = hash << ground.shard_bits;
      const std::uint32_t depth = segment_of(ground, hash).depth();
      if (depth == 0) return;
      const std::uint64_t last = std::uint64_t{1} << (64 - depth);
      const std::uint32_t lower_page = directory_.find(bits & ~last, ground.pages);
      const std::uint32_t upper_page = directory_.find(bits | last, ground.pages);
      MapSegment lower = segment(ground, lower_page);
      MapSegment upper = segment(ground, upper_page);
      if (lower.depth() != upper.depth()) return;
      if (lower.entries() + upper.entries() > kMergedLimit) return;
      upper.each(empty_, [&](std::uint32_t i) {
        const std::uint64_t word = upper.key(i);
        const std::uint64_t its = Entries::hash_of_word(ground.hash, word);
        lower.insert(its, word, upper.value(i), upper.meta(i), empty_);
      });
      lower.set_depth(depth - 1);
      directory_.assign(bits & ~last, depth - 1, lower_page, ground.pages);
      ground.pages.release(upper_page);
    }
  }

  // Forgets all entries and gives back all pages but the first.
  void clear(MapGround& ground) noexcept {
    std::uint64_t bits = 0;
    do {
      const std::uint32_t page = directory_.find(bits, ground.pages);
      bits += std::uint64_t{1} << 1 << (63 - segment(ground, page).depth());
      if (page != base_page_) ground.pages.release(page);
    } while (bits != 0);
    const std::uint32_t own = directory_.reset(base_page_);
    if (own != 0) ground.pages.release(own);
    segment(ground, base_page_).clear(empty_, 0);
  }

 private:
  // Of two neighbours together; well below the limit at which they would split again.
  static constexpr std::uint32_t kMergedLimit = 88;

  struct Held {
    std::uint64_t word, value, meta;
  };

  // Splits the hash's segment in two by the next bit; its page stays with the lower half.
  Room split(MapGround& ground, std::uint64_t hash) noexcept {
    const std::uint64_t bits = hash << ground.shard_bits;
    MapSegment lower = segment_of(ground, hash);
    const std::uint32_t depth = lower.depth();
    if (depth == MapDirectory::kMaxDepth) return Room::kNoBits;
    const bool grow = depth == directory_.depth();
    const bool grow_page = grow && directory_.grow_needs_page();
    const std::uint32_t upper_page = ground.pages.acquire(grow_page ? 2 : 1);
    if (upper_page == 0) return Room::kNoPage;
    if (grow) directory_.grow(ground.pages.note(upper_page).next, ground.pages);

    Held held[MapSegment::kSlots];
    std::uint32_t n = 0;
    lower.each(empty_, [&](std::uint32_t i) {
      held[n++] = {lower.key(i), lower.value(i), lower.meta(i)};
    });
    MapSegment upper = segment(ground, upper_page);
    lower.clear(empty_, depth + 1);
    upper.clear(empty_, depth + 1);
    for (std::uint32_t i = 0; i < n; ++i) {
      const std::uint64_t its = Entries::hash_of_word(ground.hash, held[i].word);
      MapSegment& to = (its << ground.shard_bits << depth) >> 63 != 0 ? upper : lower;
      to.insert(its, held[i].word, held[i].value, held[i].meta, empty_);
    }
    directory_.assign(bits | std::uint64_t{1} << (63 - depth), depth + 1, upper_page, ground.pages);
    return Room::kReady;
  }

  std::uint64_t empty_ = 0;
  MapDirectory directory_;
  std::uint32_t base_page_ = 0;
};

}  // namespace millrace
