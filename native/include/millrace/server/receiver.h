#pragma once

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <vector>

#include "millrace/base/clock.h"
#include "millrace/server/input.h"
#include "millrace/server/pipeline_core.h"
#include "millrace/server/waiting_list.h"

namespace millrace {

// The stage that reads. It takes keys, reads each connection until it is drained or its budget is
// spent (then the key goes to the tail of the queue: one uploading client never starves the quiet
// ones), finds frames and stages their descriptors into the worker's inbox. Being the one producer
// of every inbox, it also passes on what else a worker must hear of a connection, in order: open,
// messages, end, close.
//
// One thread runs step(). Owns the lists of those that wait. Costs one recv a visit, no allocation
// for frames that arrive whole (see Input).
class Receiver {
 public:
  explicit Receiver(PipelineCore& core)
      : core_(core), input_(core), room_waiting_(core.inboxes.size()) {}

  // Serves a batch of keys. False: there was nothing to do.
  bool step() {
    now_ms_ = coarse_ms();
    // Those that waited come before those that have just got an edge, who would take the room
    // again.
    const bool resumed = resume_waiting();
    std::uint64_t keys[kBatch];
    const std::uint32_t found = core_.receive_queue.pop(keys);
    for (std::uint32_t i = 0; i < found; ++i) visit(ConnectionKey::unpack(keys[i]));
    for (const auto& inbox : core_.inboxes) inbox->publish();
    return found != 0 || resumed;
  }

  // What step() would find, for the thread that is about to sleep.
  bool ready() {
    if (core_.stopping.load(std::memory_order_seq_cst) || core_.receive_queue.can_pop())
      return true;
    for (std::size_t i = 0; i < room_waiting_.size(); ++i) {
      if (!room_waiting_[i].empty() && !core_.inboxes[i]->starving()) return true;
    }
    return false;
  }

  // How long the thread may sleep: memory comes back without anybody's saying so.
  std::int64_t sleep_ns() const { return memory_waiting_.empty() ? -1 : kMemoryRetryNs; }

 private:
  static constexpr std::uint32_t kBatch = 64;
  static constexpr std::int64_t kMemoryRetryNs = 5'000'000;

  enum class Outcome : std::uint8_t {
    kDone,      // drained, paused, waiting for room, closed: somebody else brings it back
    kContinue,  // more may be there now
  };

  void visit(ConnectionKey key) {
    ConnectionTable::Slot& slot = core_.table.slot(key.fd);
    slot.receive.begin();
    // A stale key finds nothing of its own; its place serves the descriptor's present connection.
    Connection* connection = core_.table.pin(key, true);
    if (connection == nullptr) connection = core_.table.pin_current(key.fd);
    Outcome outcome = Outcome::kDone;
    if (connection != nullptr) {
      key = connection->key;
      outcome = serve(*connection);
      core_.table.unpin(*connection);
    }
    if (outcome == Outcome::kContinue) {
      slot.receive.requeue();
      core_.receive_queue.push(key);
    } else if (slot.receive.finish()) {
      core_.receive_queue.push(key);
    }
  }

  Outcome serve(Connection& c) {
    Inbox& inbox = *core_.inboxes[c.worker.load(std::memory_order_relaxed)];
    const std::uint32_t events = c.events.exchange(0, std::memory_order_seq_cst);
    c.receive.last_bytes |= (events & kEventLastBytes) != 0;
    if ((events & kEventOpen) != 0 && !say(c, inbox, kInOpen, 0)) return put_back(c, inbox, events);
    if (core_.table.closing(c)) return finish(c, inbox);
    if ((events & kEventDrain) != 0 && !say(c, inbox, kInDrain, 0)) {
      return put_back(c, inbox, events & ~kEventOpen);
    }
    const Outcome outcome = read(c, inbox, (events & kEventHangup) != 0);
    if ((events & kEventServerEnd) != 0 && !c.receive.ended && !core_.table.closing(c)) {
      if (c.receive.unparsed) {  // what was received comes first
        c.events.fetch_or(kEventServerEnd, std::memory_order_seq_cst);
        return outcome;
      }
      c.receive.ended = true;
      if (!say(c, inbox, kInServerEnd, 0)) {
        c.receive.ended = false;
        return put_back(c, inbox, kEventServerEnd);
      }
      c.receive.end_told = true;
      input_.drop_kept(c);
    }
    return outcome;
  }

  Outcome put_back(Connection& c, Inbox& inbox, std::uint32_t events) {
    c.events.fetch_or(events, std::memory_order_seq_cst);
    return wait_for_room(c, inbox);
  }

  // Stages one descriptor that carries no bytes; false when the inbox is full.
  bool say(Connection& c, Inbox& inbox, InboundKind kind, std::uint32_t value,
           std::uint64_t detail = 0) {
    if (inbox.room() == 0) return false;
    inbox.stage() = {c.key.fd,
                     c.key.sequence,
                     0,
                     value,
                     kind,
                     static_cast<std::uint32_t>(detail),
                     static_cast<std::uint32_t>(detail >> 32),
                     kNoBlock};
    return true;
  }

  Outcome finish(Connection& c, Inbox& inbox) {
    const CloseReason reason = c.reason.load(std::memory_order_acquire);
    if (c.receive.close_told || reason == CloseReason::kNone) return Outcome::kDone;
    input_.drop_kept(c);
    if (!say(c, inbox, kInClose, static_cast<std::uint32_t>(reason)))
      return wait_for_room(c, inbox);
    c.receive.close_told = true;
    return Outcome::kDone;
  }

  // Full inbox: the connection joins the list that the worker's next release sets going.
  Outcome wait_for_room(Connection& c, Inbox& inbox) {
    inbox.publish();
    if (!c.receive.waiting) {
      note_pause(c);
      room_waiting_[c.worker.load(std::memory_order_relaxed)].push(core_.table, c);
    }
    if (inbox.starve()) inbox.feed();
    return Outcome::kDone;
  }

  // Connections that waited for room, where there is room now (starve() is announced again while
  // some still wait), and those that waited for memory. True: there were some.
  bool resume_waiting() {
    bool resumed = false;
    for (std::size_t i = 0; i < room_waiting_.size(); ++i) {
      Inbox& inbox = *core_.inboxes[i];
      for (std::uint32_t n = 0; n < kBatch && !room_waiting_[i].empty() && inbox.room() != 0; ++n) {
        resume(room_waiting_[i]);
        resumed = true;
      }
      if (!room_waiting_[i].empty() && inbox.room() == 0 && !inbox.starving() && inbox.starve()) {
        inbox.feed();
      }
    }
    if (memory_waiting_.empty() || monotonic_ns() < memory_retry_ns_) return resumed;
    std::uint32_t n = 0;
    for (; n < kBatch && !memory_waiting_.empty() && input_.take_read_block(); ++n)
      resume(memory_waiting_);
    if (memory_waiting_.empty()) core_.memory_short.store(false, std::memory_order_relaxed);
    if (n < kBatch) memory_retry_ns_ = monotonic_ns() + kMemoryRetryNs;
    return resumed || n != 0;
  }

  // Not by way of the queue: by then others would have taken what there is.
  void resume(WaitingList& list) {
    Connection& c = list.pop(core_.table);
    if (serve(c) == Outcome::kContinue) core_.queue_receive(c.key);
    core_.table.unpin(c);
  }

  // --- Reading -----------------------------------------------------------------------------------

  Outcome read(Connection& c, Inbox& inbox, bool hangup) {
    // Our end is sent: nobody waits for more.
    if (c.lingering.load(std::memory_order_seq_cst)) {
      c.receive.ended = c.receive.end_told = true;
      input_.drop_kept(c);
    }
    if (c.receive.ended) return discard(c, inbox);
    // seq_cst: pairs with PipelineCore::resume().
    if (c.paused.load(std::memory_order_seq_cst) != 0) {
      note_pause(c);
      if (hangup) core_.close(c, CloseReason::kReset);
      return Outcome::kDone;
    }
    note_resume(c);
    if (c.receive.unparsed) {
      c.receive.unparsed = false;
      const Outcome outcome = parse_kept(c, inbox);
      if (outcome == Outcome::kDone || c.receive.ended) return outcome;
    }
    std::uint32_t budget = core_.options.read_budget_bytes;
    std::int64_t until_ns = 0;
    for (;;) {
      if (inbox.room() == 0) return wait_for_room(c, inbox);
      std::uint32_t asked = 0;
      const ssize_t got = input_.receive(c, inbox, budget, asked);
      if (got == Input::kNoMemory) return wait_for_memory(c, inbox);
      if (got == Input::kClosed) return finish(c, inbox);
      if (got == 0) return end_of_input(c, inbox);
      if (got < 0) {
        if (errno == EINTR) continue;
        if (errno == EAGAIN || errno == EWOULDBLOCK) return Outcome::kDone;
        core_.close(c, CloseReason::kReset);
        return finish(c, inbox);
      }
      c.touch(now_ms_);
      if (!c.first_byte.load(std::memory_order_relaxed))
        c.first_byte.store(true, std::memory_order_relaxed);
      c.bytes_read.fetch_add(static_cast<std::uint64_t>(got), std::memory_order_relaxed);
      count(core_.counters.bytes_read, static_cast<std::uint64_t>(got));
      if (c.receive.ended) return tell_end(c, inbox);
      if (c.receive.unparsed) return wait_for_room(c, inbox);
      if (core_.table.closing(c)) return finish(c, inbox);
      if (over_limit(c)) return Outcome::kDone;
      // A short read drained the socket: the next byte brings an edge.
      if (static_cast<std::uint32_t>(got) < asked && !c.receive.last_bytes) return Outcome::kDone;
      budget -= std::min(budget, static_cast<std::uint32_t>(got));
      if (budget == 0 || out_of_time(until_ns)) return Outcome::kContinue;
    }
  }

  // The time budget runs from the end of the first read: most visits read once and need no clock.
  bool out_of_time(std::int64_t& until_ns) const {
    if (core_.options.read_budget_us == 0) return false;
    const std::int64_t now = monotonic_ns();
    if (until_ns == 0) until_ns = now + std::int64_t{core_.options.read_budget_us} * 1000;
    return now >= until_ns;
  }

  // The arena is spent, by frames that workers have not handled yet: try again in a while.
  Outcome wait_for_memory(Connection& c, Inbox& inbox) {
    inbox.publish();
    if (!c.receive.waiting) {
      note_pause(c);
      core_.memory_short.store(true, std::memory_order_relaxed);
      if (memory_waiting_.empty()) memory_retry_ns_ = monotonic_ns() + kMemoryRetryNs;
      memory_waiting_.push(core_.table, c);
    }
    return Outcome::kDone;
  }

  Outcome parse_kept(Connection& c, Inbox& inbox) {
    if (!input_.parse_kept(c, inbox)) return finish(c, inbox);
    if (c.receive.ended) return tell_end(c, inbox);
    if (c.receive.unparsed) return wait_for_room(c, inbox);
    return over_limit(c) ? Outcome::kDone : Outcome::kContinue;
  }

  // Enough of this connection waits for its worker: it is read again when some of that is handled.
  // seq_cst: pairs with Consumer::settle(), which frees first and looks at the pause afterwards.
  bool over_limit(Connection& c) {
    const std::uint32_t limit = core_.options.high_water_bytes;
    if (c.unhandled_bytes.load(std::memory_order_relaxed) <= limit) return false;
    core_.pause(c, kPauseUnhandled);
    if (c.unhandled_bytes.load(std::memory_order_seq_cst) > limit) {
      note_pause(c);
      return true;
    }
    c.paused.fetch_and(~static_cast<std::uint32_t>(kPauseUnhandled), std::memory_order_seq_cst);
    return false;
  }

  // --- Ends --------------------------------------------------------------------------------------

  Outcome end_of_input(Connection& c, Inbox& inbox) {
    c.peer_ended.store(true, std::memory_order_seq_cst);
    c.receive.ended = true;
    if (c.receive.block != kNoBlock) c.receive.error = kFrameIncomplete;
    return tell_end(c, inbox);
  }

  Outcome tell_end(Connection& c, Inbox& inbox) {
    if (!say(c, inbox, kInEnd, c.receive.error, c.receive.framing.detail)) {
      return wait_for_room(c, inbox);
    }
    c.receive.end_told = true;
    input_.drop_kept(c);
    return discard(c, inbox);
  }

  // No frames are wanted any more: what still comes is thrown away until the peer ends.
  Outcome discard(Connection& c, Inbox& inbox) {
    if (!c.receive.end_told) return tell_end(c, inbox);
    std::uint8_t scrap[16 * 1024];
    for (int round = 0; !c.peer_ended.load(std::memory_order_relaxed); ++round) {
      if (round == 4) return Outcome::kContinue;
      const ssize_t got = ::recv(static_cast<int>(c.key.fd), scrap, sizeof scrap, 0);
      if (got > 0) {
        count(core_.counters.bytes_read, static_cast<std::uint64_t>(got));
        continue;
      }
      if (got < 0 && errno == EINTR) continue;
      if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return Outcome::kDone;
      if (got < 0) {
        core_.close(c, CloseReason::kReset);
        return finish(c, inbox);
      }
      c.peer_ended.store(true, std::memory_order_seq_cst);
    }
    // Our end is sent and theirs is here. seq_cst: pairs with Sender::finish_end().
    if (c.lingering.load(std::memory_order_seq_cst)) {
      core_.close(c, c.send.end_reason);
      return finish(c, inbox);
    }
    return Outcome::kDone;
  }

  void note_pause(Connection& c) {
    if (c.paused_since_ns.load(std::memory_order_relaxed) == 0) {
      c.paused_since_ns.store(monotonic_ns(), std::memory_order_relaxed);
    }
  }
  void note_resume(Connection& c) {
    const std::int64_t since = c.paused_since_ns.load(std::memory_order_relaxed);
    if (since == 0) return;
    c.paused_since_ns.store(0, std::memory_order_relaxed);
    count(core_.counters.read_paused_ns, static_cast<std::uint64_t>(monotonic_ns() - since));
  }

  PipelineCore& core_;
  Input input_;
  std::vector<WaitingList> room_waiting_;  // for each worker
  WaitingList memory_waiting_;
  std::int64_t memory_retry_ns_ = 0;
  std::uint64_t now_ms_ = 0;
};

}  // namespace millrace
