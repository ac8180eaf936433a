#pragma once

#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <limits>
#include <mutex>
#include <span>
#include <vector>

#include "millrace/base/clock.h"
#include "millrace/base/file_descriptor.h"
#include "millrace/base/shared_object.h"
#include "millrace/base/spin_lock.h"
#include "millrace/base/system_error.h"
#include "millrace/time/cancel_log.h"
#include "millrace/time/timer_wheel.h"

namespace millrace {

// A timer wheel that several threads use and one of them, its owner, runs: it collects what has
// expired. Its clock starts at 0 when it is opened, and is either the time that passes or what
// the owner says.
// Any thread may call anything but what is marked the owner's, after share(). Owns the wheel's
// memory and, with the first kind of clock, a descriptor (timerfd) that becomes readable when it is
// time to collect: the owner waits for it in whatever loop it has, and any thread can set it to an
// earlier time without a message. A call costs a spin lock, once the wheel is shared, and the
// clock's 20 ns; a batch, each of them once.
//
// The descriptor is set when the earliest time moves forward, not when timers are cancelled: at
// most one wake-up is for nothing. An empty wheel has none ahead.
class SharedTimerWheel : public SharedObject<SharedTimerWheel> {
 public:
  enum class ClockKind : std::uint8_t { kRunning, kManual };
  using Handle = TimerWheel::Handle;
  static constexpr Handle kNoTimer = TimerWheel::kNoTimer;
  // Never due. Above all times that wheels are given.
  static constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

  // The most that delays and the manual clock may be: JavaScript's integers.
  static constexpr std::uint64_t kMaxMs = (std::uint64_t{1} << 53) - 1;

  // tick_ms at least 1; capacity 1 to TimerWheel::kMaxCapacity.
  SharedTimerWheel(std::uint32_t capacity, std::uint32_t tick_ms, ClockKind clock)
      : clock_(clock), wheel_(capacity, tick_ms, 0), origin_ns_(monotonic_ns()) {}

  // ENOMEM, or timerfd_create's errors. REQUIRES: called once, before anything else.
  SystemError open() {
    if (wheel_.capacity() == 0) return {ENOMEM, "malloc"};
    if (clock_ == ClockKind::kManual) return {};
    descriptor_ = FileDescriptor(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
    return descriptor_.valid() ? SystemError{} : last_system_error("timerfd_create");
  }

  // The owner's, before another thread knows of the wheel: until then no lock is taken.
  void share() noexcept {
    const Guard guard(*this);
    shared_.store(true, std::memory_order_relaxed);
  }

  // The owner's, until share(): to cancel timers without a call.
  std::span<TimerNode> nodes() noexcept { return wheel_.nodes(); }
  CancelLog& cancel_log() noexcept { return cancelled_; }

  // For the owner to wait on; -1 for a manual clock, and after end().
  int descriptor() const noexcept { return descriptor_.get(); }
  ClockKind clock() const noexcept { return clock_; }

  // `id` is collected when delay_ms have passed. kNoTimer: the wheel is full, or has ended.
  Handle schedule(std::uint64_t delay_ms, std::uint32_t id, bool by_owner) noexcept {
    const std::uint64_t now = clock_up();
    const Guard guard(*this);
    if (ended_) return kNoTimer;
    const bool was_empty = wheel_.size() == 0;
    const Handle handle = wheel_.schedule(start_of(now) + delay_ms, id);
    if (handle == kNoTimer) return handle;
    was_empty ? tell_owner(by_owner) : arm();
    return handle;
  }

  // As schedule(), for as many as there is room: the others' handles are kNoTimer. Answers how
  // many. take(i, delay, id) says what the i-th is, give(i, handle) is told its handle.
  template <class Take, class Give>
  std::uint32_t schedule_many(std::size_t count, bool by_owner, Take take, Give give) noexcept {
    const std::uint64_t now = clock_up();
    const Guard guard(*this);
    const bool was_empty = wheel_.size() == 0;
    std::uint32_t scheduled = 0;
    for (std::size_t i = 0; i < count; ++i) {
      std::uint64_t delay_ms = 0;
      std::uint32_t id = 0;
      take(i, delay_ms, id);
      const Handle handle = ended_ ? kNoTimer : wheel_.schedule(start_of(now) + delay_ms, id);
      scheduled += handle != kNoTimer ? 1 : 0;
      give(i, handle);
    }
    if (scheduled != 0) was_empty ? tell_owner(by_owner) : arm();
    return scheduled;
  }

  // False: it has been collected or cancelled.
  bool cancel(Handle handle, bool by_owner) noexcept {
    return cancel_many(1, by_owner, [handle](std::size_t) { return handle; }) != 0;
  }

  // handle_of(i) is the i-th. Answers how many were live.
  template <class HandleOf>
  std::uint32_t cancel_many(std::size_t count, bool by_owner, HandleOf handle_of) noexcept {
    const Guard guard(*this);
    if (ended_) return 0;
    std::uint32_t cancelled = 0;
    for (std::size_t i = 0; i < count; ++i) cancelled += wheel_.cancel(handle_of(i)) ? 1 : 0;
    if (cancelled != 0 && wheel_.size() == 0) tell_owner(by_owner);
    return cancelled;
  }

  // From now on. False as with cancel().
  bool reschedule(Handle handle, std::uint64_t delay_ms) noexcept {
    const std::uint64_t now = clock_up();
    const Guard guard(*this);
    if (ended_ || !wheel_.reschedule(handle, start_of(now) + delay_ms)) return false;
    arm();
    return true;
  }

  // The owner's. Adds to `expired` the ids whose time has come, in the order of their ticks, and
  // sets the descriptor to when to call next.
  void collect(std::vector<std::uint32_t>& expired) noexcept {
    std::uint64_t expirations = 0;
    // Before the clock is read: what is set from here on makes the descriptor readable again.
    if (::read(descriptor_.get(), &expirations, sizeof expirations) < 0) expirations = 0;
    const Guard guard(*this);
    if (ended_) return;
    advance_to(running_ns() / kNanosPerMilli, expired);
    armed_ms_ = kNever;
    arm();
  }

  // The owner's, with a manual clock. A clock that goes back does nothing.
  void advance(std::uint64_t now_ms, std::vector<std::uint32_t>& expired) noexcept {
    const Guard guard(*this);
    if (ended_ || now_ms <= manual_ms_) return;
    manual_ms_ = now_ms;
    advance_to(now_ms, expired);
  }

  // The owner's: nothing expires any more, and the descriptor is closed. Idempotent.
  void end() noexcept {
    const Guard guard(*this);
    ended_ = true;
    descriptor_ = FileDescriptor();
  }

  bool ended() const noexcept {
    const std::lock_guard guard(lock_);
    return ended_;
  }
  // Live timers, exactly.
  std::uint32_t size() const noexcept {
    const std::uint32_t noted = is_shared() ? 0 : cancelled_.count;
    return size_.load(std::memory_order_relaxed) - noted;
  }
  // When the next timer expires, by this wheel's clock; kNever: none.
  std::uint64_t next_expiry_ms() noexcept {
    const Guard guard(*this);
    return ended_ ? kNever : wheel_.earliest_ms();
  }
  std::uint64_t now_ms() const noexcept {
    if (clock_ == ClockKind::kRunning) return running_ns() / kNanosPerMilli;
    const std::lock_guard guard(lock_);
    return manual_ms_;
  }

 private:
  // Holds the lock, if the wheel is shared, or else removes what was cancelled without a call; and
  // leaves the size for those who look without it.
  class Guard {
   public:
    explicit Guard(SharedTimerWheel& wheel) noexcept : wheel_(wheel), locks_(wheel.is_shared()) {
      locks_ ? wheel_.lock_.lock() : wheel_.remove_cancelled();
    }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;
    ~Guard() {
      const std::uint32_t size = wheel_.ended_ ? 0 : wheel_.wheel_.size();
      wheel_.size_.store(size, std::memory_order_relaxed);
      locks_ ? wheel_.lock_.unlock() : void(wheel_.cancelled_.size = size);
    }

   private:
    SharedTimerWheel& wheel_;
    const bool locks_;
  };

  // Relaxed: it was set before another thread could know of the wheel, and by the thread that reads
  // it otherwise.
  bool is_shared() const noexcept { return shared_.load(std::memory_order_relaxed); }

  void remove_cancelled() noexcept {
    if (cancelled_.count == 0) return;
    wheel_.remove_ended(cancelled_.noted());
    cancelled_.count = 0;
  }

  std::uint64_t running_ns() const noexcept {
    return static_cast<std::uint64_t>(monotonic_ns() - origin_ns_);
  }
  // Rounded up: a delay that starts now must not end early. Read before the lock is taken.
  std::uint64_t clock_up() const noexcept {
    if (clock_ == ClockKind::kManual) return 0;
    return (running_ns() + kNanosPerMilli - 1) / kNanosPerMilli;
  }
  std::uint64_t start_of(std::uint64_t now) const noexcept {
    return clock_ == ClockKind::kManual ? manual_ms_ : now;
  }

  void advance_to(std::uint64_t now_ms, std::vector<std::uint32_t>& expired) noexcept {
    wheel_.advance(now_ms, [&](std::uint32_t id) { expired.push_back(id); });
  }

  // After the first timer came or the last one went: the owner, who may keep a process alive for
  // the sake of live timers, has to know at once, by whomever it was.
  void tell_owner(bool by_owner) noexcept { by_owner ? arm() : arm_at(0); }

  // Lets the descriptor become readable at the next time there is something to do.
  void arm() noexcept { arm_at(wheel_.next_expiry_ms()); }

  void arm_at(std::uint64_t next) noexcept {
    if (next >= armed_ms_ || clock_ == ClockKind::kManual) return;
    armed_ms_ = next;
    // Where that is beyond the clock's own range: the owner finds nothing then, and sets it again.
    const auto ms = static_cast<std::int64_t>(std::min(next, kMaxArmMs));
    const std::int64_t at_ns = std::max(origin_ns_ + ms * kNanosPerMilli, std::int64_t{1});
    itimerspec when{};
    when.it_value.tv_sec = at_ns / kNanosPerSecond;
    when.it_value.tv_nsec = at_ns % kNanosPerSecond;
    ::timerfd_settime(descriptor_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
  }
  // A hundred years.
  static constexpr std::uint64_t kMaxArmMs = std::uint64_t{100} * 366 * 24 * 3600 * 1000;

  const ClockKind clock_;
  mutable SpinLock lock_;
  std::atomic<bool> shared_{false};
  std::atomic<std::uint32_t> size_{0};  // of live timers; written under the lock
  CancelLog cancelled_;                 // empty once the wheel is shared
  // Guarded by the lock from here on.
  TimerWheel wheel_;
  const std::int64_t origin_ns_;
  std::uint64_t manual_ms_ = 0;
  std::uint64_t armed_ms_ = kNever;
  bool ended_ = false;
  FileDescriptor descriptor_;
};

}  // namespace millrace
