#include "millrace/server/sender.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "seed.h"
#include "support/hand_driven_pipeline.h"
#include "watchdog.h"

namespace millrace {
namespace {

template <class Pipeline>
PublishedFigures::Counts published(const Pipeline& p) {
  return p.core.counters.published.counts();
}

// One worker that does nothing by itself: the tests write.
class SenderTest : public ::testing::Test {
 protected:
  static PipelineOptions options() {
    PipelineOptions options = pipeline_test_options();
    options.high_water_bytes = 16 << 10;
    options.low_water_bytes = 4 << 10;
    options.max_write_bytes = 256 << 10;
    return options;
  }
  static void quiet(HandDrivenPipeline& p) {
    p.on_inbound = [](ScriptedWorker&, const InboundDescriptor&) {};
  }

  // A connection whose output piles up in the server after a few kilobytes.
  static ConnectionKey accept_narrow(HandDrivenPipeline& p, LoopbackClient& client) {
    client.with_receive_buffer(4096);
    const ConnectionKey key = p.accept(client);
    const int bytes = 4096;
    ::setsockopt(static_cast<int>(key.fd), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    p.settle();
    return key;
  }

  static Connection& record(HandDrivenPipeline& p, ConnectionKey key) {
    Connection* connection = p.core.table.pin(key, true);
    EXPECT_NE(connection, nullptr);
    p.core.table.unpin(*connection);
    return *connection;
  }

  static void write(HandDrivenPipeline& p, ConnectionKey key, std::string_view bytes,
                    bool wants_drain = false) {
    p.workers[0].write(key, bytes, wants_drain);
    p.workers[0].consumer().flush();
    p.sender.step();
  }

  // Until the socket takes no more; answers how much was written.
  static std::size_t fill(HandDrivenPipeline& p, ConnectionKey key) {
    std::size_t written = 0;
    const std::string some(1000, 'f');
    while (record(p, key).backlog_bytes.load() < 1000) {
      write(p, key, some);
      written += some.size();
    }
    return written;
  }

  // Bytes in the arena beside the output blocks and the receiver's.
  static std::size_t bytes_in_use(HandDrivenPipeline& p) {
    const std::size_t fixed = Outbox::arena_bytes() + Input::kReadBlockBytes;
    const std::size_t now = p.core.store.slab().stats().in_use_bytes;
    return now > fixed ? now - fixed : 0;
  }

  Watchdog watchdog_{"sender", std::chrono::seconds(60)};
};

// --- Descriptors and keys ---

class SenderAfterReuse : public SenderTest {
 protected:
  // Ends the first connection, and gives its descriptor to a second one; `between` runs when the
  // worker has not yet heard of the close.
  template <class Between>
  void reuse(Between between) {
    old_ = p_.accept(first_);
    p_.settle();
    Connection* connection = p_.core.table.pin(old_);
    p_.core.close(*connection, CloseReason::kLocal);
    p_.core.table.unpin(*connection);
    p_.receiver.step();
    between();
    p_.run_worker(p_.workers[0]);
    ASSERT_TRUE(p_.is_gone(old_));
    fresh_ = p_.accept(second_);
    ASSERT_EQ(fresh_.fd, old_.fd);
  }

  void SetUp() override { quiet(p_); }

  HandDrivenPipeline p_{options()};
  LoopbackClient first_;
  LoopbackClient second_;
  ConnectionKey old_;
  ConnectionKey fresh_;
};

TEST_F(SenderAfterReuse, Hazard12_AKeyOfTheLastConnectionInTheSendQueueServesTheNewOneOnly) {
  reuse([&] { p_.core.queue_send(old_); });
  EXPECT_EQ(p_.core.send_queue.depth(), 1u);
  p_.settle();
  write(p_, fresh_, "for the second");
  EXPECT_EQ(second_.receive(14), "for the second");
  EXPECT_EQ(p_.core.send_queue.depth(), 0u);
  // And the new connection's own edges still find their way.
  p_.core.queue_send(fresh_);
  EXPECT_EQ(p_.core.send_queue.depth(), 1u);
}

TEST_F(SenderAfterReuse, Hazard12_OperationsOfTheLastConnectionDoNotReachTheNewOne) {
  p_.core.counters.operations_stale.store(0);
  TopicTable::Ticket ticket;
  reuse([&] {
    Connection* connection = p_.core.table.pin(old_, true);
    p_.core.topics.subscribe(*connection, "topic", false, ticket);
    p_.core.table.unpin(*connection);
    p_.workers[0].write(old_, "for the first");
    p_.workers[0].end(old_);
    p_.workers[0].end(old_, CloseReason::kLocal, true);
  });
  p_.workers[0].activate(ticket);
  p_.workers[0].publish("topic", "for the first", 0, {});
  p_.workers[0].consumer().flush();
  p_.settle();
  EXPECT_EQ(p_.core.counters.operations_stale.load(), 3u);
  EXPECT_EQ(published(p_).offered, 0u);
  write(p_, fresh_, "for the second");
  EXPECT_EQ(second_.receive(14), "for the second");
  EXPECT_FALSE(second_.at_end());
  EXPECT_EQ(second_.receive_now(), "");
}

TEST_F(SenderAfterReuse, Hazard12_BacklogOfTheLastConnectionDoesNotReachTheNewOne) {
  first_.with_receive_buffer(4096);
  reuse([&] {
    // The first one's output waits for an edge that comes late.
    Connection* connection = p_.core.table.pin(old_, true);
    connection->send.waiting = true;
    p_.core.table.slot(old_.fd).blocked.store(true);
    p_.core.table.unpin(*connection);
  });
  EXPECT_FALSE(p_.core.table.slot(fresh_.fd).blocked.load());
  p_.settle();
  write(p_, fresh_, "for the second");
  EXPECT_EQ(second_.receive(14), "for the second");
}

// --- Output that the socket does not take at once ---

TEST_F(SenderTest, SendsAtOnceWhatTheSocketTakes) {
  HandDrivenPipeline p(options());
  quiet(p);
  LoopbackClient client;
  const ConnectionKey key = p.accept(client);
  p.settle();
  p.workers[0].write(key, "one ");
  p.workers[0].write(key, "two ");
  p.workers[0].write(key, "three");
  p.workers[0].consumer().flush();
  p.sender.step();
  EXPECT_EQ(client.receive(13), "one two three");
  EXPECT_EQ(p.core.sent[key.fd].load(), 13u);
  EXPECT_EQ(p.core.counters.bytes_written.load(), 13u);
  EXPECT_EQ(p.core.store.held_bytes(), 0u);
}

TEST_F(SenderTest, Hazard13_InputEdgesDoNotVisitTheSender) {
  HandDrivenPipeline p(options());
  LoopbackClient client;
  const ConnectionKey key = p.accept(client);
  for (std::uint32_t i = 1; i <= 10; ++i) {
    client.send(framed("ping"));
    p.run_until([&] { return p.seen(key, kInMessage) == i; });
    EXPECT_EQ(client.receive(8), framed("ping"));
  }
  EXPECT_EQ(p.core.send_queue.passed(), 0u);
}

TEST_F(SenderTest, PartialWritesArriveWholeAndInOrder) {
  PipelineOptions wide = options();
  wide.max_write_bytes = 0;
  HandDrivenPipeline p(wide);
  quiet(p);
  LoopbackClient client;
  const ConnectionKey key = accept_narrow(p, client);
  std::string expected;
  std::string received;
  for (int i = 0; i < 300; ++i) {
    const std::string some =
        std::to_string(i) + std::string(static_cast<std::size_t>(i) * 17, 'w') + "\n";
    expected += some;
    p.workers[0].write(key, some);
    if (i % 7 == 0) p.workers[0].consumer().flush();
    if (i % 5 == 0) received += client.receive_now();
    p.settle();
  }
  p.workers[0].consumer().flush();
  p.run_until([&] {
    received += client.receive_now();
    return received.size() >= expected.size();
  });
  EXPECT_EQ(received, expected);
  EXPECT_EQ(p.core.sent[key.fd].load(), expected.size());
  EXPECT_EQ(record(p, key).backlog_bytes.load(), 0u);
  EXPECT_EQ(p.core.store.held_bytes(), 0u);
  EXPECT_EQ(bytes_in_use(p), 0u);
}

TEST_F(SenderTest, APeerThatNeverReadsIsClosedAtItsLimitAndItsMemoryGivenBack) {
  HandDrivenPipeline p(options());
  quiet(p);
  LoopbackClient client;
  LoopbackClient other;
  const ConnectionKey key = accept_narrow(p, client);
  const ConnectionKey good = p.accept(other);
  p.settle();
  const std::string some(1000, 's');
  std::uint32_t most = 0;
  std::size_t most_held = 0;
  while (p.closed(CloseReason::kSlowConsumer) == 0) {
    write(p, key, some);
    most = std::max(most, record(p, key).backlog_bytes.load());
    most_held = std::max(most_held, p.core.store.held_bytes());
    write(p, good, "ok");
    ASSERT_EQ(other.receive(2), "ok");
  }
  EXPECT_GT(most, options().max_write_bytes - 2 * some.size());
  EXPECT_LE(most, options().max_write_bytes + some.size());
  EXPECT_LE(most_held, 2 * options().max_write_bytes);
  // Before its worker has heard of it: that may be stuck.
  p.settle(false);
  EXPECT_EQ(p.core.store.held_bytes(), 0u);
  p.settle();
  EXPECT_TRUE(p.is_gone(key));
  EXPECT_EQ(p.close_reason(key), CloseReason::kSlowConsumer);
  EXPECT_EQ(bytes_in_use(p), 0u);
}

TEST_F(SenderTest, Hazard14_AnEchoToAPeerThatNeverReadsHoldsNoReceiveBlock) {
  HandDrivenPipeline p(options());
  LoopbackClient client;
  const ConnectionKey key = accept_narrow(p, client);
  const std::string frame = framed(std::string(60, 'e'));
  while (record(p, key).backlog_bytes.load() == 0) {
    client.send(frame);
    p.settle();
  }
  // Just one or two echoes wait: in a block of their size.
  EXPECT_LE(record(p, key).backlog_bytes.load(), 2 * frame.size());
  EXPECT_LE(p.core.store.held_bytes(), 256u);
  EXPECT_LE(bytes_in_use(p), 256u);
  for (int i = 0; i < 100; ++i) {
    client.send(frame);
    p.settle();
  }
  EXPECT_LE(bytes_in_use(p), 3 * 102 * frame.size());
  EXPECT_EQ(bytes_in_use(p), p.core.store.held_bytes());
}

// --- Drain ---

TEST_F(SenderTest, DrainComesOnceWhenTheBacklogIsGone) {
  HandDrivenPipeline p(options());
  quiet(p);
  LoopbackClient client;
  const ConnectionKey key = accept_narrow(p, client);
  std::size_t written = fill(p, key);
  const std::string some(20'000, 'd');
  write(p, key, some, true);
  written += some.size();
  p.settle();
  EXPECT_EQ(p.seen(key, kInDrain), 0u);
  EXPECT_NE(record(p, key).paused.load() & kPauseWrite, 0u);
  std::size_t received = 0;
  p.run_until([&] { return (received += client.receive_now().size()) == written; });
  p.settle();
  EXPECT_EQ(p.seen(key, kInDrain), 1u);
  EXPECT_EQ(record(p, key).paused.load(), 0u);
  // And once more for the next.
  written = fill(p, key);
  write(p, key, some, true);
  received = 0;
  p.run_until([&] { return (received += client.receive_now().size()) == written + some.size(); });
  p.settle();
  EXPECT_EQ(p.seen(key, kInDrain), 2u);
}

TEST_F(SenderTest, DrainComesOnceWhenAllWasSentAtOnce) {
  HandDrivenPipeline p(options());
  quiet(p);
  LoopbackClient client;
  const ConnectionKey key = p.accept(client);
  p.settle();
  // The worker's sum was above the mark; the sender found the socket empty.
  write(p, key, std::string(20'000, 'd'), true);
  client.receive(20'000);
  p.settle();
  EXPECT_EQ(p.seen(key, kInDrain), 1u);
  write(p, key, "no drain wanted");
  p.settle();
  EXPECT_EQ(p.seen(key, kInDrain), 1u);
}

// --- Ends ---

TEST_F(SenderTest, AHalfClosedPeerGetsItsReplies) {
  HandDrivenPipeline p(options());
  LoopbackClient client;
  const ConnectionKey key = accept_narrow(p, client);
  std::string bytes;
  for (int i = 0; i < 200; ++i) bytes += framed(std::string(100, 'h'));
  client.send(bytes);
  client.half_close();
  std::string received;
  p.run_until([&] {
    received += client.receive_now();
    return p.is_gone(key);
  });
  received += client.receive_to_end();
  EXPECT_EQ(received, bytes);
  EXPECT_FALSE(client.was_reset());
  EXPECT_EQ(p.close_reason(key), CloseReason::kPeer);
}

TEST_F(SenderTest, AnEndComesBehindTheBacklogAndNothingBehindIt) {
  HandDrivenPipeline p(options());
  quiet(p);
  LoopbackClient client;
  const ConnectionKey key = accept_narrow(p, client);
  const std::size_t written = fill(p, key);
  write(p, key, "last");
  p.workers[0].end(key);
  p.workers[0].write(key, "not this");
  p.workers[0].consumer().flush();
  std::string received;
  p.run_until([&] {
    received += client.receive_now();
    return received.size() >= written + 4 && client.at_end();
  });
  EXPECT_EQ(received.size(), written + 4);
  EXPECT_EQ(received.substr(written), "last");
  EXPECT_EQ(p.core.sent[key.fd].load(), written + 4 + 8) << "what is dropped has left, too";
  client.close();
  p.run_until([&] { return p.is_gone(key); });
  EXPECT_EQ(p.close_reason(key), CloseReason::kLocal);
}

TEST_F(SenderTest, AnEndAtOnceDropsTheBacklog) {
  HandDrivenPipeline p(options());
  quiet(p);
  LoopbackClient client;
  const ConnectionKey key = accept_narrow(p, client);
  const std::size_t written = fill(p, key);
  p.workers[0].end(key, CloseReason::kError, true);
  p.workers[0].consumer().flush();
  p.settle();
  EXPECT_TRUE(p.is_gone(key));
  EXPECT_EQ(p.close_reason(key), CloseReason::kError);
  EXPECT_LT(client.receive_to_end().size(), written);
  EXPECT_EQ(p.core.store.held_bytes(), 0u);
}

TEST_F(SenderTest, AfterItsEndAPeerThatDoesNotEndIsClosedByTheReaper) {
  PipelineOptions idle = options();
  idle.idle_timeout_ms = 500;
  HandDrivenPipeline p(idle);
  quiet(p);
  LoopbackClient client;
  const ConnectionKey key = p.accept(client);
  p.settle();
  p.workers[0].write(key, "bye");
  p.workers[0].end(key);
  p.workers[0].consumer().flush();
  p.settle();
  EXPECT_EQ(client.receive_to_end(), "bye");
  client.send("and it goes on");
  p.settle();
  const std::uint64_t now = coarse_ms();
  p.reaper.step(now + Sender::kLingerMs / 2);
  p.settle();
  EXPECT_FALSE(p.is_gone(key));
  p.reaper.step(now + Sender::kLingerMs + 100);
  p.settle();
  EXPECT_TRUE(p.is_gone(key));
  EXPECT_EQ(p.close_reason(key), CloseReason::kLocal) << "not idle, although it was";
}

TEST_F(SenderTest, AResetInTheMiddleOfAReplyIsACountedClose) {
  HandDrivenPipeline p(options());
  quiet(p);
  LoopbackClient client;
  const ConnectionKey key = accept_narrow(p, client);
  fill(p, key);
  client.reset();
  p.run_until([&] { return p.is_gone(key); });
  EXPECT_EQ(p.close_reason(key), CloseReason::kReset);
  EXPECT_EQ(p.closed(CloseReason::kReset), 1u);
  EXPECT_EQ(p.core.store.held_bytes(), 0u);
  EXPECT_EQ(bytes_in_use(p), 0u);
}

// --- Published messages ---

class PublishTest : public SenderTest {
 protected:
  static ConnectionKey subscriber(HandDrivenPipeline& p, LoopbackClient& client, bool narrow,
                                  std::string_view topic = "t", bool pattern = false) {
    const ConnectionKey key = narrow ? accept_narrow(p, client) : p.accept(client);
    p.settle();
    TopicTable::Ticket ticket;
    EXPECT_EQ(p.core.topics.subscribe(record(p, key), topic, pattern, ticket),
              TopicTable::Result::kAdded);
    p.workers[0].activate(ticket);
    p.workers[0].consumer().flush();
    p.settle();
    return key;
  }

  static void publish(HandDrivenPipeline& p, std::string_view payload, std::uint64_t key = 0) {
    p.workers[0].publish("t", payload, key);
    p.workers[0].consumer().flush();
    p.sender.step();
    expect_conserved(p);
  }

  // Hazard 22; in flight is what stands in the chains, counted one by one.
  static void expect_conserved(HandDrivenPipeline& p) {
    std::uint64_t in_flight = 0;
    for (std::uint32_t fd = 0; fd < p.core.table.descriptors(); ++fd) {
      Connection* connection = p.core.table.pin_current(fd);
      if (connection == nullptr) continue;
      for (std::uint32_t b = connection->send.published_head; b != kNoBlock;
           b = p.core.store.next(b)) {
        ++in_flight;
      }
      p.core.table.unpin(*connection);
    }
    ASSERT_EQ(published(p).of[PublishedFigures::kWaiting], in_flight);
    ASSERT_EQ(published(p).offered, published(p).of[PublishedFigures::kDelivered] +
                                        published(p).of[PublishedFigures::kConflated] +
                                        published(p).of[PublishedFigures::kOldest] +
                                        published(p).of[PublishedFigures::kSlow] +
                                        published(p).of[PublishedFigures::kClosed] +
                                        published(p).of[PublishedFigures::kMemory] + in_flight);
  }

  static PipelineOptions with(SlowConsumer policy) {
    PipelineOptions with = options();
    with.slow_consumer = policy;
    return with;
  }

  // Everything that still comes.
  static std::string read_all(HandDrivenPipeline& p, LoopbackClient& client, ConnectionKey key) {
    std::string received;
    p.run_until([&] {
      received += client.receive_now();
      const Connection& c = record(p, key);
      return c.backlog_bytes.load() == 0 && c.send.published_head == kNoBlock;
    });
    p.settle();
    // The rest is in the kernel: a mark behind it.
    write(p, key, "|");
    while (received.empty() || received.back() != '|') {
      received += client.receive(1);
    }
    expect_conserved(p);
    return received;
  }

  static std::string message(int i, std::size_t size = 1000) {
    std::string text = std::to_string(i) + ";";
    text.resize(size, '.');
    return text;
  }
  // The numbers of the messages in what was received.
  static std::vector<int> numbers(const std::string& received) {
    std::vector<int> found;
    for (std::size_t at = received.find(';'); at != std::string::npos;
         at = received.find(';', at + 1)) {
      std::size_t begin = at;
      while (begin > 0 && std::isdigit(received[begin - 1])) --begin;
      found.push_back(std::stoi(received.substr(begin, at - begin)));
    }
    return found;
  }
};

TEST_F(PublishTest, ReachesSubscribersInOrder) {
  HandDrivenPipeline p(options());
  quiet(p);
  LoopbackClient exact;
  LoopbackClient pattern;
  LoopbackClient both;
  subscriber(p, exact, false);
  subscriber(p, pattern, false, "[s-u]*", true);
  const ConnectionKey twice = subscriber(p, both, false);
  TopicTable::Ticket ticket;
  p.core.topics.subscribe(record(p, twice), "?", true, ticket);
  p.workers[0].activate(ticket);
  publish(p, "one");
  publish(p, "two");
  EXPECT_EQ(exact.receive(6), "onetwo");
  EXPECT_EQ(pattern.receive(6), "onetwo");
  EXPECT_EQ(both.receive(12), "oneonetwotwo") << "once for each subscription, as in Redis";
  EXPECT_EQ(published(p).of[PublishedFigures::kDelivered], 8u);
}

TEST_F(PublishTest, LeavesThePublisherOut) {
  HandDrivenPipeline p(options());
  quiet(p);
  LoopbackClient a;
  LoopbackClient b;
  const ConnectionKey self = subscriber(p, a, false);
  subscriber(p, b, false);
  p.workers[0].publish("t", "news", 0, self);
  p.workers[0].write(self, "reply");
  p.workers[0].consumer().flush();
  p.sender.step();
  EXPECT_EQ(b.receive(4), "news");
  EXPECT_EQ(a.receive(5), "reply");
}

TEST_F(PublishTest, DeliversFromTheMomentOfItsActivation) {
  HandDrivenPipeline p(options());
  quiet(p);
  LoopbackClient client;
  const ConnectionKey key = p.accept(client);
  p.settle();
  TopicTable::Ticket ticket;
  ASSERT_EQ(p.core.topics.subscribe(record(p, key), "t", false, ticket),
            TopicTable::Result::kAdded);
  EXPECT_EQ(p.core.topics.count("t", {}), 1u) << "it counts at once";
  publish(p, "too early");
  p.workers[0].write(key, "subscribed ");
  p.workers[0].activate(ticket);
  p.workers[0].publish("t", "first");
  p.workers[0].consumer().flush();
  p.sender.step();
  EXPECT_EQ(client.receive(16), "subscribed first");
  ASSERT_TRUE(p.core.topics.unsubscribe(record(p, key), "t", false));
  publish(p, "too late");
  write(p, key, "end");
  EXPECT_EQ(client.receive(3), "end");
}

TEST_F(PublishTest, DoesNotMoveTheAccountOfWhatTheWorkerWrote) {
  HandDrivenPipeline p(options());
  quiet(p);
  LoopbackClient client;
  const ConnectionKey key = subscriber(p, client, true);
  const std::uint32_t before = p.core.sent[key.fd].load();
  std::size_t size = 0;
  for (int i = 0; i < 20; ++i) {
    publish(p, message(i));
    size += message(i).size();
  }
  write(p, key, "mine");
  std::size_t received = 0;
  p.run_until([&] { return (received += client.receive_now().size()) == size + 4; });
  EXPECT_EQ(p.core.sent[key.fd].load() - before, 4u);
}

TEST_F(PublishTest, PauseClosesASlowSubscriberAtItsLimit) {
  HandDrivenPipeline p(with(SlowConsumer::kPause));
  quiet(p);
  LoopbackClient client;
  const ConnectionKey key = subscriber(p, client, true);
  for (int i = 0; p.closed(CloseReason::kSlowConsumer) == 0; ++i) {
    publish(p, message(i));
    ASSERT_LE(record(p, key).backlog_bytes.load(), options().max_write_bytes);
  }
  p.settle();
  EXPECT_TRUE(p.is_gone(key));
  EXPECT_EQ(published(p).of[PublishedFigures::kSlow], 1u);
  EXPECT_EQ(p.core.store.held_bytes(), 0u) << "the topic is gone with its subscriber";
  publish(p, "nobody is there");
}

TEST_F(PublishTest, DisconnectClosesASlowSubscriberAtTheHighWaterMark) {
  HandDrivenPipeline p(with(SlowConsumer::kDisconnect));
  quiet(p);
  LoopbackClient slow;
  LoopbackClient good;
  const ConnectionKey key = subscriber(p, slow, true);
  subscriber(p, good, false);
  int count = 0;
  for (; p.closed(CloseReason::kSlowConsumer) == 0; ++count) {
    ASSERT_LE(record(p, key).backlog_bytes.load(), options().high_water_bytes);
    publish(p, message(count));
    ASSERT_EQ(good.receive(1000), message(count));
  }
  EXPECT_EQ(published(p).of[PublishedFigures::kSlow], 1u);
  p.settle();
  EXPECT_TRUE(p.is_gone(key));
  EXPECT_EQ(p.close_reason(key), CloseReason::kSlowConsumer);
}

TEST_F(PublishTest, DropOldestKeepsTheNewestWithinTheLimit) {
  HandDrivenPipeline p(with(SlowConsumer::kDropOldest));
  quiet(p);
  LoopbackClient client;
  const ConnectionKey key = subscriber(p, client, true);
  constexpr int kMessages = 1000;
  for (int i = 0; i < kMessages; ++i) {
    publish(p, message(i));
    const Connection& c = record(p, key);
    ASSERT_LE(c.backlog_bytes.load() + c.send.published_bytes, options().max_write_bytes);
  }
  const std::uint64_t dropped = published(p).of[PublishedFigures::kOldest];
  EXPECT_GT(dropped, 500u);
  EXPECT_LE(p.core.store.held_bytes(), options().max_write_bytes + (64 << 10));
  const std::vector<int> found = numbers(read_all(p, client, key));
  EXPECT_EQ(found.size(), kMessages - dropped);
  EXPECT_TRUE(std::is_sorted(found.begin(), found.end()));
  EXPECT_EQ(found.back(), kMessages - 1);
  EXPECT_EQ(published(p).of[PublishedFigures::kDelivered], found.size());
  EXPECT_EQ(published(p).of[PublishedFigures::kWaiting], 0u);
}

TEST_F(PublishTest, Hazard16_ConflateKeepsTheNewestOfEachKeyInThePlaceOfTheOldest) {
  HandDrivenPipeline p(with(SlowConsumer::kConflate));
  quiet(p);
  LoopbackClient client;
  const ConnectionKey key = subscriber(p, client, true);
  constexpr int kKeys = 5;
  constexpr int kMessages = 1000;
  for (int i = 0; i < kMessages; ++i) publish(p, message(i), static_cast<std::uint64_t>(i % kKeys));
  EXPECT_EQ(published(p).of[PublishedFigures::kWaiting], static_cast<std::uint64_t>(kKeys));
  EXPECT_GT(published(p).of[PublishedFigures::kConflated], 900u);
  EXPECT_LE(record(p, key).send.published_bytes, kKeys * 2048u);
  const std::vector<int> found = numbers(read_all(p, client, key));
  EXPECT_EQ(found.size(), published(p).of[PublishedFigures::kDelivered]);
  EXPECT_EQ(
      published(p).of[PublishedFigures::kDelivered] + published(p).of[PublishedFigures::kConflated],
      kMessages + 0u);
  // The last of each key, each at the place of the first that waited.
  ASSERT_GE(found.size(), 5u);
  for (int i = 0; i < kKeys; ++i)
    EXPECT_EQ(found[found.size() - 5 + i] / kKeys, kMessages / kKeys - 1);
}

// As many keys as fit, in random order: each is delivered once, in the order of the first that
// waited, with its newest value; two subscribers that do not read do not meet in the index.
TEST_F(PublishTest, Hazard16_ConflatesManyKeysForSeveralSubscribers) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  std::mt19937_64 random(seed);
  HandDrivenPipeline p(with(SlowConsumer::kConflate));
  quiet(p);
  LoopbackClient clients[2];
  const ConnectionKey keys[2] = {subscriber(p, clients[0], true), subscriber(p, clients[1], true)};
  constexpr int kKeys = 24;
  std::map<int, int> last;
  for (int i = 0; i < 4000; ++i) {
    const int key = static_cast<int>(random() % kKeys);
    const int number = i * kKeys + key;
    last[key] = number;
    publish(p, message(number), static_cast<std::uint64_t>(key));
  }
  EXPECT_LE(published(p).of[PublishedFigures::kWaiting], 2u * kKeys);
  for (int i = 0; i < 2; ++i) {
    const std::vector<int> found = numbers(read_all(p, clients[i], keys[i]));
    std::map<int, int> delivered;
    for (const int number : found) delivered[number % kKeys] = number;
    EXPECT_EQ(delivered, last);
  }
  EXPECT_EQ(published(p).of[PublishedFigures::kWaiting], 0u);
  expect_conserved(p);
}

TEST_F(PublishTest, Hazard17_ConflateLosesNoMessageOfNoKeyButEndsTheSubscriber) {
  HandDrivenPipeline p(with(SlowConsumer::kConflate));
  quiet(p);
  LoopbackClient slow;
  LoopbackClient good;
  const ConnectionKey key = subscriber(p, slow, true);
  subscriber(p, good, false);
  int count = 0;
  for (; p.closed(CloseReason::kSlowConsumer) == 0; ++count) {
    const Connection& r = record(p, key);
    ASSERT_LE(r.backlog_bytes.load() + r.send.published_bytes, options().max_write_bytes);
    publish(p, message(count), PublishedQueue::kNoKey);
    ASSERT_EQ(good.receive(1000), message(count));
  }
  EXPECT_EQ(published(p).of[PublishedFigures::kSlow], 1u);
  EXPECT_EQ(published(p).of[PublishedFigures::kOldest], 0u);
  EXPECT_EQ(published(p).of[PublishedFigures::kConflated], 0u);
  p.settle();
  EXPECT_TRUE(p.is_gone(key));
  EXPECT_EQ(p.close_reason(key), CloseReason::kSlowConsumer);
  expect_conserved(p);
}

TEST_F(PublishTest, Hazard17_ConflateKeepsTheOrderOfMessagesOfNoKey) {
  HandDrivenPipeline p(with(SlowConsumer::kConflate));
  quiet(p);
  LoopbackClient client;
  const ConnectionKey key = subscriber(p, client, true);
  int count = 0;
  // Each second message is of one key.
  for (; published(p).of[PublishedFigures::kConflated] < 5; ++count) {
    publish(p, message(count), count % 2 == 0 ? 7 : PublishedQueue::kNoKey);
  }
  std::vector<int> odd;
  for (const int number : numbers(read_all(p, client, key))) {
    if (number % 2 != 0) odd.push_back(number);
  }
  ASSERT_EQ(odd.size(), static_cast<std::size_t>(count / 2));
  for (std::size_t i = 0; i < odd.size(); ++i) ASSERT_EQ(odd[i], static_cast<int>(2 * i + 1));
  EXPECT_EQ(p.closed(CloseReason::kSlowConsumer), 0u);
}

TEST_F(PublishTest, RepliesAreNeverDropped) {
  HandDrivenPipeline p(with(SlowConsumer::kDropOldest));
  quiet(p);
  LoopbackClient client;
  const ConnectionKey key = subscriber(p, client, true);
  std::string replies;
  std::string received;
  for (int i = 0; i < 600; ++i) {
    publish(p, message(i));
    if (i % 6 != 0) continue;
    const std::string reply = "<" + std::to_string(i) + ">";
    replies += reply;
    write(p, key, reply);
  }
  received = read_all(p, client, key);
  std::string seen;
  for (std::size_t at = 0; (at = received.find('<', at)) != std::string::npos; ++at) {
    seen += received.substr(at, received.find('>', at) - at + 1);
  }
  EXPECT_EQ(seen, replies);
}

TEST_F(PublishTest, MessagesInFlightOfAConnectionThatClosesAreCounted) {
  HandDrivenPipeline p(with(SlowConsumer::kDropOldest));
  quiet(p);
  LoopbackClient client;
  const ConnectionKey key = subscriber(p, client, true);
  for (int i = 0; i < 100; ++i) publish(p, message(i));
  const std::uint64_t in_flight = published(p).of[PublishedFigures::kWaiting];
  ASSERT_GT(in_flight, 0u);
  client.reset();
  p.run_until([&] { return p.is_gone(key); });
  EXPECT_EQ(published(p).of[PublishedFigures::kClosed], in_flight);
  expect_conserved(p);
  EXPECT_EQ(bytes_in_use(p), 0u);
}

TEST_F(PublishTest, LackOfMemoryIsCounted) {
  HandDrivenPipeline p(with(SlowConsumer::kDropOldest));
  quiet(p);
  LoopbackClient client;
  const ConnectionKey key = subscriber(p, client, true);
  int i = 0;
  while (record(p, key).send.published_head == kNoBlock) publish(p, message(i++));
  std::vector<std::uint32_t> taken;
  for (std::uint32_t size = 64 << 10; size >= 256; size /= 2) {
    for (std::uint32_t b; (b = p.core.store.allocate(size)) != kNoBlock;) taken.push_back(b);
  }
  for (int n = 0; n < 100; ++n) publish(p, message(i++));
  EXPECT_GT(published(p).of[PublishedFigures::kMemory], 0u);
  for (const std::uint32_t block : taken) p.core.store.release(block);
}

TEST_F(PublishTest, AnOperationThatPointsPastTheArenaIsNotRead) {
  HandDrivenPipeline p(options());
  quiet(p);
  LoopbackClient client;
  subscriber(p, client, false);
  const auto end = static_cast<std::uint32_t>(p.core.store.max_bytes());
  p.workers[0].push({0, 0, end, 0, kOutPublish, 0, 0, kNoBlock});
  p.workers[0].push({0, 0, end - 4, 4, kOutPublish, 0, 0, kNoBlock});
  p.workers[0].consumer().flush();
  p.sender.step();
  publish(p, "alive");
  EXPECT_EQ(client.receive(5), "alive");
}

}  // namespace
}  // namespace millrace
