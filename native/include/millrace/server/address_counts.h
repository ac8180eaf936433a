#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>

#include "millrace/base/spin_lock.h"
#include "millrace/server/connection.h"

namespace millrace {

// How many connections each peer address has, for `maxConnectionsPerAddress`; nothing at all when
// that is off. Open addressing with linear probing over twice as many entries as there can be
// connections, so that a probe ends soon and the table never fills.
// Any thread, under a spin lock; enter() and leave() are O(1) expected.
class AddressCounts {
 public:
  AddressCounts(std::uint32_t limit, std::uint32_t max_connections)
      : limit_(limit), mask_(entry_count(limit, max_connections) - 1) {
    if (limit_ != 0) entries_.reset(new Entry[mask_ + 1]());
  }

  static std::size_t bytes(std::uint32_t limit, std::uint32_t max_connections) {
    return limit == 0 ? 0 : entry_count(limit, max_connections) * sizeof(Entry);
  }

  // False: the address has as many as it may. Unix sockets have no address and no limit.
  bool enter(const Connection& c) {
    if (limit_ == 0 || c.family == AF_UNIX) return true;
    const std::lock_guard guard(lock_);
    std::uint32_t i = home(c.peer_ip);
    while (entries_[i].count != 0 && std::memcmp(entries_[i].ip, c.peer_ip, 16) != 0) {
      i = (i + 1) & mask_;
    }
    if (entries_[i].count >= limit_) return false;
    if (entries_[i].count++ == 0) std::memcpy(entries_[i].ip, c.peer_ip, 16);
    return true;
  }

  void leave(const Connection& c) {
    if (limit_ == 0 || c.family == AF_UNIX) return;
    const std::lock_guard guard(lock_);
    std::uint32_t i = home(c.peer_ip);
    while (std::memcmp(entries_[i].ip, c.peer_ip, 16) != 0) {
      if (entries_[i].count == 0) return;
      i = (i + 1) & mask_;
    }
    if (entries_[i].count == 0 || --entries_[i].count != 0) return;
    close_gap(i);
  }

 private:
  struct Entry {
    std::uint8_t ip[16];
    std::uint32_t count;
  };

  static std::uint32_t entry_count(std::uint32_t limit, std::uint32_t max_connections) {
    std::uint32_t count = 16;
    while (limit != 0 && count < 2 * max_connections) count *= 2;
    return count;
  }

  std::uint32_t home(const std::uint8_t* ip) const {
    std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
    for (int i = 0; i < 16; ++i) hash = (hash ^ ip[i]) * 0x100000001b3;
    return static_cast<std::uint32_t>(hash ^ (hash >> 32)) & mask_;
  }

  // Backward shift: entries behind the gap move up unless they already stand at home.
  void close_gap(std::uint32_t gap) {
    entries_[gap] = {};
    for (std::uint32_t i = (gap + 1) & mask_; entries_[i].count != 0; i = (i + 1) & mask_) {
      const std::uint32_t want = home(entries_[i].ip);
      if (((i - want) & mask_) < ((i - gap) & mask_)) continue;
      entries_[gap] = entries_[i];
      entries_[i] = {};
      gap = i;
    }
  }

  const std::uint32_t limit_;
  const std::uint32_t mask_;
  SpinLock lock_;
  std::unique_ptr<Entry[]> entries_;
};

}  // namespace millrace
