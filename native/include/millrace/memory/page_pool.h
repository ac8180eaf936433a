#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <mutex>

#include "millrace/base/spin_lock.h"

namespace millrace {

// Which of the slab's 64 KiB pages are free, and which hold physical memory.
// Any thread may call anything but open(). Owns nothing: its two bitmaps lie in memory it is given.
// Taking or giving one page costs a lock and three bit operations; a run of several pages is
// searched for, a word of 64 pages at a time.
//
// Single pages come from the low end and runs from the high end, so that long-lived small blocks
// do not cut up the space that runs need, and the pages in use stay few.
class PagePool {
 public:
  static constexpr std::uint32_t kNoPage = 0xffffffffu;
  static constexpr std::uint32_t kMaxPages = 65535;

  PagePool() = default;
  PagePool(const PagePool&) = delete;
  PagePool& operator=(const PagePool&) = delete;

  static constexpr std::size_t words(std::uint32_t pages) { return (pages + 63) / 64; }
  // What the bitmaps of so many pages need.
  static constexpr std::size_t bytes(std::uint32_t pages) {
    return 2 * words(pages) * sizeof(std::uint64_t);
  }

  // `memory`: bytes(pages) of zeroes. All pages are free from now on, and hold no memory.
  void open(std::uint32_t pages, std::uint64_t* memory) {
    pages_ = pages;
    free_ = memory;
    committed_ = memory + words(pages);
    summary_ = {};
    committed_count_ = 0;
    withdrawn_ = 0;
    free_count_ = 0;
    if (pages != 0) mark_free(0, pages);
  }

  std::uint32_t pages() const noexcept { return pages_; }

  std::uint32_t free_pages() const {
    std::lock_guard guard(lock_);
    return free_count_;
  }

  // Pages that were handed out since they were last trimmed.
  std::uint32_t committed_pages() const {
    std::lock_guard guard(lock_);
    return committed_count_;
  }

  // The lowest free page, or kNoPage.
  std::uint32_t take_page() {
    return take([this] { return lowest_free(); }, 1);
  }

  // The first of `count` adjacent free pages, or kNoPage.
  std::uint32_t take_run(std::uint32_t count) {
    return take([this, count] { return highest_run(count); }, count);
  }

  // Answers how many pages are free now.
  std::uint32_t give(std::uint32_t first, std::uint32_t count) {
    std::lock_guard guard(lock_);
    mark_free(first, count);
    return free_count_;
  }

  // Calls release(first, count) for each stretch of free pages that hold memory; it shall give the
  // memory back to the system. The lock is not held meanwhile: the stretch is withdrawn, and a
  // take() that finds nothing waits for it. Answers the number of pages released.
  template <class Release>
  std::uint32_t trim(Release release) {
    std::uint32_t released = 0;
    std::uint32_t from = 0;
    for (;;) {
      std::uint32_t first;
      std::uint32_t count;
      {
        std::lock_guard guard(lock_);
        if (!next_trimmable(from, first, count)) return released;
        mark_taken(first, count);
        clear_committed(first, count);
        withdrawn_ += count;
      }
      release(first, count);
      released += count;
      from = first + count;
      std::lock_guard guard(lock_);
      withdrawn_ -= count;
      mark_free(first, count);
    }
  }

 private:
  template <class Find>
  std::uint32_t take(Find find, std::uint32_t count) {
    SpinBackoff backoff;
    for (;;) {
      {
        std::lock_guard guard(lock_);
        const std::uint32_t first = find();
        if (first != kNoPage) {
          mark_taken(first, count);
          set_committed(first, count);
          return first;
        }
        if (withdrawn_ == 0) return kNoPage;
      }
      backoff.pause();
    }
  }

  std::uint32_t lowest_free() const {
    for (std::uint32_t group = 0; group < kGroups; ++group) {
      if (summary_[group] == 0) continue;
      const auto word = group * 64 + static_cast<std::uint32_t>(std::countr_zero(summary_[group]));
      return word * 64 + static_cast<std::uint32_t>(std::countr_zero(free_[word]));
    }
    return kNoPage;
  }

  std::uint32_t highest_run(std::uint32_t count) const {
    if (count > free_count_) return kNoPage;
    std::uint32_t end = pages_;
    for (;;) {
      // The stretch of free pages that ends below `end`.
      end = end_of_free(end);
      if (end < count) return kNoPage;
      const std::uint32_t start = start_of_free(end);
      if (end - start >= count) return end - count;
      end = start;
    }
  }

  // One past the highest free page below `end`; 0 if there is none.
  std::uint32_t end_of_free(std::uint32_t end) const {
    while (end != 0) {
      const std::uint32_t word = (end - 1) / 64;
      const std::uint32_t used = end - word * 64;
      const std::uint64_t below = free_[word] & (~std::uint64_t{0} >> (64 - used));
      if (below != 0) return word * 64 + 64 - static_cast<std::uint32_t>(std::countl_zero(below));
      end = word * 64;
    }
    return 0;
  }

  // The lowest page from which all pages up to `end` are free. REQUIRES: page end - 1 is free.
  std::uint32_t start_of_free(std::uint32_t end) const {
    while (end != 0) {
      const std::uint32_t word = (end - 1) / 64;
      const std::uint32_t used = end - word * 64;
      const std::uint64_t taken = ~free_[word] & (~std::uint64_t{0} >> (64 - used));
      if (taken != 0) return word * 64 + 64 - static_cast<std::uint32_t>(std::countl_zero(taken));
      end = word * 64;
    }
    return 0;
  }

  // The first stretch at or after `from`; it ends at a word of 64 pages (4 MiB) at the latest.
  bool next_trimmable(std::uint32_t from, std::uint32_t& first, std::uint32_t& count) const {
    const auto trimmable = [this](std::uint32_t word) { return free_[word] & committed_[word]; };
    for (; from < pages_; from = (from / 64 + 1) * 64) {
      const std::uint64_t rest = trimmable(from / 64) >> (from % 64);
      if (rest == 0) continue;
      const auto skip = static_cast<std::uint32_t>(std::countr_zero(rest));
      first = from + skip;
      count = static_cast<std::uint32_t>(std::countr_one(rest >> skip));
      return true;
    }
    return false;
  }

  // Calls change(word, mask) for the words that hold pages [first, first + count).
  template <class Change>
  static void for_words(std::uint32_t first, std::uint32_t count, Change change) {
    while (count != 0) {
      const std::uint32_t word = first / 64;
      const std::uint32_t at = first % 64;
      const std::uint32_t here = count < 64 - at ? count : 64 - at;
      change(word, (~std::uint64_t{0} >> (64 - here)) << at);
      first += here;
      count -= here;
    }
  }

  void mark_free(std::uint32_t first, std::uint32_t count) {
    for_words(first, count, [this](std::uint32_t word, std::uint64_t mask) {
      free_[word] |= mask;
      summary_[word / 64] |= std::uint64_t{1} << (word % 64);
    });
    free_count_ += count;
  }

  void mark_taken(std::uint32_t first, std::uint32_t count) {
    for_words(first, count, [this](std::uint32_t word, std::uint64_t mask) {
      free_[word] &= ~mask;
      if (free_[word] == 0) summary_[word / 64] &= ~(std::uint64_t{1} << (word % 64));
    });
    free_count_ -= count;
  }

  void set_committed(std::uint32_t first, std::uint32_t count) {
    for_words(first, count, [this](std::uint32_t word, std::uint64_t mask) {
      committed_count_ += static_cast<std::uint32_t>(std::popcount(mask & ~committed_[word]));
      committed_[word] |= mask;
    });
  }

  void clear_committed(std::uint32_t first, std::uint32_t count) {
    for_words(first, count,
              [this](std::uint32_t word, std::uint64_t mask) { committed_[word] &= ~mask; });
    committed_count_ -= count;
  }

  static constexpr std::uint32_t kGroups = (kMaxPages / 64 + 1 + 63) / 64;

  mutable SpinLock lock_;
  std::uint32_t pages_ = 0;
  std::uint32_t free_count_ = 0;
  std::uint32_t committed_count_ = 0;
  std::uint32_t withdrawn_ = 0;  // pages a trim is working on
  std::uint64_t* free_ = nullptr;
  std::uint64_t* committed_ = nullptr;
  std::array<std::uint64_t, kGroups> summary_{};  // a bit for each word of free_ that is not 0
};

}  // namespace millrace
