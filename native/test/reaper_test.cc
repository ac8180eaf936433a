#include "millrace/server/reaper.h"

#include <gtest/gtest.h>

#include <vector>

#include "support/hand_driven_pipeline.h"
#include "watchdog.h"

namespace millrace {
namespace {

// The reaper is told the time: no test waits for it.
class ReaperTest : public ::testing::Test {
 protected:
  static PipelineOptions timeouts(std::uint32_t idle, std::uint32_t first_byte = 0,
                                  std::uint32_t lifetime = 0) {
    PipelineOptions options = pipeline_test_options();
    options.idle_timeout_ms = idle;
    options.first_byte_timeout_ms = first_byte;
    options.max_lifetime_ms = lifetime;
    return options;
  }
  static Connection& record(HandDrivenPipeline& p, ConnectionKey key) {
    Connection* connection = p.core.table.pin(key, true);
    EXPECT_NE(connection, nullptr);
    p.core.table.unpin(*connection);
    return *connection;
  }
  // Whether the connection is closed when the reaper comes at this time.
  static bool closes_at(HandDrivenPipeline& p, ConnectionKey key, std::uint64_t now) {
    p.reaper.step(now);
    return p.core.table.closing(record(p, key));
  }
  static constexpr std::uint64_t kTick = IdleTimers::kTickMs;

  Watchdog watchdog_{"reaper", std::chrono::seconds(60)};
};

TEST_F(ReaperTest, ClosesWhatWasIdleNeverEarlyAndOneTickLateAtMost) {
  HandDrivenPipeline p(timeouts(1000));
  LoopbackClient client;
  const ConnectionKey key = p.accept(client);
  p.settle();
  const std::uint64_t due = record(p, key).activity_ms.load() + 1000;
  EXPECT_FALSE(closes_at(p, key, due - 1));
  EXPECT_TRUE(closes_at(p, key, due + kTick));
  p.settle();
  EXPECT_TRUE(p.is_gone(key));
  EXPECT_EQ(p.close_reason(key), CloseReason::kIdle);
  EXPECT_EQ(client.receive_to_end(), "");
  EXPECT_EQ(p.core.timers.size(), 0u);
}

TEST_F(ReaperTest, ActivityPutsItOffWithoutTouchingATimer) {
  HandDrivenPipeline p(timeouts(1000));
  LoopbackClient client;
  const ConnectionKey key = p.accept(client);
  p.settle();
  const std::uint64_t opened = record(p, key).opened_ms;
  // As if it had been active half a second later.
  record(p, key).touch(opened + 500);
  EXPECT_EQ(p.core.timers.size(), 1u);
  EXPECT_FALSE(closes_at(p, key, opened + 1000 + kTick));
  EXPECT_EQ(p.core.timers.size(), 1u) << "armed again, once";
  EXPECT_FALSE(closes_at(p, key, opened + 1499));
  EXPECT_TRUE(closes_at(p, key, opened + 1500 + kTick));
}

TEST_F(ReaperTest, BytesInAndOutAreActivity) {
  HandDrivenPipeline p(timeouts(1000));
  LoopbackClient client;
  const ConnectionKey key = p.accept(client);
  p.settle();
  record(p, key).touch(0);
  client.send(framed("in"));
  p.run_until([&] { return p.seen(key, kInMessage) == 1; });
  EXPECT_GT(record(p, key).activity_ms.load(), 0u);
  record(p, key).touch(0);
  p.workers[0].write(key, "out");
  p.workers[0].consumer().flush();
  p.settle();
  EXPECT_GT(record(p, key).activity_ms.load(), 0u);
}

TEST_F(ReaperTest, WhoNeverSendsAByteGoesAtTheFirstByteTimeout) {
  HandDrivenPipeline p(timeouts(10'000, 500));
  LoopbackClient silent;
  LoopbackClient talker;
  const ConnectionKey never = p.accept(silent);
  const ConnectionKey once = p.accept(talker);
  talker.send(framed("x"));
  p.run_until([&] { return p.seen(once, kInMessage) == 1; });
  const std::uint64_t opened = record(p, never).opened_ms;
  EXPECT_FALSE(closes_at(p, never, opened + 499));
  EXPECT_TRUE(closes_at(p, never, opened + 500 + 2 * kTick));
  EXPECT_FALSE(p.core.table.closing(record(p, once)));
  p.settle();
  EXPECT_EQ(p.close_reason(never), CloseReason::kFirstByte);
}

TEST_F(ReaperTest, ALifetimeEndsHoweverActiveTheConnectionIs) {
  HandDrivenPipeline p(timeouts(1000, 0, 5000));
  LoopbackClient client;
  const ConnectionKey key = p.accept(client);
  p.settle();
  const std::uint64_t opened = record(p, key).opened_ms;
  for (std::uint64_t now = opened; now < opened + 5000; now += 100) {
    record(p, key).touch(now);
    ASSERT_FALSE(closes_at(p, key, now));
  }
  EXPECT_TRUE(closes_at(p, key, opened + 5000 + kTick));
  p.settle();
  EXPECT_EQ(p.close_reason(key), CloseReason::kLifetime);
}

TEST_F(ReaperTest, WithoutTimeoutsThereIsNoTimer) {
  HandDrivenPipeline p(timeouts(0));
  LoopbackClient client;
  const ConnectionKey key = p.accept(client);
  p.settle();
  EXPECT_EQ(p.core.timers.size(), 0u);
  EXPECT_EQ(p.reaper.step(coarse_ms() + (std::uint64_t{1} << 40)), IdleTimers::kNever);
  EXPECT_FALSE(p.core.table.closing(record(p, key)));
}

TEST_F(ReaperTest, TheLongestTimeoutIsKept) {
  HandDrivenPipeline p(timeouts(UINT32_MAX));
  LoopbackClient client;
  const ConnectionKey key = p.accept(client);
  p.settle();
  const std::uint64_t due = record(p, key).activity_ms.load() + UINT32_MAX;
  for (std::uint64_t now = coarse_ms(); now < due;) {
    const std::uint64_t next = p.reaper.step(now);
    ASSERT_FALSE(p.core.table.closing(record(p, key)));
    ASSERT_GT(next, now) << "the reaper would not sleep";
    now = next;
    if (now >= due) break;
  }
  EXPECT_TRUE(closes_at(p, key, due + kTick));
}

TEST_F(ReaperTest, AShorterTimeoutCountsFromNowOn) {
  HandDrivenPipeline p(timeouts(100'000));
  LoopbackClient client;
  const ConnectionKey key = p.accept(client);
  p.settle();
  p.reaper.step(coarse_ms());
  Connection& connection = record(p, key);
  connection.idle_timeout_ms.store(200);
  CloseReason reason = CloseReason::kNone;
  p.core.timers.arm(connection, next_deadline(p.core.options, connection, reason));
  EXPECT_TRUE(p.core.timers.rearmed()) << "the reaper sleeps too long otherwise";
  EXPECT_EQ(p.core.timers.size(), 1u);
  EXPECT_TRUE(closes_at(p, key, connection.activity_ms.load() + 200 + 2 * kTick));
}

TEST_F(ReaperTest, Hazard12_ATimerOfTheLastConnectionDoesNotCloseTheNewOne) {
  HandDrivenPipeline p(timeouts(1000));
  LoopbackClient first;
  LoopbackClient second;
  const ConnectionKey old = p.accept(first);
  p.settle();
  const std::uint64_t due = record(p, old).activity_ms.load() + 1000;
  first.half_close();
  p.run_until([&] { return p.is_gone(old); });
  EXPECT_EQ(p.core.timers.size(), 0u);
  const ConnectionKey fresh = p.accept(second);
  ASSERT_EQ(fresh.fd, old.fd);
  p.settle();
  record(p, fresh).touch(due + 500);
  EXPECT_FALSE(closes_at(p, fresh, due + 2 * kTick));
  EXPECT_EQ(p.core.timers.size(), 1u);
}

TEST_F(ReaperTest, ThereIsOneTimerForEachConnection) {
  HandDrivenPipeline p(timeouts(1000));
  std::vector<LoopbackClient> clients(20);
  std::vector<ConnectionKey> keys;
  for (LoopbackClient& client : clients) keys.push_back(p.accept(client));
  p.settle();
  for (int storm = 0; storm < 50; ++storm) {
    for (const ConnectionKey key : keys)
      p.core.timers.arm(record(p, key), coarse_ms() + 10'000 + storm);
  }
  EXPECT_EQ(p.core.timers.size(), 20u);
  for (LoopbackClient& client : clients) client.close();
  p.run_until([&] { return p.core.table.open_count() == 0; });
  EXPECT_EQ(p.core.timers.size(), 0u);
}

}  // namespace
}  // namespace millrace
