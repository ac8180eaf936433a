#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <vector>

#include "latency_histogram.h"
#include "wire.h"

namespace millrace::bench {

inline std::int64_t monotonic_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * std::int64_t{1'000'000'000} + now.tv_nsec;
}

enum class ReceiveResult : std::uint8_t {
  kReplies,   // zero or more whole replies came, each as it should be
  kCorrupt,   // a reply differs from what was asked for: bytes, order or framing
  kExcess,    // more bytes came than were asked for
  kFinished,  // the server closed its side and nothing was outstanding
  kClosed,    // the server closed, or reset, with replies outstanding
};

// One client connection that keeps `depth` requests in flight: each reply that arrives lets one
// more request out, and the requests of one batch leave in one write. Every reply is compared byte
// for byte: an echo payload carries the sequence number, the connection's index and a pattern of
// its own, so a reply that is late, doubled, swapped or another connection's is found. One thread.
// Owns its socket and buffers of `depth` messages; allocates on opening only.
class ClosedLoopConnection {
 public:
  ClosedLoopConnection(Protocol protocol, std::uint32_t index, std::uint32_t depth)
      : protocol_(protocol),
        depth_(depth),
        request_bytes_(protocol == Protocol::kEcho ? kEchoBytes : kPing.size()),
        reply_bytes_(protocol == Protocol::kEcho ? kEchoBytes : kPong.size()),
        out_(std::size_t{depth} * request_bytes_),
        in_(std::size_t{depth} * reply_bytes_ + 1),
        sent_at_ns_(depth) {
    if (protocol == Protocol::kResp) {
      std::memcpy(request_, kPing.data(), kPing.size());
      std::memcpy(expected_, kPong.data(), kPong.size());
      return;
    }
    write_big_endian_32(request_, kPayloadBytes);
    for (std::uint32_t i = kPrefixBytes; i < kEchoBytes; i++) {
      request_[i] = static_cast<std::uint8_t>(i * 37 + index * 11);
    }
    write_big_endian_32(request_ + kIndexOffset, index);
    std::memcpy(expected_, request_, kEchoBytes);
  }

  ClosedLoopConnection(const ClosedLoopConnection&) = delete;
  ClosedLoopConnection& operator=(const ClosedLoopConnection&) = delete;
  ~ClosedLoopConnection() { close(); }

  // Connects to 127.0.0.1 (blocking, then switched). False: errno says why.
  bool open(std::uint16_t port) {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd_ < 0) return false;
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return false;
    const int on = 1;
    return ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0;
  }

  // Puts as many new requests out as the depth allows. False: the connection is gone.
  bool fill() {
    const std::uint32_t fresh = depth_ - in_flight();
    if (fresh > 0) {
      if (out_begin_ > 0) {
        std::memmove(out_.data(), out_.data() + out_begin_, out_end_ - out_begin_);
        out_end_ -= out_begin_;
        out_begin_ = 0;
      }
      const std::int64_t now = monotonic_ns();
      for (std::uint32_t i = 0; i < fresh; i++) append_request(now);
    }
    return flush();
  }

  // Writes what an earlier write left over. False: the connection is gone.
  bool flush() {
    while (out_begin_ < out_end_) {
      const ssize_t n =
          ::send(fd_, out_.data() + out_begin_, out_end_ - out_begin_, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n < 0) {
        if (errno == EINTR) continue;
        return errno == EAGAIN;
      }
      out_begin_ += static_cast<std::uint32_t>(n);
    }
    out_begin_ = out_end_ = 0;
    return true;
  }

  // Reads once and checks each whole reply; `latencies` may be null (nothing is recorded).
  ReceiveResult receive(LatencyHistogram* latencies) {
    const ssize_t n = ::recv(fd_, in_.data() + in_end_, in_.size() - in_end_, MSG_DONTWAIT);
    if (n < 0) {
      return errno == EAGAIN || errno == EINTR ? ReceiveResult::kReplies : ReceiveResult::kClosed;
    }
    if (n == 0) return in_flight() == 0 ? ReceiveResult::kFinished : ReceiveResult::kClosed;
    in_end_ += static_cast<std::uint32_t>(n);
    const std::int64_t now = monotonic_ns();
    std::uint32_t at = 0;
    while (in_end_ - at >= reply_bytes_ && in_flight() > 0) {
      if (protocol_ == Protocol::kEcho) write_sequence(expected_, received_);
      if (std::memcmp(in_.data() + at, expected_, reply_bytes_) != 0) {
        return ReceiveResult::kCorrupt;
      }
      if (latencies != nullptr) latencies->record(now - sent_at_ns_[reply_slot_]);
      reply_slot_ = reply_slot_ + 1 == depth_ ? 0 : reply_slot_ + 1;
      received_ += 1;
      at += reply_bytes_;
    }
    in_end_ -= at;
    if (in_end_ > 0) {
      if (in_flight() == 0) return ReceiveResult::kExcess;
      std::memmove(in_.data(), in_.data() + at, in_end_);
    }
    return ReceiveResult::kReplies;
  }

  // Says that no more requests will come; the server is expected to close in turn.
  void finish() { ::shutdown(fd_, SHUT_WR); }

  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

  int fd() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }
  bool has_unsent() const { return out_begin_ < out_end_; }
  std::uint32_t in_flight() const { return static_cast<std::uint32_t>(sent_ - received_); }
  std::uint64_t sent() const { return sent_; }
  std::uint64_t received() const { return received_; }

 private:
  static constexpr std::uint32_t kSequenceOffset = kPrefixBytes;
  static constexpr std::uint32_t kIndexOffset = kSequenceOffset + 8;

  static void write_sequence(std::uint8_t* frame, std::uint64_t sequence) {
    std::memcpy(frame + kSequenceOffset, &sequence, sizeof sequence);
  }

  void append_request(std::int64_t now) {
    if (protocol_ == Protocol::kEcho) write_sequence(request_, sent_);
    std::memcpy(out_.data() + out_end_, request_, request_bytes_);
    out_end_ += request_bytes_;
    sent_at_ns_[request_slot_] = now;
    request_slot_ = request_slot_ + 1 == depth_ ? 0 : request_slot_ + 1;
    sent_ += 1;
  }

  int fd_ = -1;
  const Protocol protocol_;
  const std::uint32_t depth_;
  const std::uint32_t request_bytes_;
  const std::uint32_t reply_bytes_;
  std::uint32_t out_begin_ = 0;
  std::uint32_t out_end_ = 0;
  std::uint32_t in_end_ = 0;
  std::uint32_t request_slot_ = 0;
  std::uint32_t reply_slot_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t received_ = 0;
  std::vector<std::uint8_t> out_;  // never more than `depth` requests: replies free their place
  std::vector<std::uint8_t> in_;   // what may be outstanding, and one byte to notice any excess
  std::vector<std::int64_t> sent_at_ns_;
  std::uint8_t request_[kEchoBytes];
  std::uint8_t expected_[kEchoBytes];
};

}  // namespace millrace::bench
