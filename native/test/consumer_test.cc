#include "millrace/server/consumer.h"

#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "seed.h"
#include "support/hand_driven_pipeline.h"
#include "watchdog.h"

namespace millrace {
namespace {

// received = handled + failed + dropped + in_flight, at every look.
void expect_exact(Inbox& inbox) {
  const MessageLedger ledger = inbox.ledger();
  ASSERT_EQ(ledger.received, ledger.handled + ledger.failed + ledger.dropped + ledger.in_flight);
}

class ConsumerTest : public ::testing::Test {
 protected:
  // Messages 0 to count - 1, in the inbox and not yet handled.
  void fill(HandDrivenPipeline& p, LoopbackClient& client, std::uint32_t first,
            std::uint32_t count) {
    std::string bytes;
    for (std::uint32_t i = first; i < first + count; ++i) bytes += framed(std::to_string(i));
    const std::uint64_t read = p.core.counters.bytes_read.load();
    client.send(bytes);
    p.run_until([&] { return p.core.counters.bytes_read.load() == read + bytes.size(); }, false);
  }
  static std::string echoes(std::uint32_t first, std::uint32_t count) {
    std::string bytes;
    for (std::uint32_t i = first; i < first + count; ++i) bytes += framed(std::to_string(i));
    return bytes;
  }
  static std::size_t bytes_in_use(HandDrivenPipeline& p) {
    const std::size_t fixed = Outbox::arena_bytes() + Input::kReadBlockBytes;
    const std::size_t now = p.core.store.slab().stats().in_use_bytes;
    return now > fixed ? now - fixed : 0;
  }

  Watchdog watchdog_{"consumer", std::chrono::seconds(60)};
};

TEST_F(ConsumerTest, OneAtATimeIsAttached) {
  HandDrivenPipeline p;
  ScriptedWorker second(p.core);
  EXPECT_FALSE(second.attach());
  p.workers[0].consumer().detach(CloseReason::kError);
  EXPECT_TRUE(second.attach());
  EXPECT_FALSE(p.workers[0].attach());
}

TEST_F(ConsumerTest, GivesBackWhatABatchHeld) {
  HandDrivenPipeline p;
  LoopbackClient client;
  p.accept(client);
  p.settle();
  fill(p, client, 0, 200);
  EXPECT_EQ(p.core.inboxes[0]->ledger().in_flight, 200u);
  p.settle();
  EXPECT_EQ(p.core.inboxes[0]->ledger().handled, 200u);
  EXPECT_EQ(p.core.inboxes[0]->depth(), 0u);
  EXPECT_EQ(bytes_in_use(p), 0u);
  EXPECT_EQ(client.receive(echoes(0, 200).size()), echoes(0, 200));
}

TEST_F(ConsumerTest, TheLedgerIsExactInsideABatch) {
  HandDrivenPipeline p;
  LoopbackClient client;
  p.accept(client);
  p.settle();
  fill(p, client, 0, 5);
  Inbox& inbox = *p.core.inboxes[0];
  ScriptedWorker& worker = p.workers[0];
  ASSERT_TRUE(worker.begin());
  expect_exact(inbox);
  std::vector<std::uint32_t> handles;
  int n = 0;
  while (worker.next([&](ScriptedWorker& w, const InboundDescriptor&) {
    if (n == 1) w.fail();
    if (n == 2 || n == 3) handles.push_back(w.hold());
    ++n;
  })) {
    expect_exact(inbox);
  }
  worker.finish();
  expect_exact(inbox);
  MessageLedger ledger = inbox.ledger();
  EXPECT_EQ(ledger.handled, 2u);
  EXPECT_EQ(ledger.failed, 1u);
  EXPECT_EQ(ledger.in_flight, 2u);
  worker.settle(handles[0]);
  worker.settle(handles[1], true);
  worker.consumer().flush();
  expect_exact(inbox);
  ledger = inbox.ledger();
  EXPECT_EQ(ledger.handled, 3u);
  EXPECT_EQ(ledger.failed, 2u);
  EXPECT_EQ(ledger.in_flight, 0u);
  EXPECT_EQ(bytes_in_use(p), 0u);
}

TEST_F(ConsumerTest, Hazard15_AParkedFrameKeepsItsBytesAndHoldsOnlyThem) {
  HandDrivenPipeline p;
  LoopbackClient client;
  const ConnectionKey key = p.accept(client);
  p.settle();
  fill(p, client, 12345, 1);
  ScriptedWorker& worker = p.workers[0];
  std::uint32_t handle = 0;
  worker.run([&](ScriptedWorker& w, const InboundDescriptor&) { handle = w.hold(); });
  Connection& connection = *p.core.table.pin(key);
  EXPECT_EQ(connection.unhandled_bytes.load(), 256u) << "its block is charged, whole";
  EXPECT_EQ(p.core.store.held_bytes(), 256u);
  EXPECT_LE(bytes_in_use(p), 256u);
  fill(p, client, 0, 50);
  p.settle();
  const std::uint32_t block = worker.consumer().parked_block(handle);
  EXPECT_EQ(std::memcmp(p.core.store.data(block), "12345", 5), 0);
  worker.settle(handle);
  EXPECT_EQ(worker.consumer().parked_block(handle), kNoBlock);
  worker.consumer().unpark(handle);  // a handle that is gone
  EXPECT_EQ(connection.unhandled_bytes.load(), 0u);
  p.core.table.unpin(connection);
  EXPECT_EQ(bytes_in_use(p), 0u);
}

TEST_F(ConsumerTest, Hazard18_ABatchThatNobodyBeganIsHandledByTheSuccessor) {
  HandDrivenPipeline p;
  LoopbackClient client;
  const ConnectionKey key = p.accept(client);
  p.settle();
  fill(p, client, 0, 3);
  p.settle();
  fill(p, client, 3, 4);
  ASSERT_TRUE(p.workers[0].begin());
  // No store: JavaScript was never entered.
  p.workers[0].consumer().detach(CloseReason::kStuck);
  expect_exact(*p.core.inboxes[0]);
  p.workers.emplace_back(p.core);
  ASSERT_TRUE(p.workers.back().attach());
  p.settle();
  EXPECT_EQ(p.core.inboxes[0]->ledger().handled, 7u);
  EXPECT_EQ(p.core.inboxes[0]->ledger().failed, 0u);
  EXPECT_EQ(client.receive(echoes(0, 7).size()), echoes(0, 7));
  EXPECT_FALSE(p.is_gone(key));
}

TEST_F(ConsumerTest, Hazard18_ABatchThatWasNotEndedIsNotBegunAgain) {
  HandDrivenPipeline p;
  LoopbackClient client;
  p.accept(client);
  p.settle();
  fill(p, client, 0, 4);
  ScriptedWorker& worker = p.workers[0];
  ASSERT_TRUE(worker.begin());
  worker.next(&ScriptedWorker::echo_all);
  worker.start_next();
  // The thread is being terminated, and its doorbell is answered once more.
  std::uint64_t first = 0;
  EXPECT_EQ(worker.consumer().begin_batch(first), 0u);
  worker.consumer().detach(CloseReason::kStuck);
  expect_exact(*p.core.inboxes[0]);
  EXPECT_EQ(p.core.inboxes[0]->ledger().handled, 1u);
  EXPECT_EQ(p.core.inboxes[0]->ledger().failed, 1u);
  EXPECT_EQ(p.core.inboxes[0]->ledger().in_flight, 2u);
}

// For every place at which a worker can end: what was answered arrives, the running message fails
// and its connection closes, and the successor handles the rest once.
TEST_F(ConsumerTest, Hazard18_AWorkerThatEndsInABatchLosesTheRunningMessageOnly) {
  constexpr std::uint32_t kMessages = 6;
  for (std::uint32_t done = 0; done < kMessages; ++done) {
    for (const bool same : {true, false}) {
      SCOPED_TRACE("ended in message " + std::to_string(done) +
                   (same ? " of one connection" : " of many"));
      HandDrivenPipeline p;
      std::vector<LoopbackClient> clients(same ? 1 : kMessages);
      std::vector<ConnectionKey> keys;
      for (LoopbackClient& client : clients) keys.push_back(p.accept(client));
      p.settle();
      for (std::uint32_t i = 0; i < kMessages; ++i) fill(p, clients[same ? 0 : i], i, 1);

      ScriptedWorker& worker = p.workers[0];
      ASSERT_TRUE(worker.begin());
      ASSERT_EQ(worker.count(), kMessages);
      for (std::uint32_t i = 0; i < done; ++i) {
        worker.next([](ScriptedWorker& w, const InboundDescriptor& d) { w.echo(d); });
      }
      worker.start_next();
      // Half of its answer, and then nothing more.
      worker.write(keys[same ? 0 : done], "half");
      worker.consumer().detach(CloseReason::kStuck);
      expect_exact(*p.core.inboxes[0]);
      EXPECT_EQ(p.core.inboxes[0]->ledger().failed, 1u);

      p.workers.emplace_back(p.core);
      ASSERT_TRUE(p.workers.back().attach());
      p.settle();
      const MessageLedger ledger = p.core.inboxes[0]->ledger();
      EXPECT_EQ(ledger.received, kMessages);
      EXPECT_EQ(ledger.handled, kMessages - 1);
      EXPECT_EQ(ledger.failed, 1u);
      EXPECT_EQ(p.closed(CloseReason::kStuck), 1u);
      EXPECT_EQ(p.close_reason(keys[same ? 0 : done]), CloseReason::kStuck);
      for (std::uint32_t i = 0; i < clients.size(); ++i) {
        if (same) {
          EXPECT_EQ(clients[i].receive_to_end(), echoes(0, done));
        } else if (i == done) {
          EXPECT_EQ(clients[i].receive_to_end(), "");
        } else {
          EXPECT_EQ(clients[i].receive(5), echoes(i, 1));
          EXPECT_FALSE(clients[i].at_end());
        }
      }
      EXPECT_EQ(bytes_in_use(p), 0u);
    }
  }
}

TEST_F(ConsumerTest, Hazard18_AMessageThatWasFinishedBeforeTheEndIsNotFailed) {
  HandDrivenPipeline p;
  LoopbackClient client;
  const ConnectionKey key = p.accept(client);
  p.settle();
  fill(p, client, 0, 3);
  ScriptedWorker& worker = p.workers[0];
  ASSERT_TRUE(worker.begin());
  worker.next(&ScriptedWorker::echo_all);
  worker.consumer().detach(CloseReason::kStuck);
  const MessageLedger ledger = p.core.inboxes[0]->ledger();
  EXPECT_EQ(ledger.handled, 1u);
  EXPECT_EQ(ledger.failed, 0u);
  EXPECT_EQ(ledger.in_flight, 2u);
  p.settle(false);
  EXPECT_EQ(client.receive(5), echoes(0, 1)) << "its answer is sent";
  EXPECT_FALSE(p.is_gone(key));
}

TEST_F(ConsumerTest, Hazard18_TheLastOperationIsCutToWhatItWasBeforeTheRunningMessage) {
  HandDrivenPipeline p;
  LoopbackClient client;
  const ConnectionKey key = p.accept(client);
  p.settle();
  fill(p, client, 0, 2);
  ScriptedWorker& worker = p.workers[0];
  ASSERT_TRUE(worker.begin());
  worker.next([&](ScriptedWorker& w, const InboundDescriptor&) { w.write(key, "finished"); });
  worker.start_next();
  // A writer that appends to the last operation instead of making one of its own.
  Inbox& inbox = *p.core.inboxes[0];
  OutboundOperation& last = inbox.operations()[inbox.control(kControlOpCount) - 1];
  std::memcpy(p.core.store.data(last.offset + last.length), " not", 4);
  last.length += 4;
  worker.consumer().detach(CloseReason::kError);
  p.settle(false);
  EXPECT_EQ(client.receive_to_end(), "finished");
}

TEST_F(ConsumerTest, Hazard19_UnsettledMessagesFailAndTheirConnectionsClose) {
  HandDrivenPipeline p;
  std::vector<LoopbackClient> clients(3);
  std::vector<ConnectionKey> keys;
  for (LoopbackClient& client : clients) keys.push_back(p.accept(client));
  p.settle();
  for (std::uint32_t i = 0; i < 3; ++i) fill(p, clients[i], i, 1);
  ScriptedWorker& worker = p.workers[0];
  // The first is pending from an earlier batch, the second from this one; the third was done.
  worker.run([](ScriptedWorker& w, const InboundDescriptor& d) {
    if (w.text(d) == "2") return;
    w.write(ScriptedWorker::key_of(d), "not yet");
    w.hold();
  });
  fill(p, clients[1], 7, 1);
  ASSERT_TRUE(worker.begin());
  worker.next([](ScriptedWorker& w, const InboundDescriptor&) { w.hold(); });
  worker.consumer().detach(CloseReason::kStuck);
  const MessageLedger ledger = p.core.inboxes[0]->ledger();
  EXPECT_EQ(ledger.received, 4u);
  EXPECT_EQ(ledger.handled, 1u);
  EXPECT_EQ(ledger.failed, 3u);
  EXPECT_EQ(ledger.in_flight, 0u);
  p.workers.emplace_back(p.core);
  ASSERT_TRUE(p.workers.back().attach());
  p.settle();
  EXPECT_TRUE(p.is_gone(keys[0]));
  EXPECT_TRUE(p.is_gone(keys[1]));
  EXPECT_FALSE(p.is_gone(keys[2]));
  EXPECT_EQ(p.close_reason(keys[0]), CloseReason::kStuck);
  EXPECT_EQ(bytes_in_use(p), 0u);
}

TEST_F(ConsumerTest, AConnectionWhoseEndWasLostCloses) {
  HandDrivenPipeline p;
  LoopbackClient client;
  const ConnectionKey key = p.accept(client);
  p.settle();
  client.half_close();
  p.run_until([&] { return p.core.inboxes[0]->depth() == 1; }, false);
  ASSERT_TRUE(p.workers[0].begin());
  p.workers[0].start_next();
  p.workers[0].consumer().detach(CloseReason::kStuck);
  p.workers.emplace_back(p.core);
  ASSERT_TRUE(p.workers.back().attach());
  p.settle();
  EXPECT_TRUE(p.is_gone(key)) << "nobody would end it any more";
}

TEST_F(ConsumerTest, TheSuccessorLearnsOfOpenConnections) {
  HandDrivenPipeline p;
  std::vector<LoopbackClient> clients(3);
  std::vector<ConnectionKey> keys;
  for (LoopbackClient& client : clients) keys.push_back(p.accept(client));
  p.settle();
  clients[1].close();
  p.run_until([&] { return p.is_gone(keys[1]); });
  LoopbackClient unheard;
  p.accept(unheard);  // its open event is still to come
  p.workers[0].consumer().detach(CloseReason::kStuck);
  p.workers.emplace_back(p.core);
  ASSERT_TRUE(p.workers.back().attach());
  std::vector<ConnectionKey> open;
  p.workers.back().consumer().for_each_open([&](Connection& c) { open.push_back(c.key); });
  EXPECT_EQ(open, (std::vector<ConnectionKey>{keys[0], keys[2]}));
}

TEST_F(ConsumerTest, Hazard19_WhatTheDeadWorkerPausedIsReadAgain) {
  HandDrivenPipeline p;
  LoopbackClient paused;
  LoopbackClient pending;
  const ConnectionKey user = p.accept(paused);
  const ConnectionKey async = p.accept(pending);
  p.settle();
  for (const auto& [key, bit] : {std::pair{user, kPauseUser}, std::pair{async, kPauseAsync}}) {
    Connection* connection = p.core.table.pin(key);
    p.core.pause(*connection, bit);
    p.core.table.unpin(*connection);
  }
  paused.send(framed("waits"));
  p.workers[0].consumer().detach(CloseReason::kStuck);
  p.workers.emplace_back(p.core);
  ASSERT_TRUE(p.workers.back().attach());
  std::vector<ConnectionKey> open;
  p.workers.back().consumer().for_each_open([&](Connection& c) { open.push_back(c.key); });
  EXPECT_EQ(open, std::vector<ConnectionKey>{user});
  p.run_until([&] { return p.seen(user, kInMessage) == 1 && p.is_gone(async); });
}

TEST_F(ConsumerTest, AWorkerThatWillNotComeBackLosesItsConnectionsAndGetsNoMore) {
  PipelineOptions options = pipeline_test_options();
  options.workers = 2;
  options.inbox_capacity = 8;
  HandDrivenPipeline p(options);
  std::vector<LoopbackClient> clients(4);
  std::vector<ConnectionKey> keys;
  for (LoopbackClient& client : clients) keys.push_back(p.accept(client));
  p.settle();
  // More than its ring takes.
  for (int i = 0; i < 4; ++i) fill(p, clients[static_cast<std::size_t>(i)], 0, 6);
  p.workers[0].consumer().detach(CloseReason::kStuck);
  ScriptedWorker last(p.core, 0);
  ASSERT_TRUE(last.attach());
  p.run_until(
      [&] {
        last.consumer().discard(CloseReason::kError);
        expect_exact(*p.core.inboxes[0]);
        return p.is_gone(keys[0]) && p.is_gone(keys[2]);
      },
      false);
  EXPECT_EQ(p.closed(CloseReason::kError), 2u);
  EXPECT_EQ(p.core.inboxes[0]->ledger().in_flight, 0u);
  EXPECT_GT(p.core.inboxes[0]->ledger().failed, 0u);
  for (int i = 0; i < 3; ++i) {
    LoopbackClient client;
    Connection* connection = p.core.table.pin(p.accept(client));
    EXPECT_EQ(connection->worker.load(), 1u);
    p.core.table.unpin(*connection);
  }
  p.run_until([&] { return p.seen(keys[1], kInMessage) == 6 && p.seen(keys[3], kInMessage) == 6; });
}

TEST_F(ConsumerTest, AReceiverThatWaitedForRoomIsWokenByTheEndOfAWorker) {
  PipelineOptions options = pipeline_test_options();
  options.inbox_capacity = 8;
  HandDrivenPipeline p(options);
  LoopbackClient client;
  LoopbackClient other;
  p.accept(client);
  const ConnectionKey key = p.accept(other);
  p.settle();
  fill(p, client, 0, 8);
  other.send(framed("waits"));
  p.run_until([&] { return p.core.inboxes[0]->starving(); }, false);
  p.settle(false);
  ASSERT_FALSE(p.receiver.ready());
  // As if it slept: the wake-up that does not come is the failure.
  std::atomic<bool> awake{false};
  std::thread sleeper([&] {
    p.core.receiver_parker.park([&] { return p.receiver.ready(); });
    awake.store(true);
  });
  ASSERT_TRUE(p.workers[0].begin());
  for (int i = 0; i < 4; ++i) p.workers[0].next([](ScriptedWorker&, const InboundDescriptor&) {});
  p.workers[0].start_next();
  p.workers[0].consumer().detach(CloseReason::kStuck);
  sleeper.join();
  p.workers.emplace_back(p.core);
  ASSERT_TRUE(p.workers.back().attach());
  p.run_until([&] { return p.seen(key, kInMessage) == 1; });
}

TEST_F(ConsumerTest, ASuccessorsOutputDoesNotOvertakeItsPredecessors) {
  PipelineOptions options = pipeline_test_options();
  options.workers = 2;
  HandDrivenPipeline p(options);
  LoopbackClient first;
  LoopbackClient client;
  p.accept(first);
  const ConnectionKey key = p.accept(client);
  p.settle();
  fill(p, client, 0, 2);
  // The first outbox is free again when the second worker ends.
  p.workers[0].consumer().detach(CloseReason::kServer);
  p.settle(false);
  ScriptedWorker& worker = p.workers[1];
  ASSERT_TRUE(worker.begin());
  worker.next([&](ScriptedWorker& w, const InboundDescriptor& d) { w.echo(d); });
  worker.consumer().detach(CloseReason::kServer);
  ScriptedWorker successor(p.core, 1);
  ASSERT_TRUE(successor.attach());
  while (successor.run(&ScriptedWorker::echo_all)) {
  }
  p.settle(false);
  EXPECT_EQ(client.receive(10), echoes(0, 2));
  EXPECT_FALSE(p.is_gone(key));
}

// Workers that end anywhere in a batch, with handlers pending, while another thread looks at the
// ledger all the time.
TEST_F(ConsumerTest, Hazard22_TheLedgerIsExactAtEveryLookWhileWorkersComeAndGo) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  std::mt19937_64 random(seed);
  PipelineOptions options = pipeline_test_options();
  options.inbox_capacity = 64;
  HandDrivenPipeline p(options);
  p.workers[0].consumer().detach(CloseReason::kServer);
  Inbox& inbox = *p.core.inboxes[0];
  std::atomic<bool> done{false};
  std::atomic<std::uint64_t> looks{0};
  std::thread watcher([&] {
    while (!done.load(std::memory_order_relaxed)) {
      expect_exact(inbox);
      looks.fetch_add(1, std::memory_order_relaxed);
      std::this_thread::yield();
    }
  });
  std::vector<LoopbackClient> clients(12);
  std::vector<ConnectionKey> keys(clients.size());
  std::uint64_t ends = 0;
  std::uint64_t opened = 0;
  std::uint64_t closed = 0;
  while (ends < 60 || looks.load() < 1000) {
    for (std::size_t i = 0; i < clients.size(); ++i) {
      if (keys[i].sequence == 0 || p.is_gone(keys[i])) {
        clients[i] = LoopbackClient();
        keys[i] = p.accept(clients[i]);
      }
    }
    ScriptedWorker worker(p.core);
    ASSERT_TRUE(worker.attach());
    std::vector<std::uint32_t> pending;
    const auto handler = [&](ScriptedWorker& w, const InboundDescriptor& d) {
      opened += ScriptedWorker::kind_of(d) == kInOpen ? 1 : 0;
      closed += ScriptedWorker::kind_of(d) == kInClose ? 1 : 0;
      if (ScriptedWorker::kind_of(d) != kInMessage) return;
      switch (random() % 8) {
        case 0:
          w.fail();
          break;
        case 1:
          pending.push_back(w.hold());
          break;
        default:
          w.echo(d);
          break;
      }
    };
    for (std::uint64_t batches = random() % 6; batches > 0; --batches) {
      for (LoopbackClient& client : clients) {
        if (random() % 2 == 0) client.try_send(framed(std::string(random() % 200, 'x')));
        client.receive_now();
      }
      p.round(false);
      worker.run(handler);
      for (std::size_t i = pending.size(); i-- > 0;) {
        if (random() % 3 != 0) continue;
        worker.settle(pending[i], random() % 4 == 0);
        pending.erase(pending.begin() + static_cast<std::ptrdiff_t>(i));
        worker.consumer().flush();
      }
      p.round(false);
    }
    if (worker.begin()) {
      for (std::uint64_t n = random() % (worker.count() + 1); n > 0; --n) worker.next(handler);
      if (random() % 2 == 0) worker.start_next();
      ++ends;
    }
    worker.consumer().detach(CloseReason::kStuck);
    p.round(false);
  }
  ScriptedWorker last(p.core);
  ASSERT_TRUE(last.attach());
  for (LoopbackClient& client : clients) client.close();
  while (p.core.table.open_count() != 0) {
    if (!p.round(false)) p.events.step(1);
    last.run(&ScriptedWorker::echo_all);
  }
  done.store(true);
  watcher.join();
  const MessageLedger ledger = inbox.ledger();
  EXPECT_EQ(ledger.in_flight, 0u);
  EXPECT_EQ(p.core.store.held_bytes(), 0u);
  EXPECT_EQ(bytes_in_use(p), 0u);
}

}  // namespace
}  // namespace millrace
