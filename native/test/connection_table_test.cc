#include "millrace/server/connection_table.h"

#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>
#include <vector>

#include "seed.h"
#include "watchdog.h"

namespace millrace {
namespace {

// Releases as the pipeline does, and notices what must not be.
class Ledger final : public ConnectionTable::Releaser {
 public:
  void release(Connection& connection) override {
    released.fetch_add(1, std::memory_order_relaxed);
    // Somebody else's pin at this point would be a use after the release.
    EXPECT_EQ(connection.bytes_read.exchange(1, std::memory_order_relaxed), 0u) << "released twice";
    table->forget(connection);
  }
  ConnectionTable* table = nullptr;
  std::atomic<int> released{0};
};

class ConnectionTableTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ledger_.table = &table_;
    ASSERT_FALSE(table_.open());
  }
  Connection& connect(int fd) {
    Connection* connection = table_.claim(fd);
    EXPECT_NE(connection, nullptr);
    table_.publish(*connection);
    return *connection;
  }
  // Closes, and takes the pin of its life.
  void end(Connection& connection, CloseReason reason = CloseReason::kPeer) {
    EXPECT_NE(table_.pin(connection.key), nullptr);
    EXPECT_TRUE(table_.begin_close(connection, reason));
    table_.unpin(connection);
    table_.unpin(connection);
  }

  Ledger ledger_;
  ConnectionTable table_{64, 8, ledger_};
};

TEST_F(ConnectionTableTest, FindsAConnectionByItsWholeKey) {
  Connection& connection = connect(5);
  EXPECT_EQ(table_.pin(connection.key), &connection);
  table_.unpin(connection);
  EXPECT_EQ(table_.pin({5, connection.key.sequence + 1}), nullptr);
  EXPECT_EQ(table_.pin({6, connection.key.sequence}), nullptr);
  EXPECT_EQ(table_.pin({64, connection.key.sequence}), nullptr) << "beyond the table";
  EXPECT_EQ(table_.pin({5, 0}), nullptr);
  EXPECT_EQ(table_.pin({7, 0}), nullptr) << "a free slot is nobody's";
  EXPECT_EQ(table_.open_count(), 1u);
  end(connection);
}

TEST_F(ConnectionTableTest, AClaimedRecordIsNotFoundBeforeItIsPublished) {
  Connection* connection = table_.claim(5);
  ASSERT_NE(connection, nullptr);
  EXPECT_EQ(table_.pin(connection->key), nullptr);
  EXPECT_EQ(table_.pin_current(5), nullptr);
  table_.abandon(*connection);
  EXPECT_EQ(table_.open_count(), 0u);
}

TEST_F(ConnectionTableTest, AReusedDescriptorIsAnotherConnection) {
  Connection& first = connect(5);
  const ConnectionKey old = first.key;
  end(first);
  Connection& second = connect(5);
  EXPECT_NE(second.key, old);
  EXPECT_EQ(table_.pin(old), nullptr);
  EXPECT_EQ(table_.pin(old, true), nullptr);
  EXPECT_EQ(table_.pin_current(5), &second);
  table_.unpin(second);
  end(second);
}

TEST_F(ConnectionTableTest, Hazard12_TheLastUnpinReleases) {
  Connection& connection = connect(5);
  const ConnectionKey key = connection.key;
  ASSERT_EQ(table_.pin(key), &connection);
  ASSERT_EQ(table_.pin(key), &connection);
  EXPECT_TRUE(table_.begin_close(connection, CloseReason::kReset));
  EXPECT_FALSE(table_.begin_close(connection, CloseReason::kPeer)) << "the first reason counts";
  EXPECT_EQ(connection.reason.load(), CloseReason::kReset);
  EXPECT_TRUE(table_.closing(connection));
  EXPECT_EQ(table_.pin(key), nullptr);
  EXPECT_EQ(table_.pin(key, true), &connection);
  table_.unpin(connection);
  table_.unpin(connection);
  table_.unpin(connection);
  EXPECT_EQ(ledger_.released.load(), 0);
  table_.unpin(connection);  // its life
  EXPECT_EQ(ledger_.released.load(), 1);
  EXPECT_EQ(table_.pin(key, true), nullptr);
  EXPECT_EQ(table_.open_count(), 0u);
}

// Between the last unpin and the end of the release the slot still carries the sequence.
TEST_F(ConnectionTableTest, Hazard12_ARecordThatIsBeingReleasedCannotBePinned) {
  struct Curious final : ConnectionTable::Releaser {
    void release(Connection& connection) override {
      found = table->pin(connection.key, true) != nullptr ||
              table->pin_current(connection.key.fd) != nullptr;
      table->forget(connection);
    }
    ConnectionTable* table = nullptr;
    bool found = false;
  } curious;
  ConnectionTable table(64, 8, curious);
  curious.table = &table;
  ASSERT_FALSE(table.open());
  Connection* connection = table.claim(5);
  table.publish(*connection);
  table.pin(connection->key);
  table.begin_close(*connection, CloseReason::kPeer);
  table.unpin(*connection);
  table.unpin(*connection);
  EXPECT_FALSE(curious.found);
}

TEST_F(ConnectionTableTest, HasAsManyRecordsAsConnections) {
  std::vector<Connection*> all;
  for (int fd = 0; fd < 8; ++fd) all.push_back(&connect(fd));
  EXPECT_EQ(table_.claim(9), nullptr);
  end(*all[3]);
  Connection* again = table_.claim(9);
  EXPECT_NE(again, nullptr);
  table_.abandon(*again);
}

TEST_F(ConnectionTableTest, AFreshRecordRemembersNothing) {
  Connection& first = connect(5);
  first.receive.begin = 7;
  first.send.waiting = true;
  first.paused.store(kPauseUser);
  table_.slot(5).blocked.store(true);
  end(first);
  Connection& second = connect(5);
  EXPECT_EQ(second.receive.begin, 0u);
  EXPECT_FALSE(second.send.waiting);
  EXPECT_EQ(second.paused.load(), 0u);
  EXPECT_EQ(second.reason.load(), CloseReason::kNone);
  EXPECT_FALSE(table_.slot(5).blocked.load());
  end(second);
}

// Stages pin and unpin by old and new keys and by descriptor while connections come and go.
TEST_F(ConnectionTableTest, Hazard12_PinsRaceWithCloseAndReuse) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  const Watchdog watchdog("connection table, " + seed_note(seed));
  constexpr int kLives = 30'000;
  std::atomic<std::uint64_t> latest{0};
  std::atomic<bool> done{false};
  std::atomic<std::uint64_t> pinned{0};
  std::vector<std::thread> stages;
  for (std::uint64_t t = 0; t < 3; ++t) {
    stages.emplace_back([&, t] {
      std::mt19937_64 random(seed + t);
      while (!done.load(std::memory_order_relaxed)) {
        const ConnectionKey key = ConnectionKey::unpack(latest.load(std::memory_order_relaxed));
        Connection* connection = random() % 2 == 0 ? table_.pin(key, true) : table_.pin_current(5);
        if (connection == nullptr) continue;
        pinned.fetch_add(1, std::memory_order_relaxed);
        EXPECT_EQ(connection->key.fd, 5u);
        EXPECT_EQ(connection->bytes_read.load(std::memory_order_relaxed), 0u)
            << "pinned after its release";
        if (random() % 8 == 0) table_.begin_close(*connection, CloseReason::kIdle);
        table_.unpin(*connection);
      }
    });
  }
  for (int i = 0; i < kLives; ++i) {
    Connection* connection = nullptr;
    // The descriptor is reused as soon as the slot is free, and never before.
    while (table_.sequence(5) != 0) std::this_thread::yield();
    while ((connection = table_.claim(5)) == nullptr) std::this_thread::yield();
    latest.store(connection->key.packed(), std::memory_order_relaxed);
    table_.publish(*connection);
    table_.begin_close(*connection, CloseReason::kPeer);
    table_.unpin(*connection);
  }
  done.store(true);
  for (std::thread& stage : stages) stage.join();
  EXPECT_EQ(ledger_.released.load(), kLives);
  EXPECT_EQ(table_.open_count(), 0u);
  EXPECT_EQ(table_.sequence(5), 0u);
}

}  // namespace
}  // namespace millrace
