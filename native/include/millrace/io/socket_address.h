#pragma once

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "millrace/base/system_error.h"

namespace millrace {

// One end of a connection, as people read it. A unix socket has family AF_UNIX, no ip and port 0.
// An IPv4 peer of a dual-stack listener reads ::ffff:a.b.c.d with family AF_INET6, as in Node.
struct SocketAddress {
  std::uint16_t family = AF_UNSPEC;
  std::uint16_t port = 0;
  char ip[INET6_ADDRSTRLEN] = {};
};
static_assert(INET6_ADDRSTRLEN == 46);

// An address as the kernel reads it.
struct RawAddress {
  sockaddr_storage storage = {};
  socklen_t length = sizeof(sockaddr_storage);

  sockaddr* get() noexcept { return reinterpret_cast<sockaddr*>(&storage); }
  const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }
};

inline SocketAddress to_socket_address(const RawAddress& raw) noexcept {
  SocketAddress address;
  address.family = raw.storage.ss_family;
  if (raw.storage.ss_family == AF_INET) {
    sockaddr_in in;
    std::memcpy(&in, &raw.storage, sizeof in);
    address.port = ntohs(in.sin_port);
    ::inet_ntop(AF_INET, &in.sin_addr, address.ip, sizeof address.ip);
  } else if (raw.storage.ss_family == AF_INET6) {
    sockaddr_in6 in;
    std::memcpy(&in, &raw.storage, sizeof in);
    address.port = ntohs(in.sin6_port);
    ::inet_ntop(AF_INET6, &in.sin6_addr, address.ip, sizeof address.ip);
  }
  return address;
}

// Reads a numeric IPv4 or IPv6 address ("fe80::1%eth0" with its zone). False for anything else:
// names are resolved above this floor.
inline bool parse_ip(std::string_view host, std::uint16_t port, RawAddress& out) noexcept {
  char text[INET6_ADDRSTRLEN + IF_NAMESIZE + 1];
  if (host.empty() || host.size() >= sizeof text || host.find('\0') != host.npos) return false;
  std::memcpy(text, host.data(), host.size());
  text[host.size()] = '\0';

  out = {};
  sockaddr_in in4{};
  if (::inet_pton(AF_INET, text, &in4.sin_addr) == 1) {
    in4.sin_family = AF_INET;
    in4.sin_port = htons(port);
    std::memcpy(&out.storage, &in4, sizeof in4);
    out.length = sizeof in4;
    return true;
  }
  sockaddr_in6 in6{};
  if (char* zone = std::strchr(text, '%'); zone != nullptr) {
    *zone = '\0';
    in6.sin6_scope_id = ::if_nametoindex(zone + 1);
    if (in6.sin6_scope_id == 0) return false;
  }
  if (::inet_pton(AF_INET6, text, &in6.sin6_addr) != 1) return false;
  in6.sin6_family = AF_INET6;
  in6.sin6_port = htons(port);
  std::memcpy(&out.storage, &in6, sizeof in6);
  out.length = sizeof in6;
  return true;
}

// A path of at most 107 bytes, or a name of the abstract space (first byte 0, at most 108). Returns
// 0, ENAMETOOLONG, or EINVAL for an empty path or one with a zero byte inside.
inline int unix_address(std::string_view path, RawAddress& out) noexcept {
  sockaddr_un un{};
  if (path.empty()) return EINVAL;
  const bool is_abstract = path.front() == '\0';
  if (!is_abstract && path.find('\0') != path.npos) return EINVAL;
  if (path.size() > sizeof un.sun_path - (is_abstract ? 0 : 1)) return ENAMETOOLONG;
  un.sun_family = AF_UNIX;
  std::memcpy(un.sun_path, path.data(), path.size());
  out = {};
  std::memcpy(&out.storage, &un, sizeof un);
  out.length =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + (is_abstract ? 0 : 1));
  return 0;
}

inline SystemError local_address(int fd, SocketAddress& out) noexcept {
  RawAddress raw;
  if (::getsockname(fd, raw.get(), &raw.length) != 0) return last_system_error("getsockname");
  out = to_socket_address(raw);
  return {};
}

inline SystemError peer_address(int fd, SocketAddress& out) noexcept {
  RawAddress raw;
  if (::getpeername(fd, raw.get(), &raw.length) != 0) return last_system_error("getpeername");
  out = to_socket_address(raw);
  return {};
}

}  // namespace millrace
