#pragma once

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <span>

#include "millrace/base/clock.h"
#include "millrace/io/epoll.h"

enum class WaitEnd : std::uint8_t {
  kEvents,  // or an error
  kTimeout,
  kLoop,  // the thread's event loop has work: return to JavaScript, then wait for the rest
};

// Waits for events of `epoll` in a thread whose event loop has the descriptor `loop_fd`. Whoever
// ends the thread writes to its loop, so this returns when the loop has work: a thread that slept
// on `epoll` alone would never end. Work that the waiting itself keeps the loop from doing stays
// there; while it does, the wait returns every kSliceMs instead of at once.
class BlockingWait {
 public:
  static constexpr int kSliceMs = 50;

  // timeout_ms < 0: for ever. Writes at most events.size() to `events`, and how many to `count`.
  static WaitEnd wait(millrace::Epoll& epoll, int loop_fd, std::span<epoll_event> events,
                      double timeout_ms, int& count, millrace::SystemError& error) {
    count = epoll.wait(events, 0, error);
    if (count > 0 || error) return WaitEnd::kEvents;
    if (timeout_ms == 0) return WaitEnd::kTimeout;

    pollfd watched[] = {{loop_fd, POLLIN, 0}, {epoll.fd(), POLLIN, 0}};
    const bool loop_busy = ::poll(watched, 1, 0) > 0;
    const bool sliced = loop_busy && (timeout_ms < 0 || timeout_ms > kSliceMs);
    if (sliced) timeout_ms = kSliceMs;
    if (loop_busy) watched[0].fd = -1;  // ignored
    const std::int64_t start = millrace::monotonic_ns();
    for (;;) {
      const int ready = ::poll(watched, 2, slice_of(timeout_ms, start));
      if (ready < 0 && errno != EINTR) {
        error = millrace::last_system_error("poll");
        return WaitEnd::kEvents;
      }
      count = epoll.wait(events, 0, error);
      if (count > 0 || error) return WaitEnd::kEvents;
      if (ready > 0 && watched[0].revents != 0) return WaitEnd::kLoop;
      if (timeout_ms >= 0 && slice_of(timeout_ms, start) == 0) {
        return sliced ? WaitEnd::kLoop : WaitEnd::kTimeout;
      }
    }
  }

 private:
  // What is left for poll(), rounded up: a wait is never short.
  static int slice_of(double timeout_ms, std::int64_t start_ns) {
    if (timeout_ms < 0) return -1;
    const std::int64_t elapsed = millrace::monotonic_ns() - start_ns;
    const double left = timeout_ms - static_cast<double>(elapsed) / 1e6;
    constexpr double kMost = 1 << 30;
    return left <= 0 ? 0 : static_cast<int>(std::min(left, kMost)) + 1;
  }
};
