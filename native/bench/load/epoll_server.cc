// The benchmark's ceiling: a single-threaded epoll server that does nothing but frame and answer.
//
//   epoll_server --protocol echo|resp
//
// Listens on 127.0.0.1, prints the port as one JSON line, and on SIGTERM prints how many frames it
// has answered. One read an event (level-triggered), one write for all the frames of that read; an
// echo is written from the buffer it was read into. A connection whose output is full is not read
// until it has drained. Frames longer than the read buffer, and broken ones, end the connection.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cinttypes>
#include <csignal>
#include <memory>
#include <vector>

#include "flags.h"
#include "wire.h"

namespace millrace::bench {
namespace {

constexpr std::uint32_t kReadBytes = 64 * 1024;

enum class ScanResult : std::uint8_t { kFrame, kIncomplete, kBroken };

// Reads `<marker><digits>\r\n` at `at` and moves `at` behind it.
ScanResult scan_count(const std::uint8_t* bytes, std::uint32_t size, std::uint8_t marker,
                      std::uint32_t& at, std::uint32_t& count) {
  if (at == size) return ScanResult::kIncomplete;
  if (bytes[at] != marker) return ScanResult::kBroken;
  std::uint32_t i = at + 1;
  count = 0;
  for (; i < size && bytes[i] >= '0' && bytes[i] <= '9'; i++) {
    count = count * 10 + (bytes[i] - '0');
    if (count > kReadBytes) return ScanResult::kBroken;
  }
  if (i + 1 >= size) return ScanResult::kIncomplete;
  if (i == at + 1 || bytes[i] != '\r' || bytes[i + 1] != '\n') return ScanResult::kBroken;
  at = i + 2;
  return ScanResult::kFrame;
}

ScanResult scan_resp(const std::uint8_t* bytes, std::uint32_t size, std::uint32_t& end) {
  std::uint32_t at = 0;
  std::uint32_t arguments = 0;
  ScanResult result = scan_count(bytes, size, '*', at, arguments);
  for (std::uint32_t i = 0; i < arguments && result == ScanResult::kFrame; i++) {
    std::uint32_t length = 0;
    result = scan_count(bytes, size, '$', at, length);
    if (result != ScanResult::kFrame) break;
    if (size - at < length + 2) return ScanResult::kIncomplete;
    at += length;
    if (bytes[at] != '\r' || bytes[at + 1] != '\n') return ScanResult::kBroken;
    at += 2;
  }
  end = at;
  return result;
}

ScanResult scan_echo(const std::uint8_t* bytes, std::uint32_t size, std::uint32_t& end) {
  if (size < kPrefixBytes) return ScanResult::kIncomplete;
  const std::uint32_t length = read_big_endian_32(bytes);
  if (length > kReadBytes - kPrefixBytes) return ScanResult::kBroken;
  if (size - kPrefixBytes < length) return ScanResult::kIncomplete;
  end = kPrefixBytes + length;
  return ScanResult::kFrame;
}

struct Connection {
  int fd;
  std::vector<std::uint8_t> unread;  // the beginning of a frame whose rest has not come
  std::vector<std::uint8_t> unsent;  // what the socket did not take; not read while this is held
};

class EpollServer {
 public:
  explicit EpollServer(Protocol protocol) : protocol_(protocol), buffer_(kReadBytes) {
    const std::uint32_t most = kReadBytes / kPing.size() + 1;
    pongs_.reserve(most * kPong.size());
    for (std::uint32_t i = 0; i < most; i++) {
      pongs_.insert(pongs_.end(), kPong.begin(), kPong.end());
    }
  }

  // False: errno says why. The port is printed.
  bool open() {
    epoll_fd_ = ::epoll_create1(EPOLL_CLOEXEC);
    listen_fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (epoll_fd_ < 0 || listen_fd_ < 0 ||
        ::bind(listen_fd_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::listen(listen_fd_, 1024) != 0 ||
        ::getsockname(listen_fd_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      return false;
    }
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, nullptr);
    signal_fd_ = ::signalfd(-1, &signals, SFD_CLOEXEC);
    if (signal_fd_ < 0 || !watch(listen_fd_, &listen_fd_) || !watch(signal_fd_, &signal_fd_)) {
      return false;
    }
    std::printf("{\"port\":%u}\n", ntohs(address.sin_port));
    std::fflush(stdout);
    return true;
  }

  void run() {
    epoll_event events[256];
    for (;;) {
      const int ready = ::epoll_wait(epoll_fd_, events, 256, -1);
      for (int i = 0; i < ready; i++) {
        if (events[i].data.ptr == &signal_fd_) {
          std::printf("{\"frames\":%" PRIu64 "}\n", frames_);
          return;
        }
        if (events[i].data.ptr == &listen_fd_) {
          accept_all();
        } else {
          serve(static_cast<Connection*>(events[i].data.ptr), events[i].events);
        }
      }
    }
  }

 private:
  bool watch(int fd, void* data) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = data;
    return ::epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) == 0;
  }

  void accept_all() {
    for (;;) {
      const int fd = ::accept4(listen_fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return;
      const int on = 1;
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      Connection* connection = new Connection{fd, {}, {}};
      if (!watch(fd, connection)) drop(connection);
    }
  }

  void drop(Connection* connection) {
    ::close(connection->fd);
    delete connection;
  }

  void serve(Connection* connection, std::uint32_t ready) {
    const bool alive = (ready & EPOLLOUT) != 0 ? drain(connection) : read_and_answer(connection);
    if (!alive) drop(connection);
  }

  bool read_and_answer(Connection* connection) {
    std::uint32_t size = static_cast<std::uint32_t>(connection->unread.size());
    std::copy(connection->unread.begin(), connection->unread.end(), buffer_.begin());
    const ssize_t n = ::recv(connection->fd, buffer_.data() + size, kReadBytes - size, 0);
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    if (n == 0) return false;
    size += static_cast<std::uint32_t>(n);

    std::uint32_t at = 0;
    std::uint32_t frames = 0;
    ScanResult result = ScanResult::kFrame;
    while (at < size) {
      std::uint32_t end = 0;
      result = protocol_ == Protocol::kEcho ? scan_echo(buffer_.data() + at, size - at, end)
                                            : scan_resp(buffer_.data() + at, size - at, end);
      if (result != ScanResult::kFrame) break;
      at += end;
      frames += 1;
    }
    if (result == ScanResult::kBroken || (at == 0 && size == kReadBytes)) return false;
    connection->unread.assign(buffer_.begin() + at, buffer_.begin() + size);
    frames_ += frames;
    return protocol_ == Protocol::kEcho ? answer(connection, buffer_.data(), at)
                                        : answer(connection, pongs_.data(), frames * kPong.size());
  }

  bool answer(Connection* connection, const std::uint8_t* bytes, std::size_t size) {
    if (size == 0) return true;
    const ssize_t n = ::send(connection->fd, bytes, size, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR) return false;
    const std::size_t written = n < 0 ? 0 : static_cast<std::size_t>(n);
    if (written == size) return true;
    connection->unsent.assign(bytes + written, bytes + size);
    return await(connection, EPOLLOUT);
  }

  bool drain(Connection* connection) {
    std::vector<std::uint8_t>& unsent = connection->unsent;
    const ssize_t n = ::send(connection->fd, unsent.data(), unsent.size(), MSG_NOSIGNAL);
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    unsent.erase(unsent.begin(), unsent.begin() + n);
    return unsent.empty() ? await(connection, EPOLLIN) : true;
  }

  bool await(Connection* connection, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.ptr = connection;
    return ::epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, connection->fd, &event) == 0;
  }

  const Protocol protocol_;
  int epoll_fd_ = -1;
  int listen_fd_ = -1;
  int signal_fd_ = -1;
  std::uint64_t frames_ = 0;
  std::vector<std::uint8_t> buffer_;
  std::vector<std::uint8_t> pongs_;
};

}  // namespace
}  // namespace millrace::bench

int main(int argc, char** argv) {
  using namespace millrace::bench;
  const Flags flags(argc, argv, {"--protocol"});
  Protocol protocol{};
  if (!parse_protocol(flags.text("--protocol", "echo"), protocol)) {
    std::fprintf(stderr, "--protocol must be echo or resp, got %s\n", flags.text("--protocol", ""));
    return 2;
  }
  EpollServer server(protocol);
  if (!server.open()) {
    std::fprintf(stderr, "cannot listen on 127.0.0.1: %s\n", std::strerror(errno));
    return 1;
  }
  server.run();
  return 0;
}
