#pragma once

#include <sys/prctl.h>
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>

#include "millrace/base/clock.h"
#include "millrace/base/native_thread.h"
#include "millrace/base/stop_at_exit.h"
#include "millrace/io/event_fd.h"
#include "millrace/server/acceptor.h"
#include "millrace/server/event_loop.h"
#include "millrace/server/pipeline_core.h"
#include "millrace/server/reaper.h"
#include "millrace/server/receiver.h"
#include "millrace/server/sender.h"

namespace millrace {

// The staged topology: each stage on a thread of its own, which sleeps while there is nothing for
// it. The stages know nothing of this; here and only here it is decided who runs them. start() and
// stop() are for one thread (stop() also for the exit handler). Owns everything.
class StagedPipeline final : public StopAtExit {
 public:
  static constexpr int kThreads = 5;

  explicit StagedPipeline(const PipelineOptions& options)
      : core(options),
        acceptor(core),
        event_loop_(core),
        receiver_(core),
        sender_(core),
        reaper_(core) {}

  ~StagedPipeline() {
    stop();
    close_descriptors();
  }

  SystemError open() {
    if (const SystemError error = core.open()) return error;
    if (const SystemError error = wake_.open()) return error;
    return core.epoll.add(wake_.fd(), EPOLLIN | EPOLLET, EventLoop::kWakeUp);
  }

  // Starts to serve the listener. After an error nothing runs.
  SystemError start(FileDescriptor listener) {
    if (const SystemError error = acceptor.open(std::move(listener))) return error;
    remember();
    SystemError error = threads_[0].start("mr-sender", [this] { run_sender(); });
    if (!error) error = threads_[1].start("mr-receiver", [this] { run_receiver(); });
    if (!error) error = threads_[2].start("mr-reaper", [this] { run_reaper(); });
    if (!error) error = threads_[3].start("mr-events", [this] { run_events(); });
    if (!error) error = threads_[4].start("mr-acceptor", [this] { run_acceptor(); });
    if (error) stop();
    return error;
  }

  // Ends all threads; connections stay as they are until the destructor. No stage ever waits for
  // JavaScript, so this takes no longer than the work in hand.
  void stop() {
    forget();
    end_threads();
  }

  void stop_for_exit() override {
    for (const auto& inbox : core.inboxes) inbox->doorbell().detach();
    accepted_bell.detach();
    end_threads();
  }

  // Graceful end: every connection is told, behind what it has received.
  void end_all() {
    core.draining.store(true, std::memory_order_seq_cst);
    for_each([this](Connection& c) { core.tell(c, kEventServerEnd); });
  }

  void close_all(CloseReason reason) {
    for_each([this, reason](Connection& c) { core.close(c, reason); });
  }

  // Visits every connection that is not closing, pinned.
  template <class Visit>
  void for_each(Visit&& visit) {
    for (std::uint32_t fd = 0; fd < core.table.descriptors(); ++fd) {
      Connection* connection = core.table.pin_current(fd);
      if (connection == nullptr) continue;
      if (!core.table.closing(*connection)) visit(*connection);
      core.table.unpin(*connection);
    }
  }

  PipelineCore core;
  Acceptor acceptor;
  Doorbell accepted_bell;  // the owner's thread has connections to announce

 private:
  bool stopping() const { return core.stopping.load(std::memory_order_seq_cst); }

  void run_acceptor() {
    while (!stopping()) acceptor.step();
  }
  void run_events() {
    prctl(PR_SET_TIMERSLACK, 1);  // naps of some microseconds, not of 50 more
    while (!stopping()) {
      event_loop_.step(-1);
      const std::uint32_t nap_us = std::min(backlog_us(), kLongestNapUs);
      if (nap_us < kShortestNapUs) continue;
      const timespec nap{0, static_cast<long>(nap_us) * 1000};
      ::nanosleep(&nap, nullptr);
    }
  }
  void run_receiver() {
    while (!stopping()) {
      if (receiver_.step()) continue;
      core.receiver_parker.park([this] { return receiver_.ready(); }, receiver_.sleep_ns());
    }
  }
  void run_sender() {
    while (!stopping()) {
      if (sender_.step()) continue;
      core.sender_parker.park([this] { return sender_.ready(); });
    }
  }
  void run_reaper() {
    while (!stopping()) {
      const std::uint64_t now = coarse_ms();
      const std::uint64_t next = reaper_.step(now);
      const std::int64_t sleep_ns = next == IdleTimers::kNever ? -1
                                    : next <= now              ? 0
                                    : next - now > kLongestSleepMs
                                        ? static_cast<std::int64_t>(kLongestSleepMs) * 1'000'000
                                        : static_cast<std::int64_t>(next - now) * 1'000'000;
      core.reaper_parker.park([this] { return stopping() || core.timers.rearmed(); }, sleep_ns);
    }
  }

  // For about how long the stages behind the event loop have work in hand. Edges that come
  // meanwhile lose nothing by being handed over together, and save each the two context switches of
  // waking a receiver that finds one key (network cards moderate their interrupts for the same
  // reason). A queue operation or key stands for a system call, a message for a handler's run.
  std::uint32_t backlog_us() const {
    std::uint32_t calls = core.receive_queue.depth();
    const std::uint32_t outboxes = core.outbox_count.load(std::memory_order_relaxed);
    for (std::uint32_t i = 0; i < outboxes; ++i) calls += core.outboxes[i].depth();
    std::uint32_t messages = 0;
    for (const auto& inbox : core.inboxes) messages += inbox->depth();
    return calls * kCallUs + messages / kMessagesAUs;
  }

  void end_threads() {
    core.stopping.store(true, std::memory_order_seq_cst);
    core.receiver_parker.unpark();
    core.sender_parker.unpark();
    core.reaper_parker.unpark();
    if (wake_.fd() >= 0) wake_.notify();
    acceptor.wake();
    for (NativeThread& thread : threads_) thread.join();
  }

  // What is left when the threads are gone.
  void close_descriptors() {
    for (std::uint32_t fd = 0; fd < core.table.descriptors() && core.table.open_count() != 0;
         ++fd) {
      if (core.table.sequence(fd) == 0) continue;
      Connection* connection = core.table.pin_current(fd);
      core.release(*connection);
    }
  }

  static constexpr std::uint32_t kCallUs = 8;
  static constexpr std::uint32_t kMessagesAUs = 16;
  static constexpr std::uint32_t kShortestNapUs = 20;
  static constexpr std::uint32_t kLongestNapUs = 400;
  static constexpr std::uint64_t kLongestSleepMs = 3'600'000;

  EventLoop event_loop_;
  Receiver receiver_;
  Sender sender_;
  Reaper reaper_;
  EventFd wake_;
  NativeThread threads_[kThreads];
};

}  // namespace millrace
