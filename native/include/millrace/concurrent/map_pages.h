#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>

#include "millrace/base/spin_lock.h"

namespace millrace {

inline constexpr std::uint32_t kMapPageBytes = 4096;
inline constexpr std::uint32_t kMapPageWords = kMapPageBytes / 8;

// The unit of everything a concurrent map allocates: slots, directories, entries. Pages of a map
// whose readers take no lock are these 512 atomics for as long as the map lives, whatever they are
// used for: a late reader of a page that has changed hands reads atomics, finds the shard's count
// changed, and throws away what it read.
struct alignas(kMapPageBytes) MapPage {
  std::atomic<std::uint64_t> words[kMapPageWords];
};

// What is known of a page beside its contents. Belongs to whoever has the page.
struct MapPageNote {
  std::uint32_t previous;
  std::uint32_t next;
  // Of a page of entries: bytes of the fragments that live in it.
  std::uint32_t live;
};

// The pages of one map, numbered from 1; 0 is none. Any thread may acquire and release. Owns no
// memory: the map gives it zeroed memory for `count` pages and notes. Costs one spin lock a call,
// once for each 4 KiB that moves.
class MapPages {
 public:
  // Pages kept back from acquire(): cleaning must be able to move before it frees.
  static constexpr std::uint32_t kReserve = 1;

  // Pages 1 to `taken` are the caller's from the start.
  void open(MapPage* pages, MapPageNote* notes, std::uint32_t count, std::uint32_t taken) noexcept {
    pages_ = pages;
    notes_ = notes;
    count_ = count;
    touched_ = taken;
    free_.store(count - taken, std::memory_order_relaxed);
  }

  // REQUIRES: 1 <= page <= count().
  MapPage& at(std::uint32_t page) const noexcept { return pages_[page - 1]; }
  MapPageNote& note(std::uint32_t page) const noexcept { return notes_[page - 1]; }
  std::byte* bytes(std::uint32_t page) const noexcept {
    return reinterpret_cast<std::byte*>(pages_ + (page - 1));
  }
  std::uint32_t count() const noexcept { return count_; }

  // Pages that acquire() could give a moment ago.
  std::uint32_t available() const noexcept {
    const std::uint32_t free = free_.load(std::memory_order_relaxed);
    return free > kReserve ? free - kReserve : 0;
  }
  std::uint32_t used() const noexcept { return count_ - free_.load(std::memory_order_relaxed); }

  // A chain of n pages by their notes' `next`, ended by 0; 0 if there are not as many. What is in
  // the pages is left over from earlier use.
  std::uint32_t acquire(std::uint32_t n = 1) noexcept {
    const std::lock_guard guard(lock_);
    return free_.load(std::memory_order_relaxed) < n + kReserve ? 0 : take(n);
  }

  // One page, from the reserve if need be. REQUIRES: one thread at a time, and that it gives a page
  // back before it asks again.
  std::uint32_t acquire_reserved() noexcept {
    const std::lock_guard guard(lock_);
    return free_.load(std::memory_order_relaxed) < 1 ? 0 : take(1);
  }

  void release(std::uint32_t page) noexcept {
    const std::lock_guard guard(lock_);
    notes_[page - 1].next = head_;
    head_ = page;
    free_.store(free_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

  // If no more than the first `taken` pages are in use, calls give_back(first, pages) with the
  // memory behind them, which must read as zeros or as it was afterwards.
  template <class GiveBack>
  void trim(std::uint32_t taken, GiveBack give_back) noexcept {
    const std::lock_guard guard(lock_);
    if (free_.load(std::memory_order_relaxed) != count_ - taken || touched_ == taken) return;
    give_back(pages_ + taken, touched_ - taken);
    head_ = 0;
    touched_ = taken;
  }

 private:
  // Returned pages first: they are warm and have memory behind them.
  std::uint32_t take(std::uint32_t n) noexcept {
    free_.store(free_.load(std::memory_order_relaxed) - n, std::memory_order_relaxed);
    std::uint32_t chain = 0;
    for (; n > 0; --n) {
      std::uint32_t page = head_;
      if (page != 0) {
        head_ = notes_[page - 1].next;
      } else {
        page = ++touched_;
      }
      notes_[page - 1].next = chain;
      chain = page;
    }
    return chain;
  }

  MapPage* pages_ = nullptr;
  MapPageNote* notes_ = nullptr;
  std::uint32_t count_ = 0;
  SpinLock lock_;
  std::uint32_t head_ = 0;
  // Pages above this one have never been handed out.
  std::uint32_t touched_ = 0;
  // Changed under the lock, read by anyone.
  std::atomic<std::uint32_t> free_{0};
};

}  // namespace millrace
