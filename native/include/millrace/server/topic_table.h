#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>

#include "millrace/server/block_store.h"
#include "millrace/server/connection.h"
#include "millrace/server/glob.h"

namespace millrace {

// Who is subscribed to what. Exact topics are found by hash; patterns are tried one by one.
// A subscription counts at once, and delivers from the moment that the sender comes to the worker's
// `activate` operation: so what the worker wrote before subscribe() leaves before any message, and
// what it writes next to subscribe() too.
//
// Any thread, under one lock. Owns fixed arrays of `capacity` subscriptions and as many topics; the
// texts lie in the server's memory. Subscribing and publishing are O(1) for exact topics plus
// O(patterns).
class TopicTable {
 public:
  enum class Result : std::uint8_t { kAdded, kAlready, kFull };
  struct Ticket {
    std::uint32_t index = 0;
    std::uint32_t generation = 0;
  };

  // One connection's share: nobody takes all, and its list is walked for each subscribe().
  static constexpr std::uint32_t kMostPerConnection = 2048;

  TopicTable(std::uint32_t capacity, BlockStore& store)
      : capacity_(capacity),
        store_(store),
        subscriptions_(new Subscription[capacity + 1]),
        topics_(new Topic[capacity + 1]),
        buckets_(new std::uint32_t[bucket_count(capacity)]()),
        matches_(new ConnectionKey[capacity]) {
    // Index 0 is "none". Free entries hang together through their `next`.
    for (std::uint32_t i = 1; i <= capacity; ++i) {
      subscriptions_[i].next_in_topic = i < capacity ? i + 1 : 0;
      topics_[i].next = i < capacity ? i + 1 : 0;
    }
    free_subscription_ = free_topic_ = capacity != 0 ? 1 : 0;
  }
  TopicTable(const TopicTable&) = delete;
  TopicTable& operator=(const TopicTable&) = delete;

  static std::size_t bytes(std::uint32_t capacity) {
    return (capacity + 1) * (sizeof(Subscription) + sizeof(Topic)) +
           bucket_count(capacity) * sizeof(std::uint32_t) + capacity * sizeof(ConnectionKey);
  }

  // `pattern`: a glob; otherwise the text is a topic, to the letter. REQUIRES: the connection is
  // pinned.
  Result subscribe(Connection& connection, std::string_view text, bool pattern, Ticket& ticket) {
    const std::lock_guard guard(lock_);
    std::uint32_t topic = find(text, pattern);
    if (topic != 0) {
      for (std::uint32_t s = connection.subscriptions; s != 0;
           s = subscriptions_[s].next_in_connection) {
        if (subscriptions_[s].topic != topic) continue;
        if (subscriptions_[s].active) return Result::kAlready;
        // The worker that subscribed ended before its `activate` was handed over.
        ticket = {s, subscriptions_[s].generation};
        return Result::kAdded;
      }
    }
    if (free_subscription_ == 0 || connection.subscription_count == kMostPerConnection) {
      return Result::kFull;
    }
    if (topic == 0 && (topic = add_topic(text, pattern)) == 0) return Result::kFull;
    const std::uint32_t index = free_subscription_;
    Subscription& subscription = subscriptions_[index];
    free_subscription_ = subscription.next_in_topic;
    subscription.topic = topic;
    subscription.key = connection.key;
    subscription.active = false;
    subscription.next_in_topic = topics_[topic].first;
    subscription.previous_in_topic = 0;
    if (topics_[topic].first != 0) subscriptions_[topics_[topic].first].previous_in_topic = index;
    topics_[topic].first = index;
    ++topics_[topic].count;
    subscription.next_in_connection = connection.subscriptions;
    connection.subscriptions = index;
    ++connection.subscription_count;
    ticket = {index, ++subscription.generation};
    return Result::kAdded;
  }

  // False: was not subscribed. REQUIRES: the connection is pinned.
  bool unsubscribe(Connection& connection, std::string_view text, bool pattern) {
    const std::lock_guard guard(lock_);
    const std::uint32_t topic = find(text, pattern);
    if (topic == 0) return false;
    std::uint32_t* link = &connection.subscriptions;
    while (*link != 0 && subscriptions_[*link].topic != topic) {
      link = &subscriptions_[*link].next_in_connection;
    }
    if (*link == 0) return false;
    const std::uint32_t index = *link;
    *link = subscriptions_[index].next_in_connection;
    --connection.subscription_count;
    remove(index);
    return true;
  }

  // All of a connection that ends.
  void drop(Connection& connection) {
    const std::lock_guard guard(lock_);
    while (connection.subscriptions != 0) {
      const std::uint32_t index = connection.subscriptions;
      connection.subscriptions = subscriptions_[index].next_in_connection;
      --connection.subscription_count;
      remove(index);
    }
  }

  // Sender.
  void activate(Ticket ticket) {
    const std::lock_guard guard(lock_);
    if (ticket.index == 0 || ticket.index > capacity_) return;
    Subscription& subscription = subscriptions_[ticket.index];
    if (subscription.generation == ticket.generation) subscription.active = true;
  }

  // How many subscriptions a message on this topic reaches; those of `except` do not count.
  std::uint32_t count(std::string_view text, ConnectionKey except) {
    const std::lock_guard guard(lock_);
    std::uint32_t found = 0;
    for_each(text, [&](const Subscription& s) { found += s.key == except ? 0 : 1; });
    return found;
  }

  // Sender: the connections whose active subscriptions match, valid until the next call.
  std::span<const ConnectionKey> match(std::string_view text, ConnectionKey except) {
    const std::lock_guard guard(lock_);
    std::uint32_t found = 0;
    for_each(text, [&](const Subscription& s) {
      if (s.active && !(s.key == except)) matches_[found++] = s.key;
    });
    return {matches_.get(), found};
  }

 private:
  struct Subscription {
    ConnectionKey key;
    std::uint32_t topic = 0;
    std::uint32_t next_in_topic = 0;
    std::uint32_t previous_in_topic = 0;
    std::uint32_t next_in_connection = 0;
    std::uint32_t generation = 0;
    bool active = false;
  };
  struct Topic {
    std::uint64_t hash = 0;
    std::uint32_t block = kNoBlock;  // the text
    std::uint32_t length = 0;
    std::uint32_t first = 0;
    std::uint32_t count = 0;
    std::uint32_t next = 0;  // in its bucket, in the list of patterns, or among the free ones
    bool pattern = false;
  };

  static std::size_t bucket_count(std::uint32_t capacity) {
    std::size_t count = 16;
    while (count < capacity) count *= 2;
    return count;
  }

  std::uint32_t& head(std::uint64_t hash, bool pattern) {
    return pattern ? patterns_ : buckets_[hash & (bucket_count(capacity_) - 1)];
  }

  std::string_view text_of(const Topic& topic) {
    return {reinterpret_cast<const char*>(store_.data(topic.block)), topic.length};
  }

  std::uint32_t find(std::string_view text, bool pattern) {
    const std::uint64_t hash = std::hash<std::string_view>{}(text);
    for (std::uint32_t t = head(hash, pattern); t != 0; t = topics_[t].next) {
      if (topics_[t].hash == hash && text_of(topics_[t]) == text) return t;
    }
    return 0;
  }

  std::uint32_t add_topic(std::string_view text, bool pattern) {
    if (free_topic_ == 0) return 0;
    const std::uint32_t block = store_.allocate_held(text.size() + 1);
    if (block == kNoBlock) return 0;
    const std::uint32_t index = free_topic_;
    Topic& topic = topics_[index];
    free_topic_ = topic.next;
    text.copy(reinterpret_cast<char*>(store_.data(block)), text.size());
    const std::uint64_t hash = std::hash<std::string_view>{}(text);
    std::uint32_t& first = head(hash, pattern);
    topic = {hash, block, static_cast<std::uint32_t>(text.size()), 0, 0, first, pattern};
    first = index;
    return index;
  }

  void remove(std::uint32_t index) {
    Subscription& subscription = subscriptions_[index];
    Topic& topic = topics_[subscription.topic];
    if (subscription.previous_in_topic != 0) {
      subscriptions_[subscription.previous_in_topic].next_in_topic = subscription.next_in_topic;
    } else {
      topic.first = subscription.next_in_topic;
    }
    if (subscription.next_in_topic != 0) {
      subscriptions_[subscription.next_in_topic].previous_in_topic = subscription.previous_in_topic;
    }
    if (--topic.count == 0) remove_topic(subscription.topic);
    ++subscription.generation;
    subscription.active = false;
    subscription.next_in_topic = free_subscription_;
    free_subscription_ = index;
  }

  void remove_topic(std::uint32_t index) {
    Topic& topic = topics_[index];
    std::uint32_t* link = &head(topic.hash, topic.pattern);
    while (*link != index) link = &topics_[*link].next;
    *link = topic.next;
    store_.release_held(topic.block);
    topic = Topic{};
    topic.next = free_topic_;
    free_topic_ = index;
  }

  template <class Visit>
  void for_each(std::string_view text, Visit&& visit) {
    const std::uint64_t hash = std::hash<std::string_view>{}(text);
    for (std::uint32_t t = buckets_[hash & (bucket_count(capacity_) - 1)]; t != 0;
         t = topics_[t].next) {
      if (topics_[t].hash != hash || text_of(topics_[t]) != text) continue;
      visit_all(topics_[t], visit);
    }
    for (std::uint32_t t = patterns_; t != 0; t = topics_[t].next) {
      if (glob_match(text_of(topics_[t]), text)) visit_all(topics_[t], visit);
    }
  }

  template <class Visit>
  void visit_all(const Topic& topic, Visit& visit) {
    for (std::uint32_t s = topic.first; s != 0; s = subscriptions_[s].next_in_topic) {
      visit(subscriptions_[s]);
    }
  }

  const std::uint32_t capacity_;
  BlockStore& store_;
  std::mutex lock_;
  std::unique_ptr<Subscription[]> subscriptions_;
  std::unique_ptr<Topic[]> topics_;
  std::unique_ptr<std::uint32_t[]> buckets_;
  std::unique_ptr<ConnectionKey[]> matches_;
  std::uint32_t free_subscription_ = 0;
  std::uint32_t free_topic_ = 0;
  std::uint32_t patterns_ = 0;
};

}  // namespace millrace
