#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <span>

#include "millrace/base/cache_line.h"

namespace millrace {

// The free indices of a fixed range: a stack (R. K. Treiber's) linked through an array of 32-bit
// words outside the records, and behind it those that were never used, which are counted and not
// linked: a large pool costs nothing until it is used.
// Any thread, lock-free. Owns nothing. A batch costs one compare-and-swap.
//
// The head holds an index and a tag that changes with every change of the head. A thread that read
// the head and was then overtaken by others fails its compare-and-swap, even if the same index is
// on top again, unless exactly 2^32 changes came between.
class TaggedFreeList {
 public:
  static constexpr std::uint32_t kNone = 0xffffffffu;
  static constexpr std::uint32_t kMaxCapacity = 0xffffff00u;

  TaggedFreeList() = default;
  TaggedFreeList(const TaggedFreeList&) = delete;
  TaggedFreeList& operator=(const TaggedFreeList&) = delete;

  // `links`: one word for each index. A word of an index that is not in the list may be used for
  // anything. All indices below `capacity` are free and unused. `tag` is the first tag.
  void open(std::uint32_t capacity, std::atomic<std::uint32_t>* links, std::uint32_t tag = 0) {
    capacity_ = capacity;
    links_ = links;
    head_.store(head_of(kNone, tag), std::memory_order_relaxed);
    listed_.store(0, std::memory_order_relaxed);
    used_.store(0, std::memory_order_relaxed);
  }

  // Takes used indices only. Fills a prefix of `out` and answers its length; what lies behind it
  // may have been written to.
  std::uint32_t take(std::span<std::uint32_t> out) noexcept {
    // Acquire: pairs with the release in give(), also of those below the top: each change of the
    // head is a read-modify-write, which continues the release before it.
    std::uint64_t head = head_.load(std::memory_order_acquire);
    for (;;) {
      std::uint32_t count = 0;
      std::uint32_t index = index_of(head);
      // If somebody is faster, the words read here may be anything; then the exchange fails.
      while (count < out.size() && index < capacity_) {
        out[count++] = index;
        index = links_[index].load(std::memory_order_relaxed);
      }
      if (count == 0) return 0;
      if (head_.compare_exchange_weak(head, head_of(index, tag_of(head) + 1),
                                      std::memory_order_acquire, std::memory_order_acquire)) {
        listed_.fetch_sub(count, std::memory_order_relaxed);
        return count;
      }
    }
  }

  std::uint32_t take_one() noexcept {
    std::uint32_t index;
    return take(std::span(&index, 1)) == 1 ? index : kNone;
  }

  // An index that was never taken, or kNone.
  std::uint32_t take_unused() noexcept {
    std::uint32_t index = used_.load(std::memory_order_relaxed);
    do {
      if (index >= capacity_) return kNone;
    } while (!used_.compare_exchange_weak(index, index + 1, std::memory_order_relaxed));
    return index;
  }

  // REQUIRES: they were taken, and not given since.
  void give(std::span<const std::uint32_t> indices) noexcept {
    if (indices.empty()) return;
    for (std::size_t i = 0; i + 1 < indices.size(); ++i) {
      links_[indices[i]].store(indices[i + 1], std::memory_order_relaxed);
    }
    listed_.fetch_add(static_cast<std::uint32_t>(indices.size()), std::memory_order_relaxed);
    std::uint64_t head = head_.load(std::memory_order_relaxed);
    do {
      links_[indices.back()].store(index_of(head), std::memory_order_relaxed);
      // Release: pairs with the acquire in take().
    } while (!head_.compare_exchange_weak(head, head_of(indices.front(), tag_of(head) + 1),
                                          std::memory_order_release, std::memory_order_relaxed));
  }

  // Indices that were ever taken: the first so many.
  std::uint32_t used() const noexcept { return used_.load(std::memory_order_relaxed); }
  // Used indices that are in the list. Changes a moment before or after the list does.
  std::uint32_t listed() const noexcept { return listed_.load(std::memory_order_relaxed); }

 private:
  static std::uint64_t head_of(std::uint32_t index, std::uint32_t tag) {
    return std::uint64_t{tag} << 32 | index;
  }
  static std::uint32_t index_of(std::uint64_t head) { return static_cast<std::uint32_t>(head); }
  static std::uint32_t tag_of(std::uint64_t head) { return static_cast<std::uint32_t>(head >> 32); }

  alignas(kCacheLineBytes) std::atomic<std::uint64_t> head_{head_of(kNone, 0)};
  std::atomic<std::uint32_t> listed_{0};
  alignas(kCacheLineBytes) std::atomic<std::uint32_t> used_{0};
  std::uint32_t capacity_ = 0;
  std::atomic<std::uint32_t>* links_ = nullptr;
};

}  // namespace millrace
