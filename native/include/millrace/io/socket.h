#pragma once

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <string_view>
#include <utility>

#include "millrace/base/file_descriptor.h"
#include "millrace/base/system_error.h"
#include "millrace/io/socket_address.h"

namespace millrace {

// Stream sockets: listening, accepting, and the options a connection needs. Free functions over
// descriptors; any thread may call any of them, each costs the system calls it names and allocates
// nothing. Every descriptor made here is non-blocking and close-on-exec. What fails on the way to a
// listening socket is reported as 'listen', whichever call it was, because Node does so.

struct ListenOptions {
  std::string_view host;   // numeric; empty: every address, IPv6 and IPv4 where there is IPv6
  std::uint16_t port = 0;  // 0: the system chooses
  int backlog = 511;       // as Node; the kernel cuts it to net.core.somaxconn
  bool ipv6_only = false;
  bool reuse_port = false;  // several listeners on one port, each with its own accept queue
};

inline SystemError set_option(int fd, int level, int option, int value) noexcept {
  if (::setsockopt(fd, level, option, &value, sizeof value) == 0) return {};
  return last_system_error("setsockopt");
}

// Binds and listens on one address. SO_REUSEADDR as libuv sets it: a port in TIME_WAIT is free.
inline SystemError listen_on(const RawAddress& address, const ListenOptions& options,
                             FileDescriptor& out) noexcept {
  const int family = address.storage.ss_family;
  FileDescriptor fd(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return last_system_error("listen");
  SystemError error;
  if (family != AF_UNIX) error = set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  if (!error && family == AF_INET6) {
    error = set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, options.ipv6_only ? 1 : 0);
  }
  if (!error && options.reuse_port) error = set_option(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1);
  if (error) return {error.code, "listen"};
  if (::bind(fd.get(), address.get(), address.length) != 0 ||
      ::listen(fd.get(), options.backlog) != 0) {
    return last_system_error("listen");
  }
  out = std::move(fd);
  return {};
}

// A host that is not a numeric address is EINVAL.
inline SystemError listen_tcp(const ListenOptions& options, FileDescriptor& out) noexcept {
  RawAddress address;
  if (!options.host.empty()) {
    if (!parse_ip(options.host, options.port, address)) return {EINVAL, "listen"};
    return listen_on(address, options, out);
  }
  parse_ip("::", options.port, address);
  const SystemError error = listen_on(address, options, out);
  // What a kernel without IPv6, and one with IPv6 switched off, answer.
  if (error.code != EAFNOSUPPORT && error.code != EADDRNOTAVAIL) return error;
  parse_ip("0.0.0.0", options.port, address);
  return listen_on(address, options, out);
}

// A unix socket; see unix_address() for paths. A file that exists, even one that a dead process
// left, is EADDRINUSE, as in Node: whoever knows that it is stale removes it. Nor does anything
// here remove it at the end.
inline SystemError listen_unix(std::string_view path, int backlog, FileDescriptor& out) noexcept {
  RawAddress address;
  if (const int code = unix_address(path, address); code != 0) return {code, "listen"};
  ListenOptions options;
  options.backlog = backlog;
  return listen_on(address, options, out);
}

// Takes over a bound, or already listening, stream socket that somebody else made (a service
// manager, a parent process). Owns it only if it succeeds. Anything else is EINVAL, as in Node.
inline SystemError listen_fd(int fd, int backlog, FileDescriptor& out) noexcept {
  int type = 0;
  socklen_t length = sizeof type;
  if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) != 0) {
    return {errno == ENOTSOCK ? EINVAL : errno, "listen"};
  }
  if (type != SOCK_STREAM) return {EINVAL, "listen"};
  const int status = ::fcntl(fd, F_GETFL);
  if (status < 0 || ::fcntl(fd, F_SETFL, status | O_NONBLOCK) != 0 ||
      ::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || ::listen(fd, backlog) != 0) {
    return last_system_error("listen");
  }
  out.reset(fd);
  return {};
}

enum class AcceptResult : std::uint8_t {
  kAccepted,
  kEmpty,          // EAGAIN: the next edge or readiness will come
  kPeerGone,       // this one failed before it was taken; there may be more behind it
  kNoDescriptors,  // EMFILE, ENFILE, ENOBUFS, ENOMEM: it stays in the backlog, and the listener
                   // readable, until there is room; shed it with a reserve descriptor or wait
  kError,
};

// One accept4. `peer` may be null. `error` holds the cause of everything but kAccepted.
inline AcceptResult accept_connection(int listener, FileDescriptor& out, SocketAddress* peer,
                                      SystemError& error) noexcept {
  RawAddress raw;
  int fd;
  do {
    raw.length = sizeof raw.storage;
    fd = ::accept4(listener, raw.get(), &raw.length, SOCK_NONBLOCK | SOCK_CLOEXEC);
  } while (fd < 0 && errno == EINTR);
  if (fd >= 0) {
    error = {};
    out.reset(fd);
    if (peer != nullptr) *peer = to_socket_address(raw);
    return AcceptResult::kAccepted;
  }
  error = last_system_error("accept4");
  switch (error.code) {
    case EAGAIN:
      return AcceptResult::kEmpty;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
      return AcceptResult::kNoDescriptors;
    // Linux hands errors that already stand on the new connection to accept(), see accept(2).
    case ECONNABORTED:
    case EPERM:  // a firewall rule
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case ENETUNREACH:
      return AcceptResult::kPeerGone;
    default:
      return AcceptResult::kError;
  }
}

// Sends small writes at once. Answers an error for a unix socket, which has no such delay.
inline SystemError set_no_delay(int fd, bool on) noexcept {
  return set_option(fd, IPPROTO_TCP, TCP_NODELAY, on ? 1 : 0);
}

// Probes a silent peer after idle_seconds and, as libuv does, every second from then on; ten
// unanswered probes end the connection.
inline SystemError set_keep_alive(int fd, bool on, int idle_seconds) noexcept {
  SystemError error = set_option(fd, SOL_SOCKET, SO_KEEPALIVE, on ? 1 : 0);
  if (error || !on) return error;
  error = set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, idle_seconds);
  if (!error) error = set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, 1);
  if (!error) error = set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 10);
  return error;
}

// `how` is SHUT_RD, SHUT_WR or SHUT_RDWR. A peer that has gone already is not an error.
inline SystemError shutdown_socket(int fd, int how) noexcept {
  if (::shutdown(fd, how) == 0 || errno == ENOTCONN) return {};
  return last_system_error("shutdown");
}

// The error that stands on the socket (why epoll said EPOLLERR), and clears it. 0: none.
inline int take_socket_error(int fd) noexcept {
  int code = 0;
  socklen_t length = sizeof code;
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &length) == 0 ? code : errno;
}

}  // namespace millrace
