#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace millrace {

// A set of page numbers below 65535: a bitmap, and over it one bit for each word that is not 0.
// Not synchronised. Owns nothing: the bitmap lies in memory that it is given. The lowest member is
// found in a few instructions, a run of adjacent members by looking at 64 pages at a time.
class PageSet {
 public:
  static constexpr std::uint32_t kNone = 0xffffffffu;
  static constexpr std::uint32_t kMaxPages = 65535;

  static constexpr std::size_t words(std::uint32_t pages) { return (pages + 63) / 64; }

  // `memory`: words(pages) of zeroes. The set is empty.
  void open(std::uint32_t pages, std::uint64_t* memory) {
    pages_ = pages;
    words_ = memory;
    summary_ = {};
    count_ = 0;
  }

  std::uint32_t count() const { return count_; }

  // Returns how many of [first, first + count) were no members.
  std::uint32_t insert(std::uint32_t first, std::uint32_t count) {
    std::uint32_t added = 0;
    for_words(first, count, [&](std::uint32_t word, std::uint64_t mask) {
      added += static_cast<std::uint32_t>(std::popcount(mask & ~words_[word]));
      words_[word] |= mask;
      summary_[word / 64] |= std::uint64_t{1} << (word % 64);
    });
    count_ += added;
    return added;
  }

  // Returns how many of [first, first + count) were members.
  std::uint32_t erase(std::uint32_t first, std::uint32_t count) {
    std::uint32_t removed = 0;
    for_words(first, count, [&](std::uint32_t word, std::uint64_t mask) {
      removed += static_cast<std::uint32_t>(std::popcount(mask & words_[word]));
      words_[word] &= ~mask;
      if (words_[word] == 0) summary_[word / 64] &= ~(std::uint64_t{1} << (word % 64));
    });
    count_ -= removed;
    return removed;
  }

  // The lowest member, or kNone.
  std::uint32_t lowest() const {
    for (std::uint32_t group = 0; group < summary_.size(); ++group) {
      if (summary_[group] == 0) continue;
      const auto word = group * 64 + static_cast<std::uint32_t>(std::countr_zero(summary_[group]));
      return word * 64 + static_cast<std::uint32_t>(std::countr_zero(words_[word]));
    }
    return kNone;
  }

  // The first of `count` adjacent members, the highest there are, or kNone.
  std::uint32_t highest_run(std::uint32_t count) const {
    if (count > count_) return kNone;
    std::uint32_t end = pages_;
    for (;;) {
      end = below(end, 0);
      if (end < count) return kNone;
      const std::uint32_t start = below(end, ~std::uint64_t{0});
      if (end - start >= count) return end - count;
      end = start;
    }
  }

  // The highest stretch of members, of at most `most` of them, its upper end. False: there is none.
  bool highest_stretch(std::uint32_t most, std::uint32_t& first, std::uint32_t& count) const {
    const std::uint32_t end = below(pages_, 0);
    if (end == 0 || most == 0) return false;
    const std::uint32_t start = below(end, ~std::uint64_t{0});
    count = end - start < most ? end - start : most;
    first = end - count;
    return true;
  }

  // The first stretch of members at or after `from`; it ends with a word of 64 pages at the latest.
  bool next_stretch(std::uint32_t from, std::uint32_t& first, std::uint32_t& count) const {
    for (; from < pages_; from = (from / 64 + 1) * 64) {
      const std::uint64_t rest = words_[from / 64] >> (from % 64);
      if (rest == 0) continue;
      const auto skip = static_cast<std::uint32_t>(std::countr_zero(rest));
      first = from + skip;
      count = static_cast<std::uint32_t>(std::countr_one(rest >> skip));
      return true;
    }
    return false;
  }

 private:
  // One past the highest member below `end`, 0 if there is none; with all bits of `flip` set, one
  // past the highest page that is no member.
  std::uint32_t below(std::uint32_t end, std::uint64_t flip) const {
    while (end != 0) {
      const std::uint32_t word = (end - 1) / 64;
      const std::uint32_t bits = end - word * 64;
      const std::uint64_t found = (words_[word] ^ flip) & (~std::uint64_t{0} >> (64 - bits));
      if (found != 0) return word * 64 + 64 - static_cast<std::uint32_t>(std::countl_zero(found));
      end = word * 64;
    }
    return 0;
  }

  // Calls visit(word, mask) for the words that hold [first, first + count).
  template <class Visit>
  static void for_words(std::uint32_t first, std::uint32_t count, Visit visit) {
    while (count != 0) {
      const std::uint32_t at = first % 64;
      const std::uint32_t here = count < 64 - at ? count : 64 - at;
      visit(first / 64, (~std::uint64_t{0} >> (64 - here)) << at);
      first += here;
      count -= here;
    }
  }

  std::uint32_t pages_ = 0;
  std::uint32_t count_ = 0;
  std::uint64_t* words_ = nullptr;
  std::array<std::uint64_t, (kMaxPages / 64 + 1 + 63) / 64> summary_{};
};

}  // namespace millrace
