#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>

#include "millrace/base/spin_lock.h"
#include "millrace/memory/page_set.h"

namespace millrace {

// Which of the slab's 64 KiB pages are free, and which of these hold physical memory ("ready").
// Any thread may call anything but open(). Owns nothing: its bitmaps lie in memory it is given.
// Taking or giving one page costs a lock and a few bit operations; a run of several pages is
// searched for, a word of 64 pages at a time.
//
// Ready pages go first, so that memory is taken from the system only when what there is has been
// used. Single pages come from the low end and runs from the high end, so that long-lived small
// blocks do not cut up the space that runs need.
class PagePool {
 public:
  static constexpr std::uint32_t kNoPage = PageSet::kNone;
  static constexpr std::uint32_t kMaxPages = PageSet::kMaxPages;

  PagePool() = default;
  PagePool(const PagePool&) = delete;
  PagePool& operator=(const PagePool&) = delete;

  // What the bitmaps of so many pages need.
  static constexpr std::size_t bytes(std::uint32_t pages) {
    return 2 * PageSet::words(pages) * sizeof(std::uint64_t);
  }

  // `memory`: bytes(pages) of zeroes. All pages are free from now on, and hold no memory.
  void open(std::uint32_t pages, std::uint64_t* memory) {
    pages_ = pages;
    free_.open(pages, memory);
    ready_.open(pages, memory + PageSet::words(pages));
    free_.insert(0, pages);
    committed_ = 0;
    withdrawn_ = 0;
    unused_ = 0;
  }

  std::uint32_t pages() const noexcept { return pages_; }

  std::uint32_t free_pages() const {
    std::lock_guard guard(lock_);
    return free_.count();
  }

  // Pages that were handed out since they were last trimmed.
  std::uint32_t committed_pages() const {
    std::lock_guard guard(lock_);
    return committed_;
  }

  // A free page, or kNoPage.
  std::uint32_t take_page() {
    return take(1, [](const PageSet& set) { return set.lowest(); });
  }

  // The first of `count` adjacent free pages, or kNoPage.
  std::uint32_t take_run(std::uint32_t count) {
    return take(count, [count](const PageSet& set) { return set.highest_run(count); });
  }

  void give(std::uint32_t first, std::uint32_t count) {
    std::lock_guard guard(lock_);
    free_.insert(first, count);
    ready_.insert(first, count);
  }

  // Calls release(first, count) for each stretch of ready pages; it shall give their memory back to
  // the system. The lock is not held meanwhile: the stretch is withdrawn, and a take() that finds
  // nothing waits for it. Answers the number of pages released.
  template <class Release>
  std::uint32_t trim(Release release) {
    std::uint32_t from = 0;
    return release_all(release, [&](std::uint32_t& first, std::uint32_t& count) {
      if (!ready_.next_stretch(from, first, count)) return false;
      from = first + count;
      return true;
    });
  }

  // As trim(), for as many pages as nobody has needed since the last call: of those that were ready
  // all the time, the highest. Called at intervals, it keeps what a steady load uses again and
  // again.
  template <class Release>
  std::uint32_t decay(Release release) {
    std::uint32_t left;
    {
      std::lock_guard guard(lock_);
      left = std::exchange(unused_, ready_.count());
      unused_ -= left;
    }
    return release_all(release, [&](std::uint32_t& first, std::uint32_t& count) {
      if (!ready_.highest_stretch(left, first, count)) return false;
      left -= count;
      return true;
    });
  }

 private:
  template <class Find>
  std::uint32_t take(std::uint32_t count, Find find) {
    SpinBackoff backoff;
    for (;;) {
      {
        std::lock_guard guard(lock_);
        std::uint32_t first = find(ready_);
        if (first == kNoPage) first = find(free_);
        if (first != kNoPage) {
          free_.erase(first, count);
          committed_ += count - ready_.erase(first, count);
          unused_ = std::min(unused_, ready_.count());
          return first;
        }
        if (withdrawn_ == 0) return kNoPage;
      }
      backoff.pause();
    }
  }

  // Stretch after stretch, as find(first, count) answers them; it is called with the lock held.
  template <class Release, class Find>
  std::uint32_t release_all(Release release, Find find) {
    std::uint32_t released = 0;
    std::uint32_t first = 0;
    std::uint32_t count = 0;
    for (;;) {
      {
        std::lock_guard guard(lock_);
        withdrawn_ -= count;
        free_.insert(first, count);
        if (!find(first, count)) return released;
        free_.erase(first, count);
        ready_.erase(first, count);
        unused_ = std::min(unused_, ready_.count());
        committed_ -= count;
        withdrawn_ += count;
      }
      release(first, count);
      released += count;
    }
  }

  mutable SpinLock lock_;
  std::uint32_t pages_ = 0;
  std::uint32_t committed_ = 0;
  std::uint32_t withdrawn_ = 0;  // pages a trim is working on
  std::uint32_t unused_ = 0;     // ready ones that were so since the last decay()
  PageSet free_;
  PageSet ready_;
};

}  // namespace millrace
