#include "millrace/server/inbox.h"

#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>

#include "millrace/base/parker.h"
#include "seed.h"
#include "watchdog.h"

namespace millrace {
namespace {

class InboxTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_FALSE(inbox_.open()); }
  void stage(std::uint32_t value, std::uint32_t kind = kInMessage) {
    inbox_.stage() = {1, 1, 0, value, kind, 0, 0, 0};
  }
  Inbox inbox_{8};
};

TEST_F(InboxTest, WhatIsStagedIsReadAfterItIsPublished) {
  stage(1);
  stage(2);
  EXPECT_EQ(inbox_.readable(), 0u);
  EXPECT_EQ(inbox_.staged(), 2u);
  inbox_.publish();
  ASSERT_EQ(inbox_.readable(), 2u);
  EXPECT_EQ(inbox_.at(inbox_.read_position()).length, 1u);
  EXPECT_EQ(inbox_.at(inbox_.read_position() + 1).length, 2u);
}

TEST_F(InboxTest, HasRoomForItsCapacity) {
  for (std::uint32_t i = 0; i < 8; ++i) {
    ASSERT_EQ(inbox_.room(), 8 - i);
    stage(i);
  }
  EXPECT_EQ(inbox_.room(), 0u);
  inbox_.publish();
  EXPECT_EQ(inbox_.room(), 0u);
  inbox_.release(3);
  EXPECT_EQ(inbox_.room(), 3u);
  EXPECT_EQ(inbox_.high_water(), 8u);
}

TEST_F(InboxTest, RingsOnlyAConsumerThatSleeps) {
  int rings = 0;
  inbox_.doorbell().attach([](void* count) { ++*static_cast<int*>(count); }, &rings);
  stage(1);
  inbox_.publish();
  EXPECT_EQ(rings, 0);
  EXPECT_FALSE(inbox_.try_sleep()) << "there is something to read";
  inbox_.release(1);
  EXPECT_TRUE(inbox_.try_sleep());
  stage(2);
  inbox_.publish();
  stage(3);
  inbox_.publish();
  EXPECT_EQ(rings, 1) << "once for each sleep";
  inbox_.doorbell().detach();
  ASSERT_EQ(inbox_.readable(), 2u);
  inbox_.release(2);
  EXPECT_TRUE(inbox_.try_sleep());
  stage(4);
  inbox_.publish();
  EXPECT_EQ(rings, 1) << "nobody is there";
}

TEST_F(InboxTest, TellsTheReceiverOfRoomOnce) {
  for (std::uint32_t i = 0; i < 8; ++i) stage(i);
  inbox_.publish();
  EXPECT_FALSE(inbox_.starve());
  EXPECT_FALSE(inbox_.release(0)) << "nothing was freed";
  EXPECT_TRUE(inbox_.release(1));
  EXPECT_FALSE(inbox_.release(1));
  EXPECT_TRUE(inbox_.starve()) << "there is room after all";
}

TEST_F(InboxTest, TheLedgerCountsMessagesOnly) {
  stage(1, kInOpen);
  stage(2);
  stage(3, kInMessage | kInExactEcho);
  stage(4, kInClose);
  EXPECT_EQ(inbox_.ledger().received, 0u);
  inbox_.publish();
  EXPECT_EQ(inbox_.ledger().received, 2u);
  EXPECT_EQ(inbox_.ledger().in_flight, 2u);
  inbox_.control(kControlHandled) = 1;
  inbox_.control(kControlFailed) = 1;
  EXPECT_EQ(inbox_.ledger().handled, 0u) << "taken over with the release";
  inbox_.release(4);
  const MessageLedger ledger = inbox_.ledger();
  EXPECT_EQ(ledger.handled, 1u);
  EXPECT_EQ(ledger.failed, 1u);
  EXPECT_EQ(ledger.in_flight, 0u);
}

TEST_F(InboxTest, TheCountsOfJavaScriptMayWrap) {
  inbox_.control(kControlHandled) = UINT32_MAX;
  inbox_.release(0);
  const std::uint64_t before = inbox_.ledger().handled;
  inbox_.control(kControlHandled) += 2;
  inbox_.release(0);
  EXPECT_EQ(inbox_.ledger().handled, before + 2);
}

// A receiver that runs out of room and a consumer that runs out of work, both asleep most of the
// time.
TEST(Inbox, Hazard11_NeitherSideMissesTheOther) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  const Watchdog watchdog("inbox, " + seed_note(seed));
  constexpr std::uint32_t kMessages = 100'000;
  Inbox inbox(4);
  ASSERT_FALSE(inbox.open());
  Parker receiver_parker;
  struct Bell {
    Parker parker;
    std::atomic<bool> rung{false};
  } bell;
  inbox.doorbell().attach(
      [](void* context) {
        static_cast<Bell*>(context)->rung.exchange(true);
        static_cast<Bell*>(context)->parker.unpark();
      },
      &bell);
  std::atomic<bool> done{false};
  std::thread consumer([&] {
    std::mt19937_64 random(seed);
    for (std::uint32_t next = 0; next < kMessages;) {
      const std::uint32_t count = inbox.readable();
      if (count == 0) {
        if (inbox.try_sleep()) bell.parker.park([&] { return bell.rung.exchange(false); });
        continue;
      }
      const std::uint32_t taken = 1 + static_cast<std::uint32_t>(random() % count);
      for (std::uint32_t i = 0; i < taken; ++i) {
        ASSERT_EQ(inbox.at(inbox.read_position() + i).length, next++);
      }
      inbox.control(kControlHandled) += taken;
      if (inbox.release(taken)) receiver_parker.unpark();
    }
  });
  std::thread watcher([&] {
    while (!done.load(std::memory_order_relaxed)) {
      const MessageLedger ledger = inbox.ledger();
      EXPECT_EQ(ledger.received, ledger.handled + ledger.failed + ledger.in_flight);
      std::this_thread::yield();
    }
  });
  std::mt19937_64 random(seed + 1);
  for (std::uint32_t next = 0; next < kMessages;) {
    if (inbox.room() == 0) {
      inbox.publish();
      if (inbox.starve()) {
        inbox.feed();
      } else {
        receiver_parker.park([&] { return !inbox.starving(); });
      }
      continue;
    }
    inbox.stage() = {1, 1, 0, next++, kInMessage, 0, 0, 0};
    if (random() % 3 == 0 || next == kMessages) inbox.publish();
  }
  consumer.join();
  done.store(true);
  watcher.join();
  EXPECT_EQ(inbox.ledger().handled, kMessages);
}

}  // namespace
}  // namespace millrace
