#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "millrace/base/clock.h"
#include "millrace/base/file_descriptor.h"
#include "millrace/io/event_fd.h"
#include "millrace/io/socket.h"
#include "millrace/server/event_loop.h"
#include "millrace/server/pipeline_core.h"
#include "millrace/server/reaper.h"

namespace millrace {

// The stage that accepts: until EAGAIN, each connection with the next sequence, given to the worker
// that has the fewest. Out of descriptors it gives up a reserve one to take a waiting client and
// turn it away, counted, and never spins; where even that fails it waits a moment. One thread runs
// step(); pause(), resume() and stop() are for any. Owns the listening socket and the reserve.
// Costs one accept4, one epoll_ctl, and one hand-over a connection.
class Acceptor {
 public:
  explicit Acceptor(PipelineCore& core) : core_(core) {}

  SystemError open(FileDescriptor listener) {
    listener_ = std::move(listener);
    if (const SystemError error = wake_.open()) return error;
    reserve();
    return {};
  }

  // Waits for clients, or for wake(), and accepts what there is.
  void step() {
    if (closed_.load(std::memory_order_acquire)) listener_.reset();
    const bool paused = !listener_ || paused_.load(std::memory_order_acquire);
    const bool backing_off = backoff_until_ms_ > coarse_ms();
    const bool listening = !paused && !backing_off;
    const int timeout = backing_off && !paused ? kBackoffMs : -1;
    pollfd fds[2] = {{wake_.fd(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
    ::poll(fds, listening ? 2 : 1, timeout);
    if (fds[0].revents != 0) wake_.drain();
    if (!listening || core_.stopping.load(std::memory_order_acquire)) return;
    for (int i = 0; i < kBatch && accept_one(); ++i) {
    }
    // New keys are handed over a batch at a time.
    core_.receive_queue.wake();
  }

  void pause() { set_paused(true); }
  void resume() { set_paused(false); }
  void wake() { wake_.notify(); }

  // Nobody is accepted any more: the acceptor's thread closes the listening socket.
  void close_listener() {
    closed_.store(true, std::memory_order_release);
    wake_.notify();
  }

  // Called for each connection, on the acceptor's thread, when it is findable.
  using OnAccepted = void (*)(void* context, ConnectionKey key);
  void on_accepted(OnAccepted function, void* context) {
    on_accepted_ = function;
    context_ = context;
  }

 private:
  static constexpr int kBatch = 256;
  static constexpr int kBackoffMs = 100;
  static constexpr int kKeepAliveSeconds = 300;

  void set_paused(bool paused) {
    paused_.store(paused, std::memory_order_release);
    wake_.notify();
  }

  void reject(RejectReason reason) {
    count(core_.counters.rejected[static_cast<std::size_t>(reason)]);
  }

  // False: nobody waits, or accepting has to wait.
  bool accept_one() {
    FileDescriptor fd;
    SocketAddress peer;
    SystemError error;
    switch (accept_connection(listener_.get(), fd, &peer, error)) {
      case AcceptResult::kAccepted:
        break;
      case AcceptResult::kPeerGone:
        return true;
      case AcceptResult::kNoDescriptors:
        return shed(error);
      case AcceptResult::kEmpty:
        return false;
      case AcceptResult::kError:
        // Whatever it is, the listener may stay readable.
        backoff_until_ms_ = coarse_ms() + kBackoffMs;
        return false;
    }
    if (core_.draining.load(std::memory_order_relaxed)) {
      reject(RejectReason::kDraining);
      return true;
    }
    if (fd.get() >= static_cast<int>(core_.table.descriptors())) {
      reject(RejectReason::kDescriptors);
      return true;
    }
    if (!within_rate()) {
      reject(RejectReason::kAcceptRate);
      return true;
    }
    Connection* connection = core_.table.claim(fd.get());
    if (connection == nullptr) {
      reject(RejectReason::kMaxConnections);
      return true;
    }
    fill(*connection, peer);
    if (!core_.addresses.enter(*connection)) {
      core_.table.abandon(*connection);
      reject(RejectReason::kMaxPerAddress);
      return true;
    }
    open_connection(*connection, fd.release());
    return true;
  }

  void fill(Connection& c, const SocketAddress& peer) {
    c.family = static_cast<std::uint8_t>(peer.family);
    c.peer_port = peer.port;
    if (peer.family == AF_INET) ::inet_pton(AF_INET, peer.ip, c.peer_ip);
    if (peer.family == AF_INET6) ::inet_pton(AF_INET6, peer.ip, c.peer_ip);
    c.opened_ms = coarse_ms();
    c.touch(c.opened_ms);
    c.idle_timeout_ms.store(core_.options.idle_timeout_ms, std::memory_order_relaxed);
    c.worker.store(choose_worker(), std::memory_order_relaxed);
    c.events.store(kEventOpen, std::memory_order_relaxed);
  }

  // The slot is findable before the descriptor can report an edge.
  void open_connection(Connection& c, int fd) {
    const ConnectionKey key = c.key;
    if (c.family != AF_UNIX) {
      if (core_.options.no_delay) set_no_delay(fd, true);
      // A peer whose machine is gone says nothing: without an idle timeout it would stay for ever.
      set_keep_alive(fd, true, kKeepAliveSeconds);
    }
    core_.inboxes[c.worker.load(std::memory_order_relaxed)]->connections.fetch_add(
        1, std::memory_order_relaxed);
    count(core_.counters.accepted);
    core_.table.publish(c, 2);  // one is ours, until this function is done
    CloseReason reason = CloseReason::kNone;
    const std::uint64_t deadline = next_deadline(core_.options, c, reason);
    if (deadline != IdleTimers::kNever) core_.timers.arm(c, deadline);
    if (core_.table.slot(key.fd).receive.admit()) core_.receive_queue.push(key);
    if (core_.epoll.add(fd, EventLoop::kEdges, key.packed())) {
      core_.close(c, CloseReason::kOverload);
    }
    // Since accept_one() looked, everybody else may have been told (seq_cst:
    // StagedPipeline::end_all).
    if (core_.draining.load(std::memory_order_seq_cst)) core_.tell(c, kEventServerEnd);
    if (on_accepted_ != nullptr) on_accepted_(context_, key);
    core_.table.unpin(c);
  }

  // Fewest connections; among equals they take turns, or short-lived ones would all go to the
  // first.
  std::uint32_t choose_worker() {
    const auto workers = static_cast<std::uint32_t>(core_.inboxes.size());
    std::uint32_t best = next_worker_ % workers;
    std::uint32_t fewest = UINT32_MAX;
    for (std::uint32_t i = 0; i < workers; ++i) {
      const std::uint32_t index = (next_worker_ + i) % workers;
      const std::uint32_t has = core_.inboxes[index]->connections.load(std::memory_order_relaxed);
      if (has >= fewest || core_.inboxes[index]->abandoned.load(std::memory_order_relaxed))
        continue;
      fewest = has;
      best = index;
    }
    next_worker_ = best + 1;
    return best;
  }

  // Token bucket of one second's worth.
  bool within_rate() {
    const std::uint32_t rate = core_.options.accept_rate;
    if (rate == 0) return true;
    const std::int64_t now = monotonic_ns();
    tokens_ =
        std::min<double>(rate, tokens_ + static_cast<double>(now - refilled_ns_) * 1e-9 * rate);
    refilled_ns_ = now;
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }

  void reserve() {
    if (!reserve_) reserve_.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  }

  // Out of descriptors or memory: a client that stays in the backlog would keep the listener ready
  // for ever. The reserve descriptor makes room to take it and hang up.
  bool shed(const SystemError& error) {
    const bool descriptors = error.code == EMFILE || error.code == ENFILE;
    AcceptResult result = AcceptResult::kNoDescriptors;
    if (descriptors && reserve_) {
      reserve_.reset();
      FileDescriptor client;
      SystemError again;
      result = accept_connection(listener_.get(), client, nullptr, again);
      client.reset();
      reserve();
    }
    switch (result) {
      case AcceptResult::kAccepted:
        reject(RejectReason::kDescriptors);
        return true;
      case AcceptResult::kPeerGone:
        return true;
      // The kernel looks for a descriptor before it looks for a client.
      case AcceptResult::kEmpty:
        return false;
      default:
        break;
    }
    if (!descriptors) reject(RejectReason::kMemory);
    backoff_until_ms_ = coarse_ms() + kBackoffMs;
    reserve();
    return false;
  }

  PipelineCore& core_;
  FileDescriptor listener_;
  FileDescriptor reserve_;
  EventFd wake_;
  std::atomic<bool> paused_{false};
  std::atomic<bool> closed_{false};
  std::uint64_t backoff_until_ms_ = 0;
  std::uint32_t next_worker_ = 0;
  double tokens_ = 1;
  std::int64_t refilled_ns_ = 0;
  OnAccepted on_accepted_ = nullptr;
  void* context_ = nullptr;
};

}  // namespace millrace
