#pragma once

#include <poll.h>
#include <sys/epoll.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>

#include "millrace/base/cache_line.h"
#include "millrace/base/clock.h"
#include "millrace/base/doorbell.h"
#include "millrace/base/file_descriptor.h"
#include "millrace/base/parker.h"
#include "millrace/io/event_fd.h"
#include "millrace/queue/message_queue.h"

namespace millrace {

enum class QueueWoken { kRung, kTimeout, kOther };

// How a native thread sleeps until its bell rings: on a futex. One thread sleeps; any rings. Goes
// only after the bell has been detached. Owns no descriptor.
class FutexSleeper {
 public:
  FutexSleeper() : bell(std::make_shared<Doorbell>(&FutexSleeper::wake, this)) {}
  ~FutexSleeper() { bell->detach(); }

  const std::shared_ptr<Doorbell> bell;

  // Negative: for ever.
  QueueWoken sleep(std::int64_t timeout_ns) {
    // Acq_rel: pairs with itself in wake().
    const auto rung = [this] { return rung_.exchange(false, std::memory_order_acq_rel); };
    return parker_.park(rung, timeout_ns) ? QueueWoken::kRung : QueueWoken::kTimeout;
  }

 private:
  static void wake(void* self) {
    auto& sleeper = *static_cast<FutexSleeper*>(self);
    sleeper.rung_.exchange(true, std::memory_order_acq_rel);
    sleeper.parker_.unpark();
  }

  Parker parker_;
  std::atomic<bool> rung_{false};
};

// How a thread with an event loop sleeps until its bell rings, or the loop gets something new to
// do: in poll(), on a descriptor of its own and an edge-triggered look at the loop's, which may
// stay readable for as long as nobody runs the loop. One thread sleeps; any rings. Owns two
// descriptors once opened.
class LoopSleeper {
 public:
  LoopSleeper() : bell(std::make_shared<Doorbell>(&LoopSleeper::wake, this)) {}
  ~LoopSleeper() { bell->detach(); }

  const std::shared_ptr<Doorbell> bell;

  // Idempotent. loop_fd of -1: there is no loop.
  SystemError open(int loop_fd) {
    if (event_.fd() >= 0) return {};
    if (loop_fd >= 0) {
      FileDescriptor watch(::epoll_create1(EPOLL_CLOEXEC));
      if (!watch) return last_system_error("epoll_create1");
      epoll_event edges{};
      edges.events = EPOLLIN | EPOLLET;
      if (::epoll_ctl(watch.get(), EPOLL_CTL_ADD, loop_fd, &edges) != 0) {
        return last_system_error("epoll_ctl");
      }
      loop_ = std::move(watch);
    }
    return event_.open();
  }

  // Negative timeout: for ever. kOther: the loop has something to do that it had not before.
  QueueWoken sleep(std::int64_t timeout_ns) {
    pollfd watched[] = {{event_.fd(), POLLIN, 0}, {loop_.get(), POLLIN, 0}};
    const std::int64_t end = timeout_ns < 0 ? -1 : monotonic_ns() + timeout_ns;
    for (;;) {
      timespec left{};
      if (end >= 0) {
        const std::int64_t left_ns = std::max<std::int64_t>(end - monotonic_ns(), 0);
        left.tv_sec = static_cast<time_t>(left_ns / kNanosPerSecond);
        left.tv_nsec = static_cast<long>(left_ns % kNanosPerSecond);
      }
      const int ready = ::ppoll(watched, 2, end < 0 ? nullptr : &left, nullptr);
      if (ready < 0 && errno == EINTR) continue;
      if (ready <= 0) return QueueWoken::kTimeout;
      if (watched[0].revents != 0) {
        event_.drain();
        return QueueWoken::kRung;
      }
      epoll_event edge;
      ::epoll_wait(loop_.get(), &edge, 1, 0);
      return QueueWoken::kOther;
    }
  }

 private:
  static void wake(void* self) { static_cast<LoopSleeper*>(self)->event_.notify(); }

  EventFd event_;
  FileDescriptor loop_;
};

// What a pop does before it sleeps: a producer that works in batches is back in some microseconds,
// which is less than a sleep and a wake-up cost both sides. Not a way to wait.
template <class Attempt>
QueueResult spin_briefly(QueueResult result, Attempt&& attempt) {
  constexpr int kRounds = 40;
  constexpr int kPauses = 8;
  for (int round = 0; round < kRounds && result == QueueResult::kEmpty; ++round) {
    for (int i = 0; i < kPauses; ++i) cpu_relax();
    result = attempt();
  }
  return result;
}

// A pop or a push that is tried until it is answered other than kEmpty or kFull, asleep in between:
// `attempt()` answers a QueueResult, `sleep()` a QueueWoken. At a timeout the last answer stands.
// At kOther `other` is set, and the waiter keeps its place for the next call, or for settle.
template <class Attempt, class Sleep>
QueueResult pop_waiting(MessageQueue& queue, Waiter& waiter, bool& other, Attempt&& attempt,
                        Sleep&& sleep) {
  other = false;
  QueueResult result = attempt();
  if (!waiter.waits()) result = spin_briefly(result, attempt);
  while (result == QueueResult::kEmpty) {
    queue.enter_reader(waiter);
    result = attempt();
    if (result != QueueResult::kEmpty) break;
    const QueueWoken woken = sleep();
    other = woken == QueueWoken::kOther;
    if (other) return result;
    result = attempt();
    if (woken == QueueWoken::kTimeout) break;
  }
  if (waiter.waits()) queue.settle_reader(waiter);
  return result;
}

template <class Attempt, class Sleep>
QueueResult push_waiting(MessageQueue& queue, Waiter& waiter, Attempt&& attempt, Sleep&& sleep) {
  QueueResult result = attempt();
  while (result == QueueResult::kFull) {
    queue.enter_writer(waiter);
    result = attempt();
    if (result != QueueResult::kFull) break;
    const QueueWoken woken = sleep();
    result = attempt();
    if (woken == QueueWoken::kTimeout) break;
  }
  if (waiter.waits()) queue.settle_writer(waiter);
  if (result == QueueResult::kFull) queue.give_up();
  return result;
}

// What is left of a time, for each sleep in it. Negative: for ever.
class QueueDeadline {
 public:
  explicit QueueDeadline(std::int64_t timeout_ms) : end_(end_of(timeout_ms)) {}

  std::int64_t left_ns() const {
    return end_ == kNever ? -1 : std::max<std::int64_t>(end_ - monotonic_ns(), 0);
  }

 private:
  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

  static std::int64_t end_of(std::int64_t timeout_ms) {
    const std::int64_t now = timeout_ms < 0 ? 0 : monotonic_ns();
    return timeout_ms < 0 || timeout_ms > (kNever - now) / kNanosPerMilli - 1
               ? kNever
               : now + timeout_ms * kNanosPerMilli;
  }

  std::int64_t end_;
};

}  // namespace millrace
