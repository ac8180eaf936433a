#include "millrace/server/staged_pipeline.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "seed.h"
#include "support/loopback_client.h"
#include "support/process_census.h"
#include "support/staged_server.h"
#include "watchdog.h"

namespace millrace {
namespace {

using Random = std::mt19937_64;

// What a client of `id` sends as its message `number`: nobody else sends that.
std::string message_of(std::uint64_t id, std::uint64_t number) {
  std::string text = std::to_string(id) + ":" + std::to_string(number);
  text.resize(text.size() + number % 97, '.');
  return framed(text);
}

// A client that pipelines: what it receives must be a prefix of what it sent.
class PipeliningClient {
 public:
  PipeliningClient(std::uint16_t port, std::uint64_t id) : client_(port), id_(id) {}

  // Sends one more message, as far as the kernel takes it; false when the connection broke.
  bool send_one() {
    unsent_ += message_of(id_, next_++);
    const ssize_t took = client_.try_send(unsent_);
    if (took < 0) return false;
    sent_.append(unsent_, 0, static_cast<std::size_t>(took));
    unsent_.erase(0, static_cast<std::size_t>(took));
    return true;
  }
  // All that was begun, whole.
  bool finish_sending() {
    if (!client_.send(unsent_)) return false;
    sent_ += unsent_;
    unsent_.clear();
    return true;
  }
  void receive_now() { check(client_.receive_now()); }
  void receive_all() { check(client_.receive(sent_.size() - received_)); }
  void receive_to_end() { check(client_.receive_to_end()); }

  bool all_came_back() const { return received_ == sent_.size(); }
  std::size_t received() const { return received_; }
  bool at_end() { return client_.at_end(); }
  LoopbackClient& client() { return client_; }

  // Whole messages only came back.
  bool received_whole() const {
    std::size_t at = 0;
    while (at < received_) {
      const auto byte = [this](std::size_t i) { return static_cast<unsigned char>(sent_[i]); };
      at +=
          4 + (std::size_t{byte(at)} << 24 | byte(at + 1) << 16 | byte(at + 2) << 8 | byte(at + 3));
    }
    return at == received_;
  }

 private:
  void check(const std::string& bytes) {
    ASSERT_LE(received_ + bytes.size(), sent_.size());
    ASSERT_EQ(sent_.compare(received_, bytes.size(), bytes), 0)
        << "bytes of another client, out of order, or twice";
    received_ += bytes.size();
  }

  LoopbackClient client_;
  const std::uint64_t id_;
  std::uint64_t next_ = 0;
  std::string unsent_;
  std::string sent_;
  std::size_t received_ = 0;
};

class StagedPipelineTest : public ::testing::Test {
 protected:
  void SetUp() override { SCOPED_TRACE(seed_note(seed_)); }
  void TearDown() override {
    if (HasFailure()) std::cerr << seed_note(seed_) << "\n";
  }
  const std::uint64_t seed_ = test_seed();
  Watchdog watchdog_{"staged pipeline, " + seed_note(seed_), std::chrono::seconds(120)};
};

TEST_F(StagedPipelineTest, EchoesToManyClientsAndGivesEverythingBack) {
  PipelineOptions options = pipeline_test_options();
  options.workers = 2;
  StagedServer server(options);
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      Random random(seed_ + t);
      std::vector<std::unique_ptr<PipeliningClient>> clients;
      for (std::uint64_t i = 0; i < 8; ++i) {
        clients.push_back(std::make_unique<PipeliningClient>(server.port, t * 100 + i));
      }
      for (int round = 0; round < 60; ++round) {
        for (auto& client : clients) {
          for (std::uint64_t n = random() % 32; n > 0; --n) ASSERT_TRUE(client->send_one());
          client->receive_now();
        }
      }
      for (auto& client : clients) {
        ASSERT_TRUE(client->finish_sending());
        client->receive_all();
        EXPECT_TRUE(client->all_came_back());
        if (random() % 2 == 0) client->client().half_close();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  server.wait_until_empty();
  const MessageLedger ledger = server.ledger();
  EXPECT_EQ(ledger.received, ledger.handled);
  EXPECT_EQ(
      server.pipeline.core.counters.closed[static_cast<std::size_t>(CloseReason::kPeer)].load(),
      32u);
  while (server.pipeline.core.store.held_bytes() != 0) std::this_thread::yield();
  for (auto& worker : server.workers) worker->stop();
  server.pipeline.stop();
  EXPECT_EQ(server.bytes_in_use(), 0u);
}

// Connections of a few messages, closed in every way, on descriptors that are reused at once, with
// workers that answer late. Nothing of one may reach another.
TEST_F(StagedPipelineTest, Hazard12_ReusedDescriptorsUnderLoadNeverMixClients) {
  PipelineOptions options = pipeline_test_options();
  options.workers = 2;
  options.inbox_capacity = 32;
  options.idle_timeout_ms = 5;  // and the reaper takes part
  std::atomic<std::uint64_t> handlers{0};
  StagedServer server(options, [&]() -> ScriptedWorker::Handler {
    struct Pending {
      std::uint32_t handle;
      ConnectionKey key;
      std::string bytes;
    };
    auto pending = std::make_shared<std::vector<Pending>>();
    auto random = std::make_shared<Random>(seed_ + 1000 + handlers.fetch_add(1));
    return [pending, random](ScriptedWorker& w, const InboundDescriptor& d) {
      const ConnectionKey key = ScriptedWorker::key_of(d);
      if (ScriptedWorker::kind_of(d) == kInMessage && (*random)() % 8 == 0) {
        // Answered later, when the connection may be gone: everything behind it, too, or the order
        // would be lost. Here it is the connection's last message that counts.
        pending->push_back({w.hold(), key, framed(w.text(d))});
        w.end(key);
      } else {
        ScriptedWorker::echo_all(w, d);
      }
      while (pending->size() > 4 || (!pending->empty() && (*random)() % 3 == 0)) {
        const std::size_t i = (*random)() % pending->size();
        w.write((*pending)[i].key, (*pending)[i].bytes);
        w.settle((*pending)[i].handle);
        pending->erase(pending->begin() + static_cast<std::ptrdiff_t>(i));
      }
    };
  });
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      Random random(seed_ + t);
      for (std::uint64_t life = 0; life < 300; ++life) {
        PipeliningClient client(server.port, t * 1'000'000 + life);
        for (std::uint64_t n = 1 + random() % 12; n > 0; --n) {
          if (!client.send_one()) break;
          if (random() % 2 == 0) client.receive_now();
        }
        switch (random() % 4) {
          case 0:
            client.client().reset();
            break;
          case 1:
            client.client().close();
            break;
          default:
            client.client().half_close();
            client.receive_to_end();
            break;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  while (server.pipeline.core.counters.accepted.load() < 1200) std::this_thread::yield();
  server.wait_until_empty();
  std::uint64_t closed = 0;
  for (const auto& counter : server.pipeline.core.counters.closed) closed += counter.load();
  EXPECT_EQ(closed, 1200u);
  EXPECT_EQ(server.pipeline.core.timers.size(), 0u);
}

TEST_F(StagedPipelineTest, OneClientThatStreamsWithoutEndLeavesAHundredQuietOnesServed) {
  PipelineOptions options = pipeline_test_options();
  StagedServer server(options);
  std::atomic<bool> done{false};
  std::atomic<std::uint64_t> streamed{0};
  LoopbackClient stream(server.port);
  std::thread sender([&] {
    std::string much;
    while (much.size() < (256 << 10)) much += framed(std::string(1000, 's'));
    while (!done.load() && stream.send(much)) {
    }
  });
  std::thread receiver([&] {
    while (!stream.receive(64 << 10).empty()) streamed.fetch_add(64 << 10);
  });
  while (streamed.load() < (1 << 20)) std::this_thread::yield();
  std::vector<LoopbackClient> quiet;
  for (int i = 0; i < 100; ++i) quiet.emplace_back(server.port);
  for (int round = 0; round < 5; ++round) {
    for (LoopbackClient& client : quiet) client.send(framed("quiet"));
    for (LoopbackClient& client : quiet) ASSERT_EQ(client.receive(9), framed("quiet"));
  }
  const std::uint64_t before = streamed.load();
  while (streamed.load() == before) std::this_thread::yield();  // it goes on, too
  done.store(true);
  sender.join();
  stream.half_close();
  receiver.join();
}

TEST_F(StagedPipelineTest, PeersThatNeverReadDoNotHoldUpTheOthers) {
  StagedServer server;
  // Each sends until it is refused; its own requests are no longer read once its replies pile up.
  std::vector<LoopbackClient> clients(4);
  for (LoopbackClient& client : clients) {
    client.with_receive_buffer(4096);
    ASSERT_TRUE(client.connect(server.port));
  }
  const std::string frame = framed(std::string(4000, 'd'));
  for (int stalled = 0; stalled < 4;) {
    stalled = 0;
    for (LoopbackClient& client : clients) {
      std::size_t took = 0;
      for (int i = 0; i < 64; ++i)
        took += static_cast<std::size_t>(std::max<ssize_t>(0, client.try_send(frame)));
      stalled += took == 0 ? 1 : 0;
    }
    LoopbackClient good(server.port);
    good.send(framed("served"));
    ASSERT_EQ(good.receive(10), framed("served"));
  }
  const PipelineOptions& options = server.pipeline.core.options;
  EXPECT_LE(server.pipeline.core.store.held_bytes(), 4 * 4 * options.max_write_bytes);
  for (LoopbackClient& client : clients) client.reset();
  server.wait_until_empty();
  while (server.pipeline.core.store.held_bytes() != 0) std::this_thread::yield();
}

TEST_F(StagedPipelineTest, SilentConnectionsAreClosedOnTime) {
  PipelineOptions options = pipeline_test_options();
  options.idle_timeout_ms = 100;
  StagedServer server(options);
  LoopbackClient busy(server.port);
  const std::int64_t start = monotonic_ns();
  LoopbackClient silent(server.port);
  std::thread reader([&] {
    EXPECT_EQ(silent.receive_to_end(), "");
    // The clock of the time stamps may be a kernel tick behind.
    EXPECT_GE(monotonic_ns() - start, 80 * kNanosPerMilli);
  });
  reader.join();
  busy.send(framed("x"));
  EXPECT_TRUE(busy.receive_to_end().size() == 5 || busy.at_end());
  server.wait_until_empty();
  EXPECT_EQ(
      server.pipeline.core.counters.closed[static_cast<std::size_t>(CloseReason::kIdle)].load(),
      2u);
}

// --- Workers that end under load ---

TEST_F(StagedPipelineTest, Hazard18_27_WorkersThatEndInTheMiddleOfABatchLoseOneMessageEach) {
  PipelineOptions options = pipeline_test_options();
  options.workers = 2;
  options.inbox_capacity = 256;
  StagedServer server(options);
  std::atomic<bool> done{false};
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      Random random(seed_ + t);
      std::uint64_t id = t * 1'000'000;
      std::vector<std::unique_ptr<PipeliningClient>> clients(6);
      while (!done.load()) {
        for (auto& client : clients) {
          if (client == nullptr) {
            client = std::make_unique<PipeliningClient>(server.port, id++);
          }
          bool alive = true;
          for (int n = 0; alive && n < 24; ++n) alive = client->send_one();
          client->receive_now();
          if (alive && !client->at_end()) continue;
          client->receive_to_end();
          EXPECT_TRUE(client->received_whole());
          client.reset();
        }
      }
      for (auto& client : clients) {
        if (client == nullptr) continue;
        client->finish_sending();
        client->client().half_close();
        client->receive_to_end();
        EXPECT_TRUE(client->received_whole());
      }
    });
  }
  Random random(seed_ + 99);
  int deaths = 0;
  int caught = 0;
  for (; deaths < 100 || caught < 50 || server.looks.load() < 100; ++deaths) {
    const auto index = static_cast<std::uint32_t>(random() % 2);
    const std::uint64_t batches = server.workers[index]->batches.load();
    while (server.workers[index]->batches.load() < batches + random() % 4)
      std::this_thread::yield();
    caught += server.replace_worker(index, static_cast<std::uint32_t>(random() % 64)) ? 1 : 0;
  }
  done.store(true);
  for (std::thread& thread : threads) thread.join();
  server.wait_until_empty();
  const MessageLedger ledger = server.ledger();
  EXPECT_EQ(ledger.in_flight, 0u);
  EXPECT_LE(ledger.failed, static_cast<std::uint64_t>(deaths));
  while (server.pipeline.core.store.held_bytes() != 0) std::this_thread::yield();
  for (auto& worker : server.workers) worker->stop();
  server.pipeline.stop();
  EXPECT_EQ(server.bytes_in_use(), 0u);
}

// --- Ends ---

TEST_F(StagedPipelineTest, AGracefulEndAnswersWhatWasReceivedAndResetsNobody) {
  for (int round = 0; round < 10; ++round) {
    PipelineOptions options = pipeline_test_options();
    options.workers = 2;
    StagedServer server(options);
    std::atomic<int> ready{0};
    std::vector<std::thread> threads;
    for (std::uint64_t t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        Random random(seed_ + t);
        std::uint64_t id = t * 1000;
        // The last connections come while the end begins.
        for (bool refused = false; !refused;) {
          PipeliningClient client(server.port, id++);
          const std::uint64_t messages = random() % 200;
          for (std::uint64_t n = 0; n < messages && !client.at_end(); ++n) {
            if (!client.send_one()) break;
            if (n % 16 == 0) client.receive_now();
          }
          ready.fetch_add(1);
          if (client.at_end() || server.pipeline.core.draining.load()) {
            refused = true;
            client.receive_to_end();
            EXPECT_TRUE(client.received_whole());
          } else if (random() % 2 == 0) {
            client.finish_sending();
            client.client().half_close();
            client.receive_to_end();
            EXPECT_TRUE(client.received_whole());
          }
        }
      });
    }
    while (ready.load() < 40) std::this_thread::yield();
    server.pipeline.end_all();
    for (std::thread& thread : threads) thread.join();
    server.wait_until_empty();
    EXPECT_EQ(server.ledger().failed, 0u);
  }
}

TEST_F(StagedPipelineTest, StopsAtAnyMomentUnderLoadAndLeavesNothing) {
  const std::size_t descriptors_before = open_descriptors();
  std::atomic<bool> done{false};
  std::atomic<std::uint16_t> port{0};
  std::vector<std::thread> clients;
  for (std::uint64_t t = 0; t < 2; ++t) {
    clients.emplace_back([&, t] {
      std::uint64_t id = t * 1'000'000;
      while (!done.load()) {
        PipeliningClient client(port.load(), id++);
        for (int n = 0; n < 300 && client.send_one(); ++n) client.receive_now();
        // What comes after a stop may be anything up to a point, but nobody else's.
        client.receive_now();
      }
    });
  }
  Random random(seed_ + 7);
  std::uint64_t served = 0;
  const std::size_t threads_before = threads();
  for (int round = 0; round < 100; ++round) {
    PipelineOptions options = pipeline_test_options();
    options.workers = 1 + static_cast<std::uint32_t>(round % 2);
    options.idle_timeout_ms = round % 3 == 0 ? 3 : 0;
    StagedServer server(options);
    port.store(server.port);
    const PipelineCounters& counters = server.pipeline.core.counters;
    const std::uint64_t moment = random() % 60'000;
    while (counters.bytes_read.load() < moment) std::this_thread::yield();
    if (random() % 2 == 0) {
      // The order of a process that ends: the stages first, their workers find out.
      server.pipeline.stop();
      for (auto& worker : server.workers) worker->stop();
    } else {
      for (auto& worker : server.workers) worker->stop();
      server.pipeline.stop();
    }
    served += counters.bytes_read.load();
    port.store(0);
  }
  done.store(true);
  for (std::thread& client : clients) client.join();
  EXPECT_GT(served, 0u);
  wait_for_threads(threads_before - clients.size());
  EXPECT_EQ(open_descriptors(), descriptors_before);
}

TEST_F(StagedPipelineTest, ClosesEveryDescriptorOfItsOwn) {
  const std::size_t before = open_descriptors();
  {
    StagedServer server;
    std::vector<LoopbackClient> clients;
    for (int i = 0; i < 20; ++i) clients.emplace_back(server.port);
    for (LoopbackClient& client : clients) {
      client.send(framed("x"));
      client.receive(5);
    }
    server.pipeline.stop();
    EXPECT_GT(open_descriptors(), before + 40);
    clients.clear();
  }
  EXPECT_EQ(open_descriptors(), before);
}

TEST_F(StagedPipelineTest, ServesUnixSocketsAlike) {
  PipelineOptions options = pipeline_test_options();
  options.max_per_address = 1;  // they have no address
  StagedPipeline pipeline(options);
  ASSERT_FALSE(pipeline.open());
  FileDescriptor listener;
  const std::string name = std::string(1, '\0') + "millrace-test-" + std::to_string(::getpid());
  ASSERT_FALSE(listen_unix(name, 16, listener));
  ASSERT_FALSE(pipeline.start(std::move(listener)));
  WorkerThread worker(pipeline.core);
  RawAddress address;
  ASSERT_EQ(unix_address(name, address), 0);
  FileDescriptor clients[3];
  for (FileDescriptor& client : clients) {
    client.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::connect(client.get(), address.get(), address.length), 0);
  }
  const std::string bytes = framed("one") + framed(std::string(100'000, 'u'));
  for (FileDescriptor& client : clients) {
    std::thread writer([&] {
      std::size_t sent = 0;
      while (sent < bytes.size()) {
        const ssize_t took =
            ::send(client.get(), bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
        ASSERT_GT(took, 0);
        sent += static_cast<std::size_t>(took);
      }
      ::shutdown(client.get(), SHUT_WR);
    });
    std::string received;
    char some[4096];
    for (ssize_t got; (got = ::recv(client.get(), some, sizeof some, 0)) > 0;) {
      received.append(some, static_cast<std::size_t>(got));
    }
    writer.join();
    EXPECT_EQ(received, bytes);
  }
  while (pipeline.core.table.open_count() != 0) std::this_thread::yield();
  worker.stop();
}

TEST_F(StagedPipelineTest, AClosedListenerRefuses) {
  StagedServer server;
  LoopbackClient first(server.port);
  first.send(framed("x"));
  EXPECT_EQ(first.receive(5), framed("x"));
  server.pipeline.acceptor.close_listener();
  for (;;) {
    LoopbackClient second;
    if (!second.connect(server.port)) break;
  }
  first.send(framed("y"));
  EXPECT_EQ(first.receive(5), framed("y")) << "those who are there are served on";
}

}  // namespace
}  // namespace millrace
