#include "millrace/server/receiver.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/hand_driven_pipeline.h"
#include "watchdog.h"

namespace millrace {
namespace {

class ReceiverTest : public ::testing::Test {
 protected:
  Watchdog watchdog_{"receiver", std::chrono::seconds(60)};
};

Connection& record(HandDrivenPipeline& p, ConnectionKey key) {
  Connection* connection = p.core.table.pin(key, true);
  EXPECT_NE(connection, nullptr);
  p.core.table.unpin(*connection);
  return *connection;
}

// What is in use beside the output blocks of the workers and the read block.
std::size_t bytes_in_use(HandDrivenPipeline& p) {
  const std::size_t fixed = p.workers.size() * Outbox::arena_bytes() + Input::kReadBlockBytes;
  const std::size_t now = p.core.store.slab().stats().in_use_bytes;
  return now > fixed ? now - fixed : 0;
}

TEST_F(ReceiverTest, TellsOpenMessagesEndAndCloseInOrder) {
  HandDrivenPipeline p;
  LoopbackClient client;
  const ConnectionKey key = p.accept(client);
  client.send(framed("one") + framed("") + framed("three"));
  EXPECT_EQ(client.receive(0), "");
  p.run_until([&] { return p.seen(key, kInMessage) == 3; });
  client.half_close();
  p.run_until([&] { return p.is_gone(key); });
  ASSERT_EQ(p.log.size(), 6u);
  EXPECT_EQ(p.log[0].kind, kInOpen);
  EXPECT_EQ(p.log[1].text, "one");
  EXPECT_EQ(p.log[2].text, "");
  EXPECT_EQ(p.log[3].text, "three");
  EXPECT_EQ(p.log[4].kind, kInEnd);
  EXPECT_EQ(p.log[4].value, 0u);
  EXPECT_EQ(p.log[5].kind, kInClose);
  EXPECT_EQ(p.close_reason(key), CloseReason::kPeer);
  EXPECT_EQ(client.receive_to_end(), framed("one") + framed("") + framed("three"));
  EXPECT_FALSE(client.was_reset());
  EXPECT_EQ(bytes_in_use(p), 0u);
}

// --- Descriptors and keys ---

TEST_F(ReceiverTest, Hazard12_AKeyOfTheLastConnectionInTheReceiveQueueServesTheNewOneOnly) {
  HandDrivenPipeline p;
  LoopbackClient first;
  LoopbackClient second;
  const ConnectionKey old = p.accept(first);
  first.send(framed("of the first"));
  p.run_until([&] { return p.seen(old, kInMessage) == 1; });
  Connection* connection = p.core.table.pin(old);
  p.core.close(*connection, CloseReason::kLocal);
  p.core.table.unpin(*connection);
  p.receiver.step();
  // An edge of the first connection, found late.
  p.core.queue_receive(old);
  p.settle(false);
  p.core.queue_receive(old);
  p.run_worker(p.workers[0]);
  ASSERT_TRUE(p.is_gone(old));

  const ConnectionKey fresh = p.accept(second);
  ASSERT_EQ(fresh.fd, old.fd) << "the kernel gives out the lowest free number";
  second.send(framed("of the second"));
  p.run_until([&] { return p.seen(fresh, kInMessage) == 1; });
  EXPECT_EQ(p.seen(fresh, kInOpen), 1u);
  EXPECT_EQ(*p.first_text(fresh), "of the second");
  EXPECT_EQ(p.seen(old, kInMessage), 1u);
  EXPECT_EQ(p.seen(old, kInClose), 1u);
  EXPECT_EQ(p.core.receive_queue.depth(), 0u);
}

TEST_F(ReceiverTest, Hazard12_ADescriptorIsNotReusedWhileItsMessagesStandInTheInbox) {
  HandDrivenPipeline p;
  LoopbackClient first;
  LoopbackClient second;
  const ConnectionKey old = p.accept(first);
  first.send(framed("of the first"));
  p.run_until([&] { return p.core.inboxes[0]->depth() >= 2; }, false);
  first.reset();
  p.run_until([&] { return p.closed(CloseReason::kReset) == 1; }, false);
  p.settle(false);

  const ConnectionKey fresh = p.accept(second);
  EXPECT_NE(fresh.fd, old.fd);
  second.send(framed("of the second"));
  p.run_until([&] { return p.seen(fresh, kInMessage) == 1 && p.is_gone(old); });
  second.half_close();
  EXPECT_EQ(p.close_reason(old), CloseReason::kReset);
  p.run_until([&] { return p.is_gone(fresh); });
  EXPECT_EQ(second.receive_to_end(), framed("of the second"));
  EXPECT_EQ(p.core.counters.operations_stale.load(), 1u) << "the echo to the first";
}

// --- Pause and resume: the bytes are there, the peer is silent, and no edge will come ---

TEST_F(ReceiverTest, Hazard11_ResumedByTheUserReadsWhatWaited) {
  HandDrivenPipeline p;
  LoopbackClient client;
  const ConnectionKey key = p.accept(client);
  p.settle();
  Connection& connection = record(p, key);
  p.core.pause(connection, kPauseUser);
  client.send(framed("hello"));
  p.run_until([&] { return connection.paused_since_ns.load() != 0; });
  p.settle();
  EXPECT_EQ(p.seen(key, kInMessage), 0u);
  p.core.resume(connection, kPauseUser);
  p.run_until([&] { return p.seen(key, kInMessage) == 1; });
  EXPECT_GT(p.core.counters.read_paused_ns.load(), 0u);
}

TEST_F(ReceiverTest, Hazard11_TwoPausesNeedTwoResumes) {
  HandDrivenPipeline p;
  LoopbackClient client;
  const ConnectionKey key = p.accept(client);
  p.settle();
  Connection& connection = record(p, key);
  p.core.pause(connection, kPauseUser);
  p.core.pause(connection, kPauseAsync);
  client.send(framed("hello"));
  p.run_until([&] { return connection.paused_since_ns.load() != 0; });
  p.core.resume(connection, kPauseUser);
  p.settle();
  EXPECT_EQ(p.seen(key, kInMessage), 0u);
  p.core.resume(connection, kPauseUser);
  p.settle();
  EXPECT_EQ(p.seen(key, kInMessage), 0u);
  p.core.resume(connection, kPauseAsync);
  p.run_until([&] { return p.seen(key, kInMessage) == 1; });
}

TEST_F(ReceiverTest, Hazard11_AFullInboxHoldsBackAndGoesOnUnprompted) {
  PipelineOptions options = pipeline_test_options();
  options.inbox_capacity = 8;
  HandDrivenPipeline p(options);
  LoopbackClient client;
  const ConnectionKey key = p.accept(client);
  std::string bytes;
  for (int i = 0; i < 100; ++i) bytes += framed(std::to_string(i));
  client.send(bytes);
  p.run_until([&] { return p.core.inboxes[0]->starving(); }, false);
  p.settle(false);
  EXPECT_EQ(p.core.inboxes[0]->depth(), 8u);
  // From here on only the worker's releases move anything.
  while (p.seen(key, kInMessage) < 100) {
    p.run_worker(p.workers[0]);
    ASSERT_TRUE(p.receiver.ready() || p.seen(key, kInMessage) == 100);
    p.receiver.step();
    p.sender.step();
  }
  for (int i = 0, at = 1; i < 100; ++i, ++at) EXPECT_EQ(p.log[at].text, std::to_string(i));
  EXPECT_EQ(client.receive(bytes.size()), bytes);
}

TEST_F(ReceiverTest, Hazard11_UnhandledBytesHoldBackAndGoOnUnprompted) {
  PipelineOptions options = pipeline_test_options();
  options.high_water_bytes = 8 << 10;
  options.low_water_bytes = 1 << 10;
  options.read_budget_bytes = 4 << 10;
  HandDrivenPipeline p(options);
  LoopbackClient client;
  const ConnectionKey key = p.accept(client);
  std::string bytes;
  for (int i = 0; i < 100; ++i) bytes += framed(std::string(1000, 'a'));
  client.send(bytes);
  Connection& connection = record(p, key);
  p.run_until([&] { return (connection.paused.load() & kPauseUnhandled) != 0; }, false);
  p.settle(false);
  EXPECT_GT(connection.unhandled_bytes.load(), options.high_water_bytes);
  EXPECT_LE(connection.unhandled_bytes.load(),
            options.high_water_bytes + options.read_budget_bytes);
  p.run_until([&] { return p.seen(key, kInMessage) == 100; });
  EXPECT_EQ(connection.unhandled_bytes.load(), 0u);
  EXPECT_EQ(connection.paused.load() & kPauseUnhandled, 0u);
}

TEST_F(ReceiverTest, Hazard11_OutputAboveTheHighWaterMarkHoldsBackAndGoesOnUnprompted) {
  PipelineOptions options = pipeline_test_options();
  options.max_write_bytes = 64 << 20;
  options.max_bytes = 64 << 20;
  HandDrivenPipeline p(options);
  LoopbackClient client;
  client.with_receive_buffer(64 << 10);
  const ConnectionKey key = p.accept(client);
  Connection& connection = record(p, key);
  const std::string frame = framed(std::string(16 << 10, 'w'));
  std::size_t sent = 0;
  std::string_view rest = frame;
  // Until nothing is taken any more: neither by the kernel's buffers, nor by the server.
  for (int idle = 0; idle < 100;) {
    const ssize_t took = client.try_send(rest);
    ASSERT_GE(took, 0);
    sent += static_cast<std::size_t>(took);
    rest.remove_prefix(static_cast<std::size_t>(took));
    if (rest.empty()) rest = frame;
    p.settle();
    idle = took == 0 && (connection.paused.load() & kPauseWrite) != 0 ? idle + 1 : 0;
  }
  EXPECT_LT(connection.backlog_bytes.load(), 1u << 20);
  // The client reads: everything comes back, although it sends nothing more.
  std::size_t received = 0;
  p.run_until([&] {
    received += client.receive_now().size();
    return received >= sent / frame.size() * frame.size();
  });
  EXPECT_EQ(connection.paused.load(), 0u);
}

TEST_F(ReceiverTest, Hazard11_AShortageOfMemoryHoldsBackAndGoesOnUnprompted) {
  HandDrivenPipeline p;
  LoopbackClient client;
  const ConnectionKey key = p.accept(client);
  // The read block is full of what the worker has not handled.
  client.send(framed(std::string(60'000, 'f')));
  p.run_until([&] { return p.core.inboxes[0]->depth() == 2; }, false);
  std::vector<std::uint32_t> taken;
  for (std::uint32_t size : {64u << 10, 256u}) {
    for (std::uint32_t b; (b = p.core.store.allocate(size)) != kNoBlock;) taken.push_back(b);
  }
  client.send(framed("hello"));
  p.run_until([&] { return p.core.memory_short.load(); }, false);
  EXPECT_GE(p.receiver.sleep_ns(), 0);
  for (const std::uint32_t block : taken) p.core.store.release(block);
  p.run_until([&] { return p.seen(key, kInMessage) == 2; });
  EXPECT_EQ(p.receiver.sleep_ns(), -1);
  EXPECT_FALSE(p.core.memory_short.load());
}

TEST_F(ReceiverTest, AResetIsNoticedWhileNobodyReads) {
  HandDrivenPipeline p;
  LoopbackClient client;
  const ConnectionKey key = p.accept(client);
  p.settle();
  p.core.pause(record(p, key), kPauseUser);
  client.send(framed("never read"));
  client.reset();
  p.run_until([&] { return p.is_gone(key); });
  EXPECT_EQ(p.close_reason(key), CloseReason::kReset);
  EXPECT_EQ(p.seen(key, kInMessage), 0u);
}

// --- Budgets and fairness ---

TEST_F(ReceiverTest, ASpentBudgetGoesToTheTailOfTheQueue) {
  PipelineOptions options = pipeline_test_options();
  options.read_budget_us = 0;
  options.high_water_bytes = 64 << 20;
  options.inbox_capacity = 4096;
  HandDrivenPipeline p(options);
  LoopbackClient chatty;
  LoopbackClient quiet;
  const ConnectionKey stream = p.accept(chatty);
  const ConnectionKey still = p.accept(quiet);
  p.settle();
  std::string bytes;
  while (bytes.size() < (512 << 10)) bytes += framed(std::string(4000, 's'));
  std::string_view rest = bytes;
  for (ssize_t took; !rest.empty() && (took = chatty.try_send(rest)) > 0;) {
    rest.remove_prefix(static_cast<std::size_t>(took));
  }
  ASSERT_GT(bytes.size() - rest.size(), 256u << 10) << "more than one budget's worth";
  quiet.send(framed("me too"));
  p.events.step(-1);
  p.run_until([&] { return p.core.receive_queue.depth() == 2; }, false);
  p.receiver.step();
  p.run_worker(p.workers[0]);
  EXPECT_EQ(p.seen(still, kInMessage), 1u) << "after one visit of the other";
  EXPECT_LE(p.seen(stream, kInMessage), options.read_budget_bytes / 4000 + 1);
  p.run_until([&] {
    const ssize_t took = rest.empty() ? 0 : chatty.try_send(rest);
    if (took > 0) rest.remove_prefix(static_cast<std::size_t>(took));
    chatty.receive_now();
    return p.seen(stream, kInMessage) == bytes.size() / 4004;
  });
}

TEST_F(ReceiverTest, StreamsThatShareAFullInboxTakeTurns) {
  PipelineOptions options = pipeline_test_options();
  options.inbox_capacity = 16;
  options.high_water_bytes = 64 << 20;
  HandDrivenPipeline p(options);
  p.on_inbound = [](ScriptedWorker&, const InboundDescriptor&) {};
  std::vector<LoopbackClient> clients(7);
  std::vector<ConnectionKey> keys;
  for (LoopbackClient& client : clients) keys.push_back(p.accept(client));
  p.settle();
  std::string bytes;
  for (int i = 0; i < 2000; ++i) bytes += framed("some bytes");
  for (LoopbackClient& client : clients) client.send(bytes);
  while (p.log.size() < 4000) p.round();
  for (const ConnectionKey key : keys) {
    EXPECT_GT(p.seen(key, kInMessage), 4000u / 7 / 2) << "descriptor " << key.fd;
  }
}

// --- Ends ---

TEST_F(ReceiverTest, DataAndEndInOneEdgeAreBothSeen) {
  HandDrivenPipeline p;
  LoopbackClient client;
  const ConnectionKey key = p.accept(client);
  p.settle();
  client.send(framed("last words"));
  client.half_close();
  p.run_until([&] { return p.is_gone(key); });
  EXPECT_EQ(client.receive_to_end(), framed("last words"));
  EXPECT_EQ(p.close_reason(key), CloseReason::kPeer);
}

TEST_F(ReceiverTest, DataAndEndBeforeTheFirstReadAreBothSeen) {
  HandDrivenPipeline p;
  LoopbackClient client;
  client.connect(p.port);
  client.send(framed("in a hurry"));
  client.half_close();
  while (p.accepted.empty()) p.acceptor.step();
  const ConnectionKey key = p.accepted.back();
  p.run_until([&] { return p.is_gone(key); });
  EXPECT_EQ(client.receive_to_end(), framed("in a hurry"));
}

TEST_F(ReceiverTest, DataAndResetInOneEdgeCloseTheConnection) {
  HandDrivenPipeline p;
  p.on_inbound = [](ScriptedWorker&, const InboundDescriptor&) {
  };  // no write would notice it either
  LoopbackClient client;
  const ConnectionKey key = p.accept(client);
  p.settle();
  client.send(framed("last words"));
  client.reset();
  p.run_until([&] { return p.is_gone(key); });
  EXPECT_EQ(p.close_reason(key), CloseReason::kReset);
}

TEST_F(ReceiverTest, AnEndThatWaitsBehindAPauseIsSeen) {
  HandDrivenPipeline p;
  LoopbackClient client;
  const ConnectionKey key = p.accept(client);
  p.settle();
  Connection& connection = record(p, key);
  p.core.pause(connection, kPauseUser);
  client.send(framed("last words"));
  client.half_close();
  p.run_until([&] { return connection.paused_since_ns.load() != 0; });
  p.settle();
  p.core.resume(connection, kPauseUser);
  p.run_until([&] { return p.is_gone(key); });
  EXPECT_EQ(client.receive_to_end(), framed("last words"));
}

TEST_F(ReceiverTest, AnEndBehindAFullInboxIsSeen) {
  PipelineOptions options = pipeline_test_options();
  options.inbox_capacity = 4;
  HandDrivenPipeline p(options);
  LoopbackClient client;
  const ConnectionKey key = p.accept(client);
  std::string bytes;
  for (int i = 0; i < 50; ++i) bytes += framed("x");
  client.send(bytes);
  client.half_close();
  p.run_until([&] { return p.is_gone(key); });
  EXPECT_EQ(client.receive_to_end(), bytes);
  EXPECT_EQ(p.close_reason(key), CloseReason::kPeer);
}

TEST_F(ReceiverTest, AnUnfinishedFrameAtTheEndIsTold) {
  HandDrivenPipeline p;
  LoopbackClient client;
  const ConnectionKey key = p.accept(client);
  client.send(framed("whole") + framed("not whole").substr(0, 7));
  client.half_close();
  p.run_until([&] { return p.is_gone(key); });
  EXPECT_EQ(p.seen(key, kInMessage), 1u);
  EXPECT_EQ(p.value_of(key, kInEnd), kFrameIncomplete);
  EXPECT_EQ(p.core.store.held_bytes(), 0u);
}

TEST_F(ReceiverTest, ABrokenFrameEndsTheInputAndNothingBehindItIsRead) {
  PipelineOptions options = pipeline_test_options();
  options.framing.max_bytes = 1000;
  HandDrivenPipeline p(options);
  LoopbackClient client;
  const ConnectionKey key = p.accept(client);
  client.send(framed("good") + framed(std::string(1001, 'x')) + framed("behind"));
  p.run_until([&] { return p.seen(key, kInEnd) == 1; });
  client.half_close();
  p.run_until([&] { return p.is_gone(key); });
  EXPECT_EQ(p.seen(key, kInMessage), 1u);
  EXPECT_EQ(p.value_of(key, kInEnd), static_cast<std::uint32_t>(FrameError::kTooLarge));
  EXPECT_EQ(p.close_reason(key), CloseReason::kProtocol);
  EXPECT_EQ(client.receive_to_end(), framed("good"));
  EXPECT_FALSE(client.was_reset());
}

TEST_F(ReceiverTest, NothingBehindABrokenFrameIsReadAfterAFullInboxEither) {
  PipelineOptions options = pipeline_test_options();
  options.framing.max_bytes = 1000;
  options.inbox_capacity = 4;
  HandDrivenPipeline p(options);
  p.on_inbound = [](ScriptedWorker&, const InboundDescriptor&) {};
  LoopbackClient client;
  const ConnectionKey key = p.accept(client);
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += framed("good");
  bytes += framed(std::string(1001, 'x'));
  client.send(bytes);
  p.run_until([&] { return p.core.inboxes[0]->starving(); }, false);
  std::string behind;
  while (behind.size() < (200 << 10)) behind += framed("behind");
  client.send(behind);
  const Connection& connection = record(p, key);
  p.run_until([&] { return connection.receive.end_told; });
  p.settle();
  EXPECT_EQ(p.seen(key, kInMessage), 8u);
  EXPECT_EQ(p.seen(key, kInEnd), 1u);
}

TEST_F(ReceiverTest, TheServersEndComesBehindWhatWasReceived) {
  HandDrivenPipeline p;
  LoopbackClient client;
  const ConnectionKey key = p.accept(client);
  p.settle();
  client.send(framed("one") + framed("two"));
  while (p.core.receive_queue.depth() == 0) p.events.step(1);
  p.core.tell(record(p, key), kEventServerEnd);
  p.run_until([&] { return p.seen(key, kInServerEnd) == 1; });
  EXPECT_EQ(p.seen(key, kInMessage), 2u);
  EXPECT_EQ(client.receive(14), framed("one") + framed("two"));
  client.close();
  p.run_until([&] { return p.is_gone(key); });
  EXPECT_EQ(p.close_reason(key), CloseReason::kServer);
}

TEST_F(ReceiverTest, AfterOurEndInputIsThrownAwayAndTheLastReplyArrives) {
  PipelineOptions options = pipeline_test_options();
  HandDrivenPipeline p(options);
  p.on_inbound = [](ScriptedWorker& worker, const InboundDescriptor& d) {
    if (ScriptedWorker::kind_of(d) != kInMessage) return;
    worker.write(ScriptedWorker::key_of(d), "good bye");
    worker.end(ScriptedWorker::key_of(d));
  };
  LoopbackClient client;
  const ConnectionKey key = p.accept(client);
  client.send(framed("quit"));
  p.run_until([&] { return client.at_end() || client.receive_now() == "good bye"; });
  // The peer did not wait for the answer.
  std::string more;
  while (more.size() < (100 << 10)) more += framed(std::string(1000, 'm'));
  client.send(more);
  p.run_until([&] { return p.core.counters.bytes_read.load() == more.size() + 8; });
  EXPECT_EQ(p.seen(key, kInMessage), 1u);
  EXPECT_EQ(p.seen(key, kInEnd), 0u);
  client.half_close();
  p.run_until([&] { return p.is_gone(key); });
  EXPECT_EQ(client.receive_to_end(), "");
  EXPECT_FALSE(client.was_reset());
  EXPECT_EQ(p.close_reason(key), CloseReason::kLocal);
  EXPECT_EQ(p.core.store.held_bytes(), 0u);
}

// --- Memory ---

TEST_F(ReceiverTest, AByteAtATimeDoesNotFillBlocksThatOthersHold) {
  HandDrivenPipeline p;
  LoopbackClient slow;
  LoopbackClient quiet;
  p.accept(slow);
  p.accept(quiet);
  p.settle();
  slow.send(framed(std::string(4500, 's')).substr(0, 4000));
  p.run_until([&] { return p.core.store.held_bytes() != 0; }, false);
  for (std::uint32_t i = 1; i <= 60; ++i) {
    slow.send("s");
    const std::uint64_t read = p.core.counters.bytes_read.load();
    p.run_until([&] { return p.core.counters.bytes_read.load() != read; }, false);
    quiet.send(framed("q"));
    p.run_until([&] { return p.core.inboxes[0]->depth() == i; }, false);
  }
  EXPECT_EQ(bytes_in_use(p), p.core.store.held_bytes()) << "all 60 messages are in one block";
}

TEST_F(ReceiverTest, IdleConnectionsHoldNothing) {
  HandDrivenPipeline p;
  std::vector<LoopbackClient> clients(50);
  for (LoopbackClient& client : clients) {
    p.accept(client);
    client.send(framed("hello"));
  }
  p.run_until([&] { return p.log.size() == 100; });
  p.settle();
  EXPECT_EQ(p.core.store.held_bytes(), 0u);
  EXPECT_EQ(bytes_in_use(p), 0u);
}

TEST_F(ReceiverTest, Hazard14_AnUnfinishedFrameHoldsTheSmallestBlockThatFits) {
  HandDrivenPipeline p;
  LoopbackClient client;
  const ConnectionKey key = p.accept(client);
  const std::string frame = framed(std::string(3000, 'f'));
  client.send(framed("whole") + frame.substr(0, 100));
  p.run_until([&] { return p.core.store.held_bytes() != 0; });
  EXPECT_LE(p.core.store.held_bytes(), 512u);
  p.settle();
  EXPECT_LE(bytes_in_use(p), 512u);
  client.send(frame.substr(100));
  p.run_until([&] { return p.seen(key, kInMessage) == 2; });
  p.settle();
  EXPECT_EQ(p.core.store.held_bytes(), 0u);
  EXPECT_EQ(bytes_in_use(p), 0u);
}

TEST_F(ReceiverTest, AnAnnouncedLengthTakesNoMemoryBeforeItsBytesCome) {
  PipelineOptions options = pipeline_test_options();
  options.framing.max_bytes = 8 << 20;
  HandDrivenPipeline p(options);
  LoopbackClient client;
  p.accept(client);
  client.send(std::string("\x00\x7f\xff\xff", 4) + std::string(100, 'x'));
  p.run_until([&] { return p.core.store.held_bytes() != 0; });
  EXPECT_LE(p.core.store.held_bytes(), 1024u);
}

TEST_F(ReceiverTest, WhoHoldsTooMuchIsClosedAndTheOthersAreServed) {
  PipelineOptions options = pipeline_test_options();
  options.framing.max_bytes = 8 << 20;
  options.max_bytes = 8 << 20;
  HandDrivenPipeline p(options);
  LoopbackClient quiet;
  const ConnectionKey still = p.accept(quiet);
  const std::string frame = framed("in two halves");
  quiet.send(frame.substr(0, 6));
  std::vector<LoopbackClient> greedy(4);
  std::vector<ConnectionKey> keys;
  for (LoopbackClient& client : greedy) keys.push_back(p.accept(client));
  const std::string much(64 << 10, 'g');
  // The other half only when the first one was refused.
  for (std::size_t turn = 0; p.closed(CloseReason::kOverload) == 0; ++turn) {
    LoopbackClient& client = greedy[turn % greedy.size()];
    if (turn < greedy.size()) client.send(std::string("\x00\x7f\xff\xff", 4));
    client.try_send(much);
    p.settle();
    LoopbackClient late;
    const ConnectionKey key = p.accept(late);
    late.send(frame.substr(0, 6));
    p.settle();
    late.send(frame.substr(6));
    p.run_until([&] { return p.seen(key, kInMessage) == 1; });
    late.close();
    p.run_until([&] { return p.is_gone(key); });
  }
  quiet.send(frame.substr(6));
  p.run_until([&] { return p.seen(still, kInMessage) == 1; });
  EXPECT_EQ(quiet.receive(frame.size()), frame);
  EXPECT_EQ(p.closed(CloseReason::kOverload), 1u);
  for (LoopbackClient& client : greedy) client.close();
  quiet.close();
  p.run_until([&] { return p.core.table.open_count() == 0; });
  EXPECT_EQ(p.core.store.held_bytes(), 0u);
  EXPECT_EQ(bytes_in_use(p), 0u);
}

}  // namespace
}  // namespace millrace
