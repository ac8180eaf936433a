#pragma once

#include <atomic>
#include <cstdint>

#include "millrace/concurrent/map_pages.h"

namespace millrace {

// Which page holds the keys of a shard whose hashes begin with given bits: the directory of
// extendible hashing (Fagin, Nievergelt, Pippenger, Strong, 1979). It has 2^depth page numbers, two
// to a word: in 64 bytes of its own up to depth 4, in a page of the map up to depth 10. Changed
// under the shard's lock; find() is also for readers under the shard's SeqLock, who may get any
// number. Costs one load beside the page number's.
class MapDirectory {
 public:
  static constexpr std::uint32_t kInlineDepth = 4;
  static constexpr std::uint32_t kMaxDepth = 10;

  // One page for all hashes. Answers the page the directory itself had, or 0.
  std::uint32_t reset(std::uint32_t page) noexcept {
    const std::uint32_t own = own_page(load());
    inline_[0].store(page, std::memory_order_release);
    state_.store(0, std::memory_order_release);
    return own;
  }

  std::uint32_t depth() const noexcept { return depth_of(load()); }

  // The page for `bits`: the hash's bits behind those that chose the shard.
  std::uint32_t find(std::uint64_t bits, const MapPages& pages) const noexcept {
    const std::uint64_t state = load();
    return get(words(state, pages), index(bits, depth_of(state)));
  }

  // Whether the next grow() needs a page to be in.
  bool grow_needs_page() const noexcept { return depth() == kInlineDepth; }

  // Doubles it. REQUIRES: depth() < kMaxDepth; a page if grow_needs_page(), else 0.
  void grow(std::uint32_t page, const MapPages& pages) noexcept {
    const std::uint64_t old = load();
    const std::uint32_t depth = depth_of(old);
    const std::uint32_t own = page != 0 ? page : own_page(old);
    const std::uint64_t grown = std::uint64_t{own} << 8 | (depth + 1);
    Word* const from = words(old, pages);
    Word* const to = words(grown, pages);
    for (std::uint32_t i = std::uint32_t{1} << depth; i-- > 0;) {
      const std::uint64_t held = get(from, i);
      to[i].store(held << 32 | held, std::memory_order_release);
    }
    state_.store(grown, std::memory_order_release);
  }

  // Points every hash whose first `depth` bits are those of `bits` to `page`.
  // REQUIRES: depth <= depth().
  void assign(std::uint64_t bits, std::uint32_t depth, std::uint32_t page,
              const MapPages& pages) noexcept {
    const std::uint64_t state = load();
    Word* const to = words(state, pages);
    const std::uint32_t spread = depth_of(state) - depth;
    const std::uint32_t first = index(bits, depth) << spread;
    for (std::uint32_t i = first; i < first + (std::uint32_t{1} << spread); ++i) {
      const std::uint32_t shift = (i & 1) * 32;
      const std::uint64_t other =
          to[i / 2].load(std::memory_order_relaxed) & ~(std::uint64_t{0xffffffff} << shift);
      to[i / 2].store(other | std::uint64_t{page} << shift, std::memory_order_release);
    }
  }

 private:
  using Word = std::atomic<std::uint64_t>;

  static std::uint32_t depth_of(std::uint64_t state) noexcept { return state & 0xff; }
  static std::uint32_t own_page(std::uint64_t state) noexcept {
    return static_cast<std::uint32_t>(state >> 8);
  }
  static std::uint32_t index(std::uint64_t bits, std::uint32_t depth) noexcept {
    // Two shifts: one by 64 is undefined.
    return static_cast<std::uint32_t>(bits >> 1 >> (63 - depth));
  }

  Word* words(std::uint64_t state, const MapPages& pages) const noexcept {
    const std::uint32_t own = own_page(state);
    return own == 0 ? const_cast<Word*>(inline_) : pages.at(own).words;
  }
  // Acquire here and release in the stores: pair with each other, as SeqLock wants it.
  static std::uint32_t get(const Word* words, std::uint32_t i) noexcept {
    return static_cast<std::uint32_t>(words[i / 2].load(std::memory_order_acquire) >>
                                      ((i & 1) * 32));
  }
  std::uint64_t load() const noexcept { return state_.load(std::memory_order_acquire); }

  // Page of its own << 8 | depth, in one word: a reader never applies one's depth to the other's
  // words.
  Word state_{0};
  Word inline_[(1 << kInlineDepth) / 2] = {};
};

}  // namespace millrace
