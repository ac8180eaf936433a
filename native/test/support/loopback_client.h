#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "millrace/base/file_descriptor.h"

namespace millrace {

// A TCP client on 127.0.0.1 that blocks: every member returns when the thing has happened. One
// thread. The socket is made at once and connected later, so that a test decides which descriptor
// numbers are free when the server accepts.
class LoopbackClient {
 public:
  LoopbackClient() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const int on = 1;  // what a test sends is to arrive when it sends it
    ::setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  explicit LoopbackClient(std::uint16_t port) : LoopbackClient() { connect(port); }

  // Before connect(): how much the kernel takes from the server while nobody reads.
  LoopbackClient& with_receive_buffer(int bytes) {
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    return *this;
  }

  bool connect(std::uint16_t port) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return ::connect(fd_.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
  }

  // False when the connection broke before all was sent.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  // What the kernel takes without waiting, 0 when its buffers are full, -1 when the connection
  // broke.
  ssize_t try_send(std::string_view bytes) {
    const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
    return sent;
  }

  // Exactly `size` bytes, or fewer if the server ended or reset before.
  std::string receive(std::size_t size) {
    std::string bytes(size, '\0');
    std::size_t have = 0;
    while (have < size) {
      const ssize_t got = ::recv(fd_.get(), bytes.data() + have, size - have, 0);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) reset_ = true;
      if (got <= 0) break;
      have += static_cast<std::size_t>(got);
    }
    bytes.resize(have);
    return bytes;
  }

  // All that comes until the server ends or resets; was_reset() says which.
  std::string receive_to_end() {
    std::string bytes;
    for (;;) {
      const std::string some = receive(64 * 1024);
      bytes += some;
      if (some.size() < 64 * 1024) return bytes;
    }
  }

  // What is there without waiting.
  std::string receive_now() {
    char bytes[64 * 1024];
    const ssize_t got = ::recv(fd_.get(), bytes, sizeof bytes, MSG_DONTWAIT);
    return {bytes, got > 0 ? static_cast<std::size_t>(got) : 0};
  }

  // Whether the server has ended or reset, and everything before that was received.
  bool at_end() {
    char byte;
    const ssize_t got = ::recv(fd_.get(), &byte, 1, MSG_DONTWAIT | MSG_PEEK);
    return got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
  }

  bool was_reset() const { return reset_; }

  // No more is sent; replies are still received.
  void half_close() { ::shutdown(fd_.get(), SHUT_WR); }

  void close() { fd_.reset(); }

  // The server sees ECONNRESET.
  void reset() {
    const linger now{1, 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    fd_.reset();
  }

  int fd() const { return fd_.get(); }

 private:
  FileDescriptor fd_;
  bool reset_ = false;
};

// A payload with its length in front, as the default framing of the tests reads it.
inline std::string framed(std::string_view payload) {
  const auto size = static_cast<std::uint32_t>(payload.size());
  std::string frame{static_cast<char>(size >> 24), static_cast<char>(size >> 16),
                    static_cast<char>(size >> 8), static_cast<char>(size)};
  frame += payload;
  return frame;
}

}  // namespace millrace
