#pragma once

#include <sys/epoll.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>

#include "millrace/base/file_descriptor.h"
#include "millrace/base/system_error.h"

namespace millrace {

// One epoll instance. Any thread may add, modify and remove while others wait; open() comes before,
// and destruction after, all of them. Owns the epoll descriptor, not the ones it watches. Each
// member but fd() is one system call.
class Epoll {
 public:
  SystemError open() noexcept {
    FileDescriptor fd(::epoll_create1(EPOLL_CLOEXEC));
    if (!fd) return last_system_error("epoll_create1");
    fd_ = std::move(fd);
    return {};
  }

  // `data` comes back with each event of fd: the caller's key, never the descriptor alone, because
  // events of a closed and reused number may still stand in a batch that was already fetched.
  SystemError add(int fd, std::uint32_t events, std::uint64_t data) noexcept {
    return control(EPOLL_CTL_ADD, fd, events, data);
  }

  SystemError modify(int fd, std::uint32_t events, std::uint64_t data) noexcept {
    return control(EPOLL_CTL_MOD, fd, events, data);
  }

  SystemError remove(int fd) noexcept { return control(EPOLL_CTL_DEL, fd, 0, 0); }

  // Waits up to timeout_ms (negative: for ever) and returns how many events were written. 0 means
  // the timeout, a signal, or `error`.
  int wait(std::span<epoll_event> events, int timeout_ms, SystemError& error) noexcept {
    error = {};
    constexpr std::size_t kMost = std::numeric_limits<int>::max() / sizeof(epoll_event);
    const int room = static_cast<int>(events.size() < kMost ? events.size() : kMost);
    const int count = ::epoll_wait(fd_.get(), events.data(), room, timeout_ms);
    if (count >= 0) return count;
    if (errno != EINTR) error = last_system_error("epoll_wait");
    return 0;
  }

  int fd() const noexcept { return fd_.get(); }

 private:
  SystemError control(int operation, int fd, std::uint32_t events, std::uint64_t data) noexcept {
    epoll_event event{};
    event.events = events;
    event.data.u64 = data;
    if (::epoll_ctl(fd_.get(), operation, fd, &event) == 0) return {};
    return last_system_error("epoll_ctl");
  }

  FileDescriptor fd_;
};

}  // namespace millrace
