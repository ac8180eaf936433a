#pragma once

#include <sys/epoll.h>

#include <cstdint>

#include "millrace/server/pipeline_core.h"

namespace millrace {

// The stage that waits for events, and does nothing else: it turns each edge into keys for the
// receiver and, where the sender said that it waits for one, for the sender (with input and output
// registered, every input edge reports output too).
// One thread runs step(). No allocation; one epoll_wait a batch of up to 256 edges.
class EventLoop {
 public:
  explicit EventLoop(PipelineCore& core) : core_(core) {}

  static constexpr std::uint32_t kEdges = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  static constexpr std::uint64_t kWakeUp = 0;  // the data of a descriptor that only ends the wait

  // Waits up to timeout_ms (negative: for ever) and hands on what came.
  SystemError step(int timeout_ms) {
    epoll_event events[256];
    SystemError error;
    const int found = core_.epoll.wait(events, timeout_ms, error);
    bool receive = false;
    bool send = false;
    for (int i = 0; i < found; ++i) {
      if (events[i].data.u64 == kWakeUp) continue;
      const ConnectionKey key = ConnectionKey::unpack(events[i].data.u64);
      ConnectionTable::Slot& slot = core_.table.slot(key.fd);
      const std::uint32_t what = events[i].events;
      if ((what & kLastEdges) != 0) note_last_edge(key, what);
      if ((what & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0 && slot.receive.admit()) {
        core_.receive_queue.push(key);
        receive = true;
      }
      // seq_cst: pairs with Sender::wait_for_edge(), which says so and then tries once more.
      if ((what & EPOLLOUT) != 0 && slot.blocked.load(std::memory_order_seq_cst) &&
          slot.send.admit()) {
        core_.send_queue.push(key);
        send = true;
      }
    }
    if (receive) core_.receive_queue.wake();
    if (send) core_.send_queue.wake();
    return error;
  }

 private:
  static constexpr std::uint32_t kHangup = EPOLLERR | EPOLLHUP;
  static constexpr std::uint32_t kLastEdges = kHangup | EPOLLRDHUP;

  // The end may be in the same edge as the last bytes, and then no other follows: a short read is
  // not all that there is. And a connection that is not being read would not notice that it is
  // dead.
  void note_last_edge(ConnectionKey key, std::uint32_t what) {
    Connection* connection = core_.table.pin(key);
    if (connection == nullptr) return;
    const std::uint32_t events =
        kEventLastBytes | ((what & kHangup) != 0 ? std::uint32_t{kEventHangup} : 0);
    connection->events.fetch_or(events, std::memory_order_seq_cst);
    core_.table.unpin(*connection);
  }

  PipelineCore& core_;
};

}  // namespace millrace
