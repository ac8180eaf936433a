#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "millrace/base/system_error.h"
#include "millrace/feed/feed_entry.h"
#include "millrace/feed/feed_options.h"
#include "millrace/feed/key_index.h"

namespace millrace {

// The messages that wait, in order of arrival, dealt out to shards: one list for each consumer that
// keeps its keys to itself, or one for all. Not thread-safe: the feed's lock guards it.
// Owns the entries and, if conflating, the index of keys; the blocks are its user's. Adding, taking
// and replacing are constant time, but for the oldest of all, which looks at each shard.
class FeedQueue {
 public:
  static constexpr std::uint32_t kMaxShards = 256;

  // entry_limit: entries that may wait or be leased.
  SystemError open(const FeedOptions& options, std::uint32_t entry_limit) {
    key_kind_ = options.key;
    if (options.overflow == FeedOverflow::kConflate) index_.open(options.max_keys);
    return entries_.open(entry_limit);
  }

  std::uint32_t depth() const { return depth_; }
  std::uint32_t depth(std::uint32_t shard) const { return lists_[shard].depth; }
  std::uint32_t high_water() const { return high_water_; }
  std::uint32_t shards() const { return shards_; }
  const FeedEntry& at(std::uint32_t entry) const { return entries_.at(entry); }

  std::uint32_t shard_of(const FeedKey& key) const {
    const std::uint64_t hash = shard_hash(key_kind_, key);
    return static_cast<std::uint32_t>(hash * shards_ >> 32);
  }

  // Adds a message at the end and answers its shard.
  // REQUIRES: an entry is left; if conflating, no message of the key waits.
  std::uint32_t append(const FeedKey& key, std::uint32_t block, std::uint32_t length,
                       std::int64_t received_ns) {
    const std::uint32_t entry = entries_.acquire();
    FeedEntry& added = entries_.at(entry);
    added.key = key;
    added.sequence = next_sequence_++;
    added.received_ns = received_ns;
    added.block = block;
    added.length = length;
    const std::uint32_t shard = shard_of(key);
    link_before(shard, entry, kNoEntry);
    if (index_.is_open()) index_.insert(entries_, entry);
    if (depth_ > high_water_) high_water_ = depth_;
    return shard;
  }

  // The waiting entry of a key, or kNoEntry. REQUIRES: conflating.
  std::uint32_t find(const FeedKey& key) const { return index_.find(entries_, key); }

  // Gives a waiting entry a newer message and answers the block of the older one.
  std::uint32_t exchange(std::uint32_t entry, std::uint32_t block, std::uint32_t length,
                         std::int64_t received_ns) {
    FeedEntry& waiting = entries_.at(entry);
    const std::uint32_t older = waiting.block;
    waiting.block = block;
    waiting.length = length;
    waiting.received_ns = received_ns;
    return older;
  }

  // Claims the first message of a shard, or kNoEntry. To be given to release() or put_back().
  std::uint32_t take_front(std::uint32_t shard) {
    const std::uint32_t entry = lists_[shard].head;
    if (entry != kNoEntry) take(shard, entry);
    return entry;
  }

  // Claims the oldest message of all, or kNoEntry.
  std::uint32_t take_oldest() {
    const std::uint32_t shard = oldest_shard();
    return shard == kNoShard ? kNoEntry : take_front(shard);
  }

  void release(std::uint32_t entry) { entries_.release(entry); }

  struct PutBack {
    bool superseded;      // a newer message of the key had come: it stands in the older one's place
    std::uint32_t block;  // the older one's block then
  };

  // A claimed message that was not handled waits again, at its old place in the order of arrival.
  PutBack put_back(std::uint32_t entry) {
    FeedEntry& back = entries_.at(entry);
    const std::uint32_t shard = shard_of(back.key);
    PutBack outcome{false, 0};
    if (index_.is_open()) {
      if (const std::uint32_t newer = find(back.key); newer != kNoEntry) {
        const FeedEntry& value = entries_.at(newer);
        outcome = {true, exchange(entry, value.block, value.length, value.received_ns)};
        take(shard, newer);
        release(newer);
      }
      index_.insert(entries_, entry);
    }
    std::uint32_t after = lists_[shard].head;
    while (after != kNoEntry && entries_.at(after).sequence < back.sequence) {
      after = entries_.at(after).next;
    }
    link_before(shard, entry, after);
    return outcome;
  }

  // Deals all messages out anew to so many shards (1 to kMaxShards). Walks all of them: for a
  // change of consumers, not for a path that runs often.
  void deal(std::uint32_t shards) {
    std::array<List, kMaxShards> old = lists_;
    const std::uint32_t old_shards = shards_;
    lists_ = {};
    depth_ = 0;
    shards_ = shards;
    for (;;) {
      List* oldest = nullptr;
      for (std::uint32_t shard = 0; shard < old_shards; ++shard) {
        if (old[shard].head == kNoEntry) continue;
        if (oldest == nullptr || earlier(old[shard].head, oldest->head)) oldest = &old[shard];
      }
      if (oldest == nullptr) return;
      const std::uint32_t entry = oldest->head;
      oldest->head = entries_.at(entry).next;
      link_before(shard_of(entries_.at(entry).key), entry, kNoEntry);
    }
  }

  // Counts the messages by walking every list: what depth() must agree with.
  std::uint32_t walk() const {
    std::uint32_t count = 0;
    for (const List& list : lists_) {
      for (std::uint32_t entry = list.head; entry != kNoEntry; entry = entries_.at(entry).next)
        ++count;
    }
    return count;
  }

 private:
  static constexpr std::uint32_t kNoShard = 0xffffffffu;

  struct List {
    std::uint32_t head = kNoEntry;
    std::uint32_t tail = kNoEntry;
    std::uint32_t depth = 0;
  };

  bool earlier(std::uint32_t one, std::uint32_t other) const {
    return entries_.at(one).sequence < entries_.at(other).sequence;
  }

  std::uint32_t oldest_shard() const {
    std::uint32_t oldest = kNoShard;
    for (std::uint32_t shard = 0; shard < shards_; ++shard) {
      if (lists_[shard].head == kNoEntry) continue;
      if (oldest == kNoShard || earlier(lists_[shard].head, lists_[oldest].head)) oldest = shard;
    }
    return oldest;
  }

  // after: kNoEntry for the end.
  void link_before(std::uint32_t shard, std::uint32_t entry, std::uint32_t after) {
    List& list = lists_[shard];
    const std::uint32_t before = after == kNoEntry ? list.tail : entries_.at(after).previous;
    entries_.at(entry).previous = before;
    entries_.at(entry).next = after;
    (before == kNoEntry ? list.head : entries_.at(before).next) = entry;
    (after == kNoEntry ? list.tail : entries_.at(after).previous) = entry;
    ++list.depth;
    ++depth_;
  }

  void take(std::uint32_t shard, std::uint32_t entry) {
    List& list = lists_[shard];
    const FeedEntry& taken = entries_.at(entry);
    (taken.previous == kNoEntry ? list.head : entries_.at(taken.previous).next) = taken.next;
    (taken.next == kNoEntry ? list.tail : entries_.at(taken.next).previous) = taken.previous;
    --list.depth;
    --depth_;
    if (index_.is_open()) index_.erase(entries_, entry);
  }

  FeedEntryPool entries_;
  KeyIndex index_;
  std::array<List, kMaxShards> lists_{};
  std::uint64_t next_sequence_ = 0;
  std::uint32_t shards_ = 1;
  std::uint32_t depth_ = 0;
  std::uint32_t high_water_ = 0;
  FeedKeyKind key_kind_ = FeedKeyKind::kNone;
};

}  // namespace millrace
