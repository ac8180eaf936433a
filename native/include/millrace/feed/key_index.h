#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "millrace/feed/feed_entry.h"

namespace millrace {

// Finds the waiting entry of a key: what conflation needs. A table of buckets whose entries are
// chained through FeedEntry::chain. Not thread-safe: the feed's lock guards it.
// Owns its buckets, four bytes a key. Every operation is constant time on average.
class KeyIndex {
 public:
  KeyIndex() = default;

  static constexpr std::uint32_t buckets(std::uint32_t max_keys) {
    return max_keys == 0 ? 0 : std::bit_ceil(max_keys);
  }
  static constexpr std::size_t bytes(std::uint32_t max_keys) {
    return std::size_t{buckets(max_keys)} * sizeof(std::uint32_t);
  }

  void open(std::uint32_t max_keys) {
    mask_ = buckets(max_keys) - 1;
    heads_ = std::make_unique_for_overwrite<std::uint32_t[]>(buckets(max_keys));
    for (std::uint32_t bucket = 0; bucket <= mask_; ++bucket) heads_[bucket] = kNoEntry;
  }

  bool is_open() const { return heads_ != nullptr; }

  // kNoEntry when no message of the key waits.
  std::uint32_t find(const FeedEntryPool& pool, const FeedKey& key) const {
    std::uint32_t entry = heads_[key_hash(key) & mask_];
    while (entry != kNoEntry && pool.at(entry).key != key) entry = pool.at(entry).chain;
    return entry;
  }

  // REQUIRES: no entry of its key is in the index.
  void insert(FeedEntryPool& pool, std::uint32_t entry) {
    std::uint32_t& head = heads_[key_hash(pool.at(entry).key) & mask_];
    pool.at(entry).chain = head;
    head = entry;
  }

  // REQUIRES: the entry is in the index.
  void erase(FeedEntryPool& pool, std::uint32_t entry) {
    std::uint32_t* link = &heads_[key_hash(pool.at(entry).key) & mask_];
    while (*link != entry) link = &pool.at(*link).chain;
    *link = pool.at(entry).chain;
  }

 private:
  std::unique_ptr<std::uint32_t[]> heads_;
  std::uint32_t mask_ = 0;
};

}  // namespace millrace
