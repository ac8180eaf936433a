#include "millrace/server/topic_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "seed.h"

namespace millrace {
namespace {

using Result = TopicTable::Result;

class TopicTableTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_FALSE(store_.open(4 << 20));
    for (std::uint32_t i = 0; i < kConnections; ++i) {
      connections_.push_back(std::make_unique<Connection>());
      connections_.back()->key = {i, i + 100};
    }
  }
  Connection& connection(std::uint32_t i) { return *connections_[i]; }
  TopicTable::Ticket add(std::uint32_t i, std::string_view text, bool pattern = false,
                         bool active = true) {
    TopicTable::Ticket ticket;
    EXPECT_EQ(table_.subscribe(connection(i), text, pattern, ticket), Result::kAdded);
    if (active) table_.activate(ticket);
    return ticket;
  }
  std::multiset<std::uint32_t> matches(std::string_view text, ConnectionKey except = {}) {
    std::multiset<std::uint32_t> found;
    for (const ConnectionKey key : table_.match(text, except)) found.insert(key.fd);
    return found;
  }

  static constexpr std::uint32_t kConnections = 8;
  static constexpr std::uint32_t kCapacity = 64;
  BlockStore store_;
  TopicTable table_{kCapacity, store_};
  std::vector<std::unique_ptr<Connection>> connections_;
};

TEST_F(TopicTableTest, FindsExactTopicsAndPatterns) {
  add(0, "tick:BTC");
  add(1, "tick:*", true);
  add(2, "tick:*");  // to the letter
  add(3, "tick:ETH");
  EXPECT_EQ(matches("tick:BTC"), (std::multiset<std::uint32_t>{0, 1}));
  EXPECT_EQ(matches("tick:*"), (std::multiset<std::uint32_t>{1, 2}));
  EXPECT_EQ(matches("other"), (std::multiset<std::uint32_t>{}));
  EXPECT_EQ(table_.count("tick:BTC", {}), 2u);
  EXPECT_EQ(table_.count("tick:BTC", connection(1).key), 1u);
  EXPECT_EQ(matches("tick:BTC", connection(0).key), (std::multiset<std::uint32_t>{1}));
}

TEST_F(TopicTableTest, AConnectionSubscribesOnce) {
  add(0, "t");
  TopicTable::Ticket ticket;
  EXPECT_EQ(table_.subscribe(connection(0), "t", false, ticket), Result::kAlready);
  EXPECT_EQ(table_.subscribe(connection(0), "t", true, ticket), Result::kAdded) << "as a pattern";
  EXPECT_TRUE(table_.unsubscribe(connection(0), "t", false));
  EXPECT_FALSE(table_.unsubscribe(connection(0), "t", false));
  EXPECT_EQ(table_.count("t", {}), 1u);
}

TEST_F(TopicTableTest, CountsAtOnceAndDeliversWhenActive) {
  const TopicTable::Ticket ticket = add(0, "t", false, false);
  EXPECT_EQ(table_.count("t", {}), 1u);
  EXPECT_TRUE(matches("t").empty());
  table_.activate(ticket);
  EXPECT_EQ(matches("t").size(), 1u);
}

TEST_F(TopicTableTest, AStaleTicketActivatesNothing) {
  const TopicTable::Ticket old = add(0, "t", false, false);
  table_.unsubscribe(connection(0), "t", false);
  add(1, "t", false, false);  // has the same place
  table_.activate(old);
  table_.activate({0, 0});
  table_.activate({kCapacity + 1, 0});
  table_.activate({0xffff'ffff, 1});
  EXPECT_TRUE(matches("t").empty());
}

TEST_F(TopicTableTest, IsFullAtItsCapacityAndGivesPlacesBack) {
  for (std::uint32_t i = 0; i < kCapacity; ++i) add(i % kConnections, std::to_string(i));
  TopicTable::Ticket ticket;
  EXPECT_EQ(table_.subscribe(connection(0), "more", false, ticket), Result::kFull);
  EXPECT_EQ(table_.subscribe(connection(1), "0", false, ticket), Result::kFull);
  EXPECT_EQ(table_.subscribe(connection(0), "0", false, ticket), Result::kAlready);
  for (std::uint32_t i = 0; i < kConnections; ++i) table_.drop(connection(i));
  EXPECT_EQ(store_.held_bytes(), 0u);
  EXPECT_EQ(store_.slab().stats().in_use_bytes, 0u);
  for (std::uint32_t i = 0; i < kCapacity; ++i) add(i % kConnections, std::to_string(i));
}

TEST_F(TopicTableTest, WithoutMemoryForATextItIsFull) {
  std::vector<std::uint32_t> taken;
  for (std::uint32_t size = 64 << 10; size >= 256; size /= 2) {
    for (std::uint32_t b; (b = store_.allocate(size)) != kNoBlock;) taken.push_back(b);
  }
  TopicTable::Ticket ticket;
  EXPECT_EQ(table_.subscribe(connection(0), "t", false, ticket), Result::kFull);
  EXPECT_EQ(connection(0).subscriptions, 0u);
  for (const std::uint32_t block : taken) store_.release(block);
  EXPECT_EQ(table_.subscribe(connection(0), "t", false, ticket), Result::kAdded);
}

TEST_F(TopicTableTest, TopicsAreBytesOfAnyLength) {
  const std::string zeros("a\0b", 3);
  const std::string large(5000, 'x');
  add(0, "");
  add(1, zeros);
  add(2, large);
  EXPECT_EQ(matches("").count(0), 1u);
  EXPECT_EQ(matches(zeros).count(1), 1u);
  EXPECT_EQ(matches("a").size(), 0u);
  EXPECT_EQ(matches(large).count(2), 1u);
}

TEST_F(TopicTableTest, AgreesWithAModel) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  std::mt19937_64 random(seed);
  const std::vector<std::string> texts = {"a", "b", "ab", "a*", "*", "?b", "[ab]", "c"};
  using Entry = std::pair<std::string, bool>;
  std::map<std::uint32_t, std::map<Entry, bool>> model;  // connection, subscription, active
  std::size_t size = 0;
  for (int i = 0; i < 20'000; ++i) {
    const auto who = static_cast<std::uint32_t>(random() % kConnections);
    const Entry entry{texts[random() % texts.size()], random() % 2 == 0};
    switch (random() % 8) {
      case 0:
        size -= model[who].size();
        model[who].clear();
        table_.drop(connection(who));
        break;
      case 1:
      case 2:
        ASSERT_EQ(table_.unsubscribe(connection(who), entry.first, entry.second),
                  model[who].count(entry) != 0);
        size -= model[who].erase(entry);
        break;
      default: {
        TopicTable::Ticket ticket;
        const auto found = model[who].find(entry);
        const bool known = found != model[who].end();
        // One that was never activated (its worker died) may be subscribed again.
        const Result expected = known && found->second        ? Result::kAlready
                                : !known && size == kCapacity ? Result::kFull
                                                              : Result::kAdded;
        ASSERT_EQ(table_.subscribe(connection(who), entry.first, entry.second, ticket), expected);
        if (expected != Result::kAdded) break;
        const bool active = random() % 4 != 0;
        if (active) table_.activate(ticket);
        model[who][entry] = active;
        size += known ? 0 : 1;
      }
    }
    const std::string& topic = texts[random() % texts.size()];
    const ConnectionKey except =
        random() % 2 == 0 ? ConnectionKey{}
                          : connection(static_cast<std::uint32_t>(random() % kConnections)).key;
    std::multiset<std::uint32_t> expected;
    std::uint32_t count = 0;
    for (const auto& [id, subscriptions] : model) {
      if (connection(id).key == except) continue;
      for (const auto& [subscribed, active] : subscriptions) {
        const bool hit =
            subscribed.second ? glob_match(subscribed.first, topic) : subscribed.first == topic;
        count += hit ? 1 : 0;
        if (hit && active) expected.insert(id);
      }
    }
    ASSERT_EQ(matches(topic, except), expected);
    ASSERT_EQ(table_.count(topic, except), count);
  }
}

}  // namespace
}  // namespace millrace
