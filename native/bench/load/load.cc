// The benchmark's client: one thread, closed loop, one JSON line on standard output.
//
//   load --port N --protocol echo|resp [--connections 50] [--depth 1] [--seconds 1]
//        [--warmup 0.2] [--server-pid PID]
//
// Messages, latencies and CPU times are those of the measured window, which follows the warm-up.
// After the window no new request is sent, outstanding replies are awaited and each connection is
// half-closed, so `received` is exactly what the server has answered over the whole run and the
// server has no connection left when this process ends. Each wait has an end: warm-up, window and
// two seconds for each of the last two steps.
//
// A closed loop sends no faster than it is answered: the latencies are those of `connections` times
// `depth` requests in flight, not those of a fixed rate of arrival.
//
// Exit code 0: every reply was right. 1: `errors` is not zero. 2: bad flag, or no connection.

#include <sys/epoll.h>

#include <cinttypes>
#include <memory>

#include "closed_loop_connection.h"
#include "cpu_time.h"
#include "flags.h"

namespace millrace::bench {
namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr std::int64_t kDrainNs = 2 * kSecondNs;

struct LoadOptions {
  Protocol protocol;
  std::uint16_t port;
  std::uint32_t connections;
  std::uint32_t depth;
  std::int64_t warmup_ns;
  std::int64_t window_ns;
  pid_t server_pid;
};

class Load {
 public:
  explicit Load(const LoadOptions& options) : options_(options) {}

  ~Load() {
    if (epoll_fd_ >= 0) ::close(epoll_fd_);
  }

  bool open() {
    epoll_fd_ = ::epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd_ < 0) return false;
    for (std::uint32_t i = 0; i < options_.connections; i++) {
      connections_.push_back(
          std::make_unique<ClosedLoopConnection>(options_.protocol, i, options_.depth));
      if (!connections_.back()->open(options_.port)) return false;
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.ptr = connections_.back().get();
      if (::epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, connections_.back()->fd(), &event) != 0) {
        return false;
      }
    }
    open_ = options_.connections;
    return true;
  }

  void run() {
    for (const auto& connection : connections_) request(*connection);
    run_until(monotonic_ns() + options_.warmup_ns, false);

    recording_ = true;
    const double server_cpu = process_cpu_seconds(options_.server_pid);
    const double own_cpu = own_cpu_seconds();
    const std::int64_t started = monotonic_ns();
    const std::int64_t ended = run_until(started + options_.window_ns, false);
    recording_ = false;
    server_cpu_seconds_ = process_cpu_seconds(options_.server_pid) - server_cpu;
    own_cpu_seconds_ = own_cpu_seconds() - own_cpu;
    window_seconds_ = static_cast<double>(ended - started) * 1e-9;

    requesting_ = false;
    run_until(monotonic_ns() + kDrainNs, true);
    for (const auto& connection : connections_) {
      unanswered_ += connection->is_open() ? connection->in_flight() : 0;
      if (connection->is_open()) connection->finish();
    }
    finishing_ = true;
    run_until(monotonic_ns() + kDrainNs, true);
  }

  std::uint64_t errors() const { return corrupt_ + excess_ + closed_ + unanswered_; }

  void print() const {
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
    for (const auto& connection : connections_) {
      sent += connection->sent();
      received += connection->received();
    }
    std::printf("{\"protocol\":\"%s\",\"connections\":%u,\"depth\":%u,\"messages\":%" PRIu64
                ",\"seconds\":%.6f,\"sent\":%" PRIu64 ",\"received\":%" PRIu64
                ",\"meanUs\":%.2f,\"p50Us\":%.2f,\"p99Us\":%.2f,\"p999Us\":%.2f,\"maxUs\":%.2f"
                ",\"serverCpuSeconds\":",
                protocol_name(options_.protocol), options_.connections, options_.depth,
                latencies_.count(), window_seconds_, sent, received, latencies_.mean_ns() / 1e3,
                latencies_.quantile_ns(0.5) / 1e3, latencies_.quantile_ns(0.99) / 1e3,
                latencies_.quantile_ns(0.999) / 1e3, latencies_.max_ns() / 1e3);
    if (std::isnan(server_cpu_seconds_)) {
      std::printf("null");
    } else {
      std::printf("%.3f", server_cpu_seconds_);
    }
    std::printf(",\"loadCpuSeconds\":%.3f,\"errors\":%" PRIu64 ",\"corrupt\":%" PRIu64
                ",\"excess\":%" PRIu64 ",\"closed\":%" PRIu64 ",\"unanswered\":%" PRIu64
                ",\"unclosed\":%u}\n",
                own_cpu_seconds_, errors(), corrupt_, excess_, closed_, unanswered_, open_);
  }

 private:
  // Serves the connections until `deadline`, or earlier when none is left or, while draining, when
  // nothing is awaited any more. Answers when it stopped.
  std::int64_t run_until(std::int64_t deadline, bool draining) {
    epoll_event events[256];
    for (std::int64_t now = monotonic_ns(); now < deadline; now = monotonic_ns()) {
      if (open_ == 0 || (draining && !finishing_ && in_flight() == 0)) return now;
      const std::int64_t left_ms = (deadline - now + 999'999) / 1'000'000;
      const int ready = ::epoll_wait(epoll_fd_, events, 256, static_cast<int>(left_ms));
      for (int i = 0; i < ready; i++) {
        serve(*static_cast<ClosedLoopConnection*>(events[i].data.ptr), events[i].events);
      }
    }
    return monotonic_ns();
  }

  void serve(ClosedLoopConnection& connection, std::uint32_t ready) {
    if ((ready & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
      switch (connection.receive(recording_ ? &latencies_ : nullptr)) {
        case ReceiveResult::kReplies:
          break;
        case ReceiveResult::kFinished:
          // Before the half-close the server has no reason to end a connection.
          drop(connection, finishing_ ? nullptr : &closed_);
          return;
        case ReceiveResult::kCorrupt:
          drop(connection, &corrupt_);
          return;
        case ReceiveResult::kExcess:
          drop(connection, &excess_);
          return;
        case ReceiveResult::kClosed:
          drop(connection, &closed_);
          return;
      }
    }
    if (requesting_ || connection.has_unsent()) request(connection);
  }

  void request(ClosedLoopConnection& connection) {
    const bool waited = connection.has_unsent();
    if (!(requesting_ ? connection.fill() : connection.flush())) {
      drop(connection, &closed_);
      return;
    }
    if (connection.has_unsent() == waited) return;
    epoll_event event{};
    event.events = connection.has_unsent() ? EPOLLIN | EPOLLOUT : EPOLLIN;
    event.data.ptr = &connection;
    ::epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, connection.fd(), &event);
  }

  void drop(ClosedLoopConnection& connection, std::uint64_t* counter) {
    if (counter != nullptr) *counter += 1;
    connection.close();
    open_ -= 1;
  }

  std::uint64_t in_flight() const {
    std::uint64_t sum = 0;
    for (const auto& connection : connections_) {
      sum += connection->is_open() ? connection->in_flight() : 0;
    }
    return sum;
  }

  const LoadOptions options_;
  int epoll_fd_ = -1;
  std::vector<std::unique_ptr<ClosedLoopConnection>> connections_;
  std::uint32_t open_ = 0;
  bool requesting_ = true;
  bool recording_ = false;
  bool finishing_ = false;
  LatencyHistogram latencies_;
  double window_seconds_ = 0;
  double server_cpu_seconds_ = 0;
  double own_cpu_seconds_ = 0;
  std::uint64_t corrupt_ = 0;
  std::uint64_t excess_ = 0;
  std::uint64_t closed_ = 0;
  std::uint64_t unanswered_ = 0;
};

int run(int argc, char** argv) {
  const Flags flags(argc, argv,
                    {"--port", "--protocol", "--connections", "--depth", "--seconds", "--warmup",
                     "--server-pid"});
  LoadOptions options{};
  if (!parse_protocol(flags.text("--protocol", "echo"), options.protocol)) {
    std::fprintf(stderr, "--protocol must be echo or resp, got %s\n", flags.text("--protocol", ""));
    return 2;
  }
  options.port = static_cast<std::uint16_t>(flags.number("--port", 1, 65535, 0));
  options.connections = static_cast<std::uint32_t>(flags.number("--connections", 1, 10000, 50));
  options.depth = static_cast<std::uint32_t>(flags.number("--depth", 1, 4096, 1));
  options.window_ns = static_cast<std::int64_t>(flags.number("--seconds", 0.01, 3600, 1) * 1e9);
  options.warmup_ns = static_cast<std::int64_t>(flags.number("--warmup", 0, 60, 0.2) * 1e9);
  options.server_pid = static_cast<pid_t>(flags.number("--server-pid", 1, 1 << 30, 0));
  if (options.port == 0) {
    std::fprintf(stderr, "--port is needed: the port on 127.0.0.1 to connect to\n");
    return 2;
  }
  Load load(options);
  if (!load.open()) {
    std::fprintf(stderr, "cannot connect to 127.0.0.1:%u: %s\n", options.port,
                 std::strerror(errno));
    return 2;
  }
  load.run();
  load.print();
  return load.errors() == 0 ? 0 : 1;
}

}  // namespace
}  // namespace millrace::bench

int main(int argc, char** argv) { return millrace::bench::run(argc, argv); }
