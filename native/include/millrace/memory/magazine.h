#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <span>

namespace millrace {

inline constexpr std::uint32_t kNoBlock = 0xffffffffu;

// Free blocks of one size class (or records of a pool) that a thread keeps, last in first out: the
// block freed last is the one whose lines are still in the core's cache. It trades with the common
// list of the class in halves. List: take(span) fills a prefix and answers its length, give(span).
// One thread at a time (ThreadCaches); the figures may be read by any. Owns its blocks. A push or a
// pop is a few plain loads and stores.
//
// The newest block lies apart, in front_: a program that frees and allocates in turns then neither
// moves count_ nor waits for the core to forward one store of it to the next load.
class Magazine {
 public:
  static constexpr std::uint32_t kMaxBlocks = 64;

  // Starts empty. Up to `capacity` blocks beside the newest one. An even number, so that half of it
  // can be moved.
  void open(std::uint32_t capacity, std::uint32_t block_bytes) noexcept {
    capacity_ = capacity;
    block_bytes_ = block_bytes;
  }

  // A magazine that refuses every block: stands where page runs have theirs.
  void open_closed() noexcept { front_.store(0, std::memory_order_relaxed); }

  std::uint32_t block_bytes() const noexcept { return block_bytes_; }

  // kNoBlock when there is none: then refill().
  std::uint32_t pop() noexcept {
    std::uint32_t block = front_.load(std::memory_order_relaxed);
    if (block != kNoBlock) [[likely]] {
      front_.store(kNoBlock, std::memory_order_relaxed);
    } else {
      const std::uint32_t count = count_.load(std::memory_order_relaxed);
      if (count == 0) [[unlikely]]
        return kNoBlock;
      block = blocks_[count - 1];
      count_.store(count - 1, std::memory_order_relaxed);
    }
    // Only this thread writes it, so it needs no locked instruction.
    allocations_.store(allocations_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    return block;
  }

  // False when the magazine is full: then make_room().
  bool push(std::uint32_t block) noexcept {
    const std::uint32_t older = front_.load(std::memory_order_relaxed);
    if (older != kNoBlock) {
      const std::uint32_t count = count_.load(std::memory_order_relaxed);
      if (count == capacity_) [[unlikely]]
        return false;
      blocks_[count] = older;
      count_.store(count + 1, std::memory_order_relaxed);
    }
    front_.store(block, std::memory_order_relaxed);
    return true;
  }

  // Of an empty magazine. False when the class has no blocks.
  template <class List>
  bool refill(List& list) noexcept {
    const std::uint32_t wanted = std::max(capacity_ / 2, 1u);
    const std::uint32_t count = list.take(std::span(blocks_, wanted));
    count_.store(count, std::memory_order_relaxed);
    return count != 0;
  }

  // Of a full magazine: gives the older half back. False when it never has room, be it closed or of
  // a class of which only the newest block is kept.
  template <class List>
  bool make_room(List& list) noexcept {
    const std::uint32_t half = capacity_ / 2;
    if (half == 0) return false;
    list.give(std::span(blocks_, half));
    std::copy_n(blocks_ + half, half, blocks_);
    count_.store(half, std::memory_order_relaxed);
    return true;
  }

  // Gives all blocks back. REQUIRES: the magazine is not a closed one.
  template <class List>
  void empty_into(List& list) noexcept {
    const std::uint32_t count = count_.exchange(0, std::memory_order_relaxed);
    if (count != 0) list.give(std::span(blocks_, count));
    const std::uint32_t front = front_.exchange(kNoBlock, std::memory_order_relaxed);
    if (front != kNoBlock) list.give(std::span(&front, 1));
  }

  // Blocks in it now.
  std::uint32_t held() const noexcept {
    const bool front = front_.load(std::memory_order_relaxed) != kNoBlock;
    return count_.load(std::memory_order_relaxed) + (front ? 1 : 0);
  }
  // Blocks handed out so far, by all owners.
  std::uint64_t allocations() const noexcept {
    return allocations_.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<std::uint32_t> front_{kNoBlock};
  std::atomic<std::uint32_t> count_{0};
  std::uint32_t capacity_ = 0;
  std::uint32_t block_bytes_ = 0;
  std::atomic<std::uint64_t> allocations_{0};
  std::uint32_t blocks_[kMaxBlocks];
};

}  // namespace millrace
