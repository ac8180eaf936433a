#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <new>

#include "millrace/base/clock.h"
#include "millrace/base/spin_lock.h"
#include "millrace/base/system_error.h"
#include "millrace/concurrent/map_plan.h"
#include "millrace/concurrent/map_shard.h"
#include "millrace/memory/arena.h"

namespace millrace {

struct MapStats {
  // May count entries that have expired and are not reclaimed yet.
  std::uint64_t entries;
  // Of the map's bytes, how many have something in them.
  std::uint64_t used_bytes;
  std::uint64_t max_bytes;
  // Entries that were reclaimed after their time, and that had to go for others.
  std::uint64_t expired;
  std::uint64_t evicted;
};

// What is under a ConcurrentMap: its shards in their arena, its clocks, and how room is made when
// there is none. Any thread may call the public members once open() has succeeded; the destructor
// REQUIRES that nobody does any more. Owns MapPlan::arena_bytes of address space; touches as much
// of it as it uses.
template <class Entries>
class MapStore {
 public:
  MapStore() = default;
  MapStore(const MapStore&) = delete;
  MapStore& operator=(const MapStore&) = delete;

  // REQUIRES: options within their ranges. Once.
  SystemError open(const MapOptions& options) {
    const MapPlan plan = MapPlan::make(options, sizeof(MapStore), sizeof(Shard));
    if (const SystemError error = Arena::create(plan.arena_bytes, arena_)) return error;
    arena_.prefer_huge_pages(kSmallBytes);
    std::byte* const memory = arena_.data();
    shard_count_ = plan.shards;
    ground_.shard_bits = static_cast<std::uint32_t>(std::countr_zero(plan.shards));
    ground_.hash = options.seed == 0 ? KeyedHash::random() : KeyedHash(options.seed);
    ground_.pages.open(reinterpret_cast<MapPage*>(memory + plan.pages_at),
                       reinterpret_cast<MapPageNote*>(memory + plan.notes_at), plan.pages,
                       plan.shards);
    max_entries_ = options.max_entries;
    evict_ = options.evict;
    entry_pages_ = (plan.pages - plan.shards) / 2;
    const std::uint64_t slots = std::uint64_t{plan.pages} * MapSegment::kSlots;
    const std::uint64_t most = max_entries_ == 0 ? slots : std::min(slots, max_entries_);
    const auto width = static_cast<std::uint32_t>(std::bit_width(most));
    tick_shift_ = width > kExactTickBits ? width - kExactTickBits : 0;
    start_ns_ = monotonic_ns();
    // Zero is a key word of one shard; its own free slots need another mark.
    const std::uint64_t zeros_shard = ground_.shard_of(Entries::hash_of_word(ground_.hash, 0));
    std::uint64_t other = 1;
    while (ground_.shard_of(Entries::hash_of_word(ground_.hash, other)) == zeros_shard) {
      other = other << 1 | 1;
    }
    shards_ = reinterpret_cast<Shard*>(memory);
    for (std::uint32_t i = 0; i < shard_count_; ++i) {
      new (&shards_[i]) Shard;
      shards_[i].open(ground_, i + 1, i == zeros_shard ? other : 0);
    }
    return {};
  }

  // What a map of these options takes at most: never more than options.max_bytes.
  static std::size_t bytes(const MapOptions& options) noexcept {
    return sizeof(MapStore) + MapPlan::make(options, sizeof(MapStore), sizeof(Shard)).arena_bytes;
  }

  // How many entries there are: exact, unless others write meanwhile. Costs a look at each shard,
  // and reclaims what has expired first.
  std::uint64_t size() {
    reclaim_expired();
    return count();
  }

  MapStats stats() const noexcept {
    MapStats stats{count(), sizeof(MapStore) + arena_.max_bytes(),
                   sizeof(MapStore) + arena_.max_bytes(), 0, 0};
    stats.used_bytes -= std::uint64_t{ground_.pages.count() - ground_.pages.used()} * kMapPageBytes;
    for (std::uint32_t i = 0; i < shard_count_; ++i) {
      stats.expired += shards_[i].expirations();
      stats.evicted += shards_[i].evictions();
    }
    return stats;
  }

  // Removes all entries, shard after shard: one that is added meanwhile may stay. The memory goes
  // back to the system unless something is added meanwhile.
  void clear() noexcept {
    for (std::uint32_t i = 0; i < shard_count_; ++i) {
      const std::lock_guard guard(shards_[i].lock());
      const std::uint32_t entries = shards_[i].entries();
      shards_[i].clear(ground_);
      removed(entries);
    }
    ground_.pages.trim(shard_count_, [this](MapPage* first, std::size_t pages) {
      const auto* const start = reinterpret_cast<std::byte*>(first);
      // Should the system refuse, the memory stays: it is as good as before.
      arena_.decommit(static_cast<std::size_t>(start - arena_.data()), pages * kMapPageBytes);
    });
  }

 protected:
  using Shard = MapShard<Entries>;
  using Slot = typename Shard::Slot;

  // What an entry that does not fit is waiting for.
  struct Need {
    bool entry = false;
    std::uint64_t pages = 0;
  };

  // Milliseconds since open(), never ahead and up to a kernel tick behind. Entries expire by it.
  std::uint64_t now_ms() const noexcept {
    const std::int64_t since = clock_ns(CLOCK_MONOTONIC_COARSE) - start_ns_;
    return since <= 0 ? 0 : static_cast<std::uint64_t>(since / kNanosPerMilli);
  }
  // Nanoseconds since open(), exact. Expiries are counted from it, rounded up: none is early.
  std::int64_t elapsed_ns() const noexcept { return monotonic_ns() - start_ns_; }

  // The stamp of an entry that is used now. Small maps count every use, large ones only writes and
  // in steps: a stamp's 20 bits must outlast several generations of entries.
  std::uint64_t tick(bool write) noexcept {
    if (write || tick_shift_ == 0) {
      return uses_.fetch_add(1, std::memory_order_relaxed) >> tick_shift_;
    }
    return uses_.load(std::memory_order_relaxed) >> tick_shift_;
  }

  // Counts a new entry. False: there are max_entries.
  bool added() noexcept {
    if (max_entries_ == 0) return true;
    std::uint64_t held = held_.load(std::memory_order_relaxed);
    do {
      if (held >= max_entries_) return false;
    } while (!held_.compare_exchange_weak(held, held + 1, std::memory_order_relaxed,
                                          std::memory_order_relaxed));
    return true;
  }
  void removed(std::uint64_t entries) noexcept {
    if (max_entries_ != 0) held_.fetch_sub(entries, std::memory_order_relaxed);
  }

  std::uint64_t count() const noexcept {
    std::uint64_t entries = 0;
    for (std::uint32_t i = 0; i < shard_count_; ++i) entries += shards_[i].entries();
    return entries;
  }

  // REQUIRES: no shard's lock is held. True: it is worth trying again. False: full.
  bool make_room(Need need) {
    const std::lock_guard guard(room_lock_);
    // Each cleaning gains some space, unless keys are thousands of bytes long: bounded for those.
    std::uint64_t cleanings = 64 + need.pages * 8;
    for (;;) {
      if (need.entry ? held_.load(std::memory_order_relaxed) < max_entries_
                     : ground_.pages.available() >= need.pages) {
        return true;
      }
      if (reclaim_expired() != 0) return true;
      if (!need.entry && cleanings != 0 && clean_sparsest()) {
        --cleanings;
        continue;
      }
      if (!evict_ || !evict_some(need.entry ? 1 : kEvictedAtOnce)) return false;
    }
  }

  Arena arena_;
  MapGround ground_;
  Shard* shards_ = nullptr;
  std::uint32_t shard_count_ = 0;
  std::uint32_t tick_shift_ = 0;
  std::uint64_t max_entries_ = 0;
  bool evict_ = false;
  // The most pages that one entry may ask for.
  std::uint64_t entry_pages_ = 0;

 private:
  // Pages of 4 KiB do up to here: a small map takes no more than it uses.
  static constexpr std::size_t kSmallBytes = std::size_t{4} << 20;
  static constexpr std::uint32_t kSamples = 6;
  static constexpr std::uint32_t kEvictedAtOnce = 8;
  // A generation of entries takes at most 2^16 ticks, of the 2^20 that a stamp can tell apart.
  static constexpr std::uint32_t kExactTickBits = 16;

  std::uint64_t reclaim_expired() {
    std::uint64_t reclaimed = 0;
    std::uint64_t now = 0;
    for (std::uint32_t i = 0; i < shard_count_; ++i) {
      Shard& shard = shards_[i];
      if (shard.earliest() == Shard::kNever) continue;
      if (now == 0) now = now_ms();
      if (shard.earliest() > now) continue;
      const std::lock_guard guard(shard.lock());
      const std::uint32_t gone = shard.sweep_all(ground_, now);
      removed(gone);
      reclaimed += gone;
    }
    return reclaimed;
  }

  // REQUIRES: room_lock_.
  bool clean_sparsest() {
    if constexpr (Entries::kInSlot) {
      return false;
    } else {
      Shard* sparsest = nullptr;
      for (std::uint32_t i = 0; i < shard_count_; ++i) {
        if (!shards_[i].log().cleanable()) continue;
        if (sparsest == nullptr || shards_[i].log().sparsest() < sparsest->log().sparsest()) {
          sparsest = &shards_[i];
        }
      }
      if (sparsest == nullptr) return false;
      const std::lock_guard guard(sparsest->lock());
      return sparsest->log().clean(ground_.pages, [&](std::uint32_t from, std::uint32_t to) {
        const std::uint64_t hash =
            Entries::hash_of(ground_.hash, Entries::entry(ground_.pages, 0, to, 0).key());
        auto& table = sparsest->table();
        const Slot slot =
            table.find(ground_, hash, hash, [from](std::uint64_t word) { return word == from; });
        table.segment(ground_, slot.page).set_value(slot.index, to);
      });
    }
  }

  // The least recently used, approximately: exact where the map has two segments. Looks at some
  // segments, then takes the oldest entries of one of them, as long as they are about as old.
  // REQUIRES: room_lock_.
  bool evict_some(std::uint32_t most) {
    const std::uint64_t now = tick(false);
    Shard* oldest = nullptr;
    std::uint64_t oldest_hash = 0;
    std::uint64_t oldest_age = 0;
    std::uint32_t sampled = 0;
    sample_ += 0x9e3779b97f4a7c15u;
    for (std::uint32_t i = 0; i < std::max(shard_count_, kSamples) && sampled < kSamples; ++i) {
      std::uint64_t hash = ground_.hash.of_word(sample_ + i / shard_count_);
      const std::uint64_t shard_hash = ((sample_ >> 32) + i) << (64 - ground_.shard_bits);
      const auto in_shard = [&](std::uint64_t bits) {
        return shard_hash | (bits << ground_.shard_bits >> ground_.shard_bits);
      };
      hash = in_shard(hash);
      Shard& shard = shards_[ground_.shard_of(hash)];
      const std::lock_guard guard(shard.lock());
      if (shard.entries() == 0) continue;
      ++sampled;
      std::uint64_t age = 0;
      // Round the shard: some segment has an entry.
      while (shard.oldest(shard.table().segment_of(ground_, hash), now, age) == MapSegment::kNone) {
        hash = in_shard(shard.table().end_of(ground_, hash));
      }
      if (oldest != nullptr && age <= oldest_age) continue;
      oldest = &shard;
      oldest_hash = hash;
      oldest_age = age;
    }
    if (oldest == nullptr) return false;
    const std::lock_guard guard(oldest->lock());
    for (; most > 0; --most) {
      if (!oldest->evict_oldest(ground_, oldest_hash, now, oldest_age - oldest_age / 4)) break;
      removed(1);
    }
    return true;
  }

  std::int64_t start_ns_ = 0;
  std::atomic<std::uint64_t> uses_{0};
  // Entries, where their number is limited.
  std::atomic<std::uint64_t> held_{0};
  // Taken before a shard's lock, never while one is held.
  SpinLock room_lock_;
  std::uint64_t sample_ = 1;
};

}  // namespace millrace
