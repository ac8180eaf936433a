#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "millrace/feed/feed_options.h"

namespace millrace {

// What a feed is to do, written down as simply as possible: one list in order of arrival.
class FeedModel {
 public:
  struct Message {
    std::uint64_t sequence;
    FeedKey key;
    std::string text;
  };

  explicit FeedModel(const FeedOptions& options) : options_(options) {}

  std::map<std::string, std::uint64_t> counts;
  std::uint32_t shards = 1;
  std::vector<Message> waiting;

  bool push(const FeedKey& key, const std::string& text) {
    if (options_.overflow == FeedOverflow::kConflate) {
      const auto same = std::ranges::find(waiting, key, &Message::key);
      if (same != waiting.end()) {
        ++counts["offered"], ++counts["conflated"];
        same->text = text;
        return true;
      }
    }
    if (waiting.size() >= options_.capacity) {
      switch (options_.overflow) {
        case FeedOverflow::kBlock:
          return false;
        case FeedOverflow::kDropNewest:
        case FeedOverflow::kConflate:
          ++counts["offered"], ++counts["newest"];
          return false;
        case FeedOverflow::kSample:
          if (++tick_ % options_.sample_every != 0) {
            ++counts["offered"], ++counts["sampled"];
            return false;
          }
          [[fallthrough]];
        case FeedOverflow::kDropOldest:
          waiting.erase(waiting.begin());
          ++counts["oldest"];
      }
    }
    ++counts["offered"];
    waiting.push_back({next_++, key, text});
    return true;
  }

  std::uint32_t shard_of(const FeedKey& key) const {
    return static_cast<std::uint32_t>(std::uint64_t{shard_hash(options_.key, key)} * shards >> 32);
  }

  std::size_t depth(std::uint32_t shard) const {
    return static_cast<std::size_t>(std::ranges::count_if(
        waiting, [&](const Message& message) { return shard_of(message.key) == shard; }));
  }

  // The first so many messages of a shard.
  std::vector<Message> claim(std::uint32_t shard, std::size_t count) {
    std::vector<Message> claimed;
    for (auto at = waiting.begin(); at != waiting.end() && claimed.size() < count;) {
      if (shard_of(at->key) != shard) {
        ++at;
        continue;
      }
      claimed.push_back(*at);
      at = waiting.erase(at);
    }
    return claimed;
  }

  void put_back(const Message& message) {
    Message back = message;
    if (options_.overflow == FeedOverflow::kConflate) {
      const auto newer = std::ranges::find(waiting, back.key, &Message::key);
      if (newer != waiting.end()) {
        back.text = newer->text;
        waiting.erase(newer);
        ++counts["conflated"];
      }
    }
    const auto place = std::ranges::upper_bound(waiting, back.sequence, {}, &Message::sequence);
    waiting.insert(place, back);
  }

 private:
  FeedOptions options_;
  std::uint64_t next_ = 0;
  std::uint32_t tick_ = 0;
};

}  // namespace millrace
