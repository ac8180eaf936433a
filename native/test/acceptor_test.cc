#include "millrace/server/acceptor.h"

#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <string>
#include <vector>

#include "support/hand_driven_pipeline.h"
#include "support/process_census.h"
#include "support/worker_thread.h"
#include "watchdog.h"

namespace millrace {
namespace {

class AcceptorTest : public ::testing::Test {
 protected:
  static std::uint64_t rejected(const PipelineCore& core, RejectReason reason) {
    return core.counters.rejected[static_cast<std::size_t>(reason)].load(std::memory_order_relaxed);
  }
  // Connects, and waits until the client is served or turned away.
  static bool is_accepted(HandDrivenPipeline& p, LoopbackClient& client) {
    EXPECT_TRUE(client.connect(p.port));
    const std::size_t before = p.accepted.size();
    const auto turned_away = [&] {
      std::uint64_t sum = 0;
      for (const auto& counter : p.core.counters.rejected) sum += counter.load();
      return sum;
    };
    const std::uint64_t rejects = turned_away();
    while (p.accepted.size() == before && turned_away() == rejects) p.acceptor.step();
    return p.accepted.size() != before;
  }
};

TEST_F(AcceptorTest, TurnsAwayWhatIsBeyondMaxConnections) {
  const Watchdog watchdog("max connections");
  PipelineOptions options = pipeline_test_options();
  options.max_connections = 3;
  HandDrivenPipeline p(options);
  std::vector<LoopbackClient> clients(3);
  for (LoopbackClient& client : clients) ASSERT_TRUE(is_accepted(p, client));
  LoopbackClient fourth;
  EXPECT_FALSE(is_accepted(p, fourth));
  EXPECT_EQ(fourth.receive_to_end(), "");
  EXPECT_EQ(rejected(p.core, RejectReason::kMaxConnections), 1u);
  EXPECT_EQ(p.core.counters.accepted.load(), 3u);
  clients[1].close();
  p.run_until([&] { return p.core.table.open_count() == 2; });
  LoopbackClient fifth;
  EXPECT_TRUE(is_accepted(p, fifth));
}

TEST_F(AcceptorTest, AsksASilentPeerWhetherItIsThere) {
  const Watchdog watchdog("keep alive");
  HandDrivenPipeline p(pipeline_test_options());
  LoopbackClient client;
  ASSERT_TRUE(is_accepted(p, client));
  const int fd = static_cast<int>(p.accepted.back().fd);
  int value = 0;
  socklen_t length = sizeof value;
  ASSERT_EQ(::getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, &length), 0);
  EXPECT_EQ(value, 1);
  ASSERT_EQ(::getsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &value, &length), 0);
  EXPECT_EQ(value, 300);
}

TEST_F(AcceptorTest, TurnsAwayOneAddressBeyondItsLimit) {
  const Watchdog watchdog("max per address");
  PipelineOptions options = pipeline_test_options();
  options.max_per_address = 2;
  HandDrivenPipeline p(options);
  std::vector<LoopbackClient> clients(2);
  for (LoopbackClient& client : clients) ASSERT_TRUE(is_accepted(p, client));
  LoopbackClient third;
  EXPECT_FALSE(is_accepted(p, third));
  EXPECT_EQ(rejected(p.core, RejectReason::kMaxPerAddress), 1u);
  clients[0].close();
  p.run_until([&] { return p.core.table.open_count() == 1; });
  LoopbackClient fourth;
  EXPECT_TRUE(is_accepted(p, fourth)) << "a place is free again, and so is the record";
  EXPECT_EQ(p.core.table.open_count(), 2u);
}

TEST_F(AcceptorTest, AcceptsNoFasterThanItsRate) {
  const Watchdog watchdog("accept rate");
  PipelineOptions options = pipeline_test_options();
  options.accept_rate = 5;
  HandDrivenPipeline p(options);
  std::vector<LoopbackClient> clients(40);
  std::size_t accepted = 0;
  const std::int64_t start = monotonic_ns();
  for (LoopbackClient& client : clients) accepted += is_accepted(p, client) ? 1 : 0;
  const auto seconds = static_cast<double>(monotonic_ns() - start) * 1e-9;
  EXPECT_GE(accepted, 5u);
  EXPECT_LE(static_cast<double>(accepted), 5 + seconds * 5 + 1);
  EXPECT_EQ(rejected(p.core, RejectReason::kAcceptRate), clients.size() - accepted);
}

TEST_F(AcceptorTest, ADescriptorBeyondTheTableIsTurnedAway) {
  const Watchdog watchdog("descriptors");
  PipelineOptions options = pipeline_test_options();
  options.descriptors = 8;  // those are all taken already
  std::deque<LoopbackClient> placeholders(8);
  HandDrivenPipeline p(options);
  LoopbackClient client;
  EXPECT_FALSE(is_accepted(p, client));
  EXPECT_EQ(client.receive_to_end(), "");
  EXPECT_EQ(rejected(p.core, RejectReason::kDescriptors), 1u);
}

TEST_F(AcceptorTest, WhileDrainingClientsAreTurnedAway) {
  const Watchdog watchdog("draining");
  HandDrivenPipeline p;
  p.core.draining.store(true);
  LoopbackClient client;
  EXPECT_FALSE(is_accepted(p, client));
  EXPECT_EQ(rejected(p.core, RejectReason::kDraining), 1u);
}

TEST_F(AcceptorTest, LongConnectionsAreDealtOutEvenly) {
  const Watchdog watchdog("even");
  PipelineOptions options = pipeline_test_options();
  options.workers = 4;
  HandDrivenPipeline p(options);
  std::vector<LoopbackClient> clients(16);
  for (LoopbackClient& client : clients) ASSERT_TRUE(is_accepted(p, client));
  for (const auto& inbox : p.core.inboxes) EXPECT_EQ(inbox->connections.load(), 4u);
}

TEST_F(AcceptorTest, ShortConnectionsAreDealtOutEvenly) {
  const Watchdog watchdog("even, short");
  PipelineOptions options = pipeline_test_options();
  options.workers = 4;
  HandDrivenPipeline p(options);
  std::vector<std::uint32_t> dealt(4);
  for (int i = 0; i < 40; ++i) {
    LoopbackClient client;
    ASSERT_TRUE(is_accepted(p, client));
    Connection* connection = p.core.table.pin(p.accepted.back());
    ++dealt[connection->worker.load()];
    p.core.table.unpin(*connection);
    client.close();
    p.run_until([&] { return p.core.table.open_count() == 0; });
  }
  EXPECT_EQ(*std::max_element(dealt.begin(), dealt.end()), 10u);
}

TEST_F(AcceptorTest, KnowsWhereItsClientsComeFrom) {
  const Watchdog watchdog("addresses");
  HandDrivenPipeline p;
  LoopbackClient client;
  ASSERT_TRUE(is_accepted(p, client));
  SocketAddress local;
  ASSERT_FALSE(local_address(client.fd(), local));
  Connection* connection = p.core.table.pin(p.accepted.back());
  EXPECT_EQ(connection->family, AF_INET);
  EXPECT_EQ(connection->peer_port, local.port);
  const std::uint8_t loopback[4] = {127, 0, 0, 1};
  EXPECT_EQ(std::memcmp(connection->peer_ip, loopback, 4), 0);
  p.core.table.unpin(*connection);
}

// --- Out of descriptors ---

struct Report {
  std::uint16_t port;
  std::uint64_t shed;
  std::uint64_t accepted;
  std::int64_t idle_cpu_ns;
  std::int64_t idle_wall_ns;
};

void tell(int fd, const Report& report) {
  if (::write(fd, &report, sizeof report) != sizeof report) ::_exit(2);
}
Report hear(int fd) {
  Report report{};
  EXPECT_EQ(::read(fd, &report, sizeof report), static_cast<ssize_t>(sizeof report));
  return report;
}

// The server, in a process that may have 64 descriptors. Reports when it is asked to.
void serve_with_few_descriptors(int ask, int answer) {
  const rlimit few{64, 64};
  ::setrlimit(RLIMIT_NOFILE, &few);
  StagedPipeline pipeline(pipeline_test_options());
  FileDescriptor listener;
  ListenOptions listen;
  listen.host = "127.0.0.1";
  SocketAddress address;
  if (pipeline.open() || listen_tcp(listen, listener) || local_address(listener.get(), address)) {
    ::_exit(3);
  }
  if (pipeline.start(std::move(listener))) ::_exit(4);
  WorkerThread worker(pipeline.core);
  const auto now = [&] {
    const PipelineCounters& c = pipeline.core.counters;
    return Report{address.port,
                  c.rejected[static_cast<std::size_t>(RejectReason::kDescriptors)].load(),
                  c.accepted.load(), process_cpu_ns(), monotonic_ns()};
  };
  tell(answer, now());
  char what;
  while (::read(ask, &what, 1) == 1) tell(answer, now());
  worker.stop();
  pipeline.close_all(CloseReason::kServer);
  pipeline.stop();
}

TEST_F(AcceptorTest, OutOfDescriptorsItShedsAndCountsAndGoesOnWithoutSpinning) {
  int ask[2];
  int answer[2];
  ASSERT_EQ(::pipe(ask), 0);
  ASSERT_EQ(::pipe(answer), 0);
  // Before there is any other thread: the child starts its own.
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::close(ask[1]);
    ::close(answer[0]);
    serve_with_few_descriptors(ask[0], answer[1]);
    ::_exit(0);
  }
  ::close(ask[0]);
  ::close(answer[1]);
  {
    const Watchdog watchdog("EMFILE", std::chrono::seconds(60));
    const auto report = [&] {
      EXPECT_EQ(::write(ask[1], "?", 1), 1);
      return hear(answer[0]);
    };
    const std::uint16_t port = hear(answer[0]).port;
    std::deque<LoopbackClient> clients;
    std::size_t served = 0;
    std::size_t shed = 0;
    for (int i = 0; i < 100; ++i) {
      LoopbackClient client;
      ASSERT_TRUE(client.connect(port));
      client.send(framed("ping"));
      if (client.receive(8) == framed("ping")) {
        ++served;
        clients.push_back(std::move(client));
      } else {
        ++shed;
      }
    }
    EXPECT_GT(served, 30u);
    EXPECT_GT(shed, 30u);
    EXPECT_EQ(served + shed, 100u);
    // All of its descriptors are taken, and nothing happens.
    const Report before = report();
    EXPECT_EQ(before.shed, shed);
    EXPECT_EQ(before.accepted, served);
    std::this_thread::sleep_for(
        std::chrono::milliseconds(300));  // not a wait: the time that is measured
    const Report after = report();
    EXPECT_LT(after.idle_cpu_ns - before.idle_cpu_ns,
              (after.idle_wall_ns - before.idle_wall_ns) / 5);
    // Those who were there are served as before, and so are new ones when some have gone.
    clients.front().send(framed("still there?"));
    EXPECT_EQ(clients.front().receive(16), framed("still there?"));
    for (int i = 0; i < 10; ++i) {
      clients.back().close();
      clients.pop_back();
    }
    for (std::string echoed; echoed.empty();) {
      LoopbackClient client;
      ASSERT_TRUE(client.connect(port));
      client.send(framed("new"));
      echoed = client.receive(7);
    }
    ::close(ask[1]);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  ::close(answer[0]);
}

}  // namespace
}  // namespace millrace
