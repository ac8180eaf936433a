#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <utility>

#include "millrace/base/file_descriptor.h"
#include "millrace/base/system_error.h"

namespace millrace {

// A counter with a descriptor that is readable while the counter is above zero: how a thread that
// sleeps in epoll is woken. Any thread may notify and drain. Owns the descriptor, which is
// non-blocking. Each member but fd() is one system call.
class EventFd {
 public:
  // A semaphore gives out its counter one by one: each drain() takes 1.
  SystemError open(std::uint32_t initial = 0, bool semaphore = false) noexcept {
    const int flags = EFD_CLOEXEC | EFD_NONBLOCK | (semaphore ? EFD_SEMAPHORE : 0);
    FileDescriptor fd(::eventfd(initial, flags));
    if (!fd) return last_system_error("eventfd");
    fd_ = std::move(fd);
    return {};
  }

  // Adds to the counter. Saturates: a counter that has no room for `count` (2^64 - 2) is readable
  // already, which is all that a wake-up needs.
  void notify(std::uint64_t count = 1) noexcept {
    while (::write(fd_.get(), &count, sizeof count) < 0 && errno == EINTR) {
    }
  }

  // Takes the counter back to zero (a semaphore: down by 1) and returns what was taken, 0 if none.
  std::uint64_t drain() noexcept {
    std::uint64_t count = 0;
    ssize_t got;
    do {
      got = ::read(fd_.get(), &count, sizeof count);
    } while (got < 0 && errno == EINTR);
    return got == static_cast<ssize_t>(sizeof count) ? count : 0;
  }

  int fd() const noexcept { return fd_.get(); }

 private:
  FileDescriptor fd_;
};

}  // namespace millrace
