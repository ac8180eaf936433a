#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "millrace/base/clock.h"
#include "millrace/server/deadline.h"
#include "millrace/server/output.h"
#include "millrace/server/pipeline_core.h"

namespace millrace {

// The stage that writes. It takes the operations of every outbox in order, sends runs for one
// connection with one sendmsg straight from the blocks they lie in, and copies what the socket does
// not take into blocks that the connection owns, so that an echo to a peer that never reads holds
// the smallest block that fits and not a receive block. A connection with output waits for
// EPOLLOUT.
//
// One thread runs step(); it alone owns the send state of every connection and every descriptor's
// output. Costs one system call a run; no allocation while peers keep up.
class Sender {
 public:
  explicit Sender(PipelineCore& core) : core_(core), output_(core) {}

  static constexpr std::uint64_t kLingerMs = 2000;

  bool step() {
    now_ms_ = coarse_ms();
    output_.set_now(now_ms_);
    bool worked = false;
    for (Outbox& outbox : claimed()) worked |= drain(outbox);
    std::uint64_t keys[kBatch];
    const std::uint32_t found = core_.send_queue.pop(keys);
    for (std::uint32_t i = 0; i < found; ++i) visit(ConnectionKey::unpack(keys[i]));
    flush_dirty();
    return worked || found != 0;
  }

  // What step() would find, for the thread that is about to sleep.
  bool ready() {
    if (core_.stopping.load(std::memory_order_seq_cst) || core_.send_queue.can_pop()) return true;
    for (Outbox& outbox : claimed()) {
      if (outbox.readable() != 0) return true;
    }
    return false;
  }

 private:
  static constexpr std::uint32_t kBatch = 64;
  static constexpr std::uint32_t kMaxRunBytes = 1u << 30;  // and one more frame: below 2^32

  std::span<Outbox> claimed() {
    return {core_.outboxes, core_.outbox_count.load(std::memory_order_seq_cst)};
  }

  // --- Operations --------------------------------------------------------------------------------

  // Everything that was handed over, to the end of the last hand-over: a worker's `activate` and
  // the write beside it are never separated by another worker's message.
  bool drain(Outbox& outbox) {
    const std::uint32_t ready = outbox.readable();
    if (ready == 0) return false;
    std::uint32_t i = 0;
    while (i < ready) {
      const OutboundOperation& operation = outbox.at(i);
      switch (operation.kind & 0xff) {
        case kOutWrite:
          i = write_run(outbox, i, ready);
          break;
        case kOutEnd:
          end(operation);
          ++i;
          break;
        case kOutPublish:
          publish(operation);
          ++i;
          break;
        case kOutActivate:
          core_.topics.activate({operation.a, operation.b});
          ++i;
          break;
        default:
          ++i;
          break;
      }
    }
    release_blocks(outbox, ready);
    outbox.release(ready);
    outbox.room().unpark();
    return true;
  }

  void release_blocks(Outbox& outbox, std::uint32_t count) {
    std::uint32_t block = kNoBlock;
    std::uint32_t run = 0;
    for (std::uint32_t i = 0; i < count; ++i) {
      if (outbox.at(i).block != block) {
        if (block != kNoBlock) core_.store.release(block, run);
        block = outbox.at(i).block;
        run = 0;
      }
      ++run;
    }
    if (block != kNoBlock) core_.store.release(block, run);
  }

  // The writes from i on that name one connection, in one system call where it can be.
  std::uint32_t write_run(Outbox& outbox, std::uint32_t i, std::uint32_t ready) {
    const ConnectionKey key{outbox.at(i).fd, outbox.at(i).sequence};
    Connection* c = core_.table.pin(key);
    iovec run[Output::kMaxRun];
    int parts = 0;
    std::uint32_t bytes = 0;
    bool wants_drain = false;
    for (; i < ready && parts < Output::kMaxRun && bytes < kMaxRunBytes; ++i) {
      const OutboundOperation& operation = outbox.at(i);
      if ((operation.kind & 0xff) != kOutWrite || operation.fd != key.fd ||
          operation.sequence != key.sequence) {
        break;
      }
      run[parts++] = {core_.store.data(operation.offset), operation.length};
      bytes += operation.length;
      wants_drain |= (operation.kind & kOutWantsDrain) != 0;
    }
    if (c == nullptr) {
      count(core_.counters.operations_stale, static_cast<std::uint64_t>(parts));
      return i;
    }
    c->send.want_drain |= wants_drain;
    if (c->send.ended || c->send.ending) {
      output_.credit(*c, bytes);
    } else {
      write(*c, run, parts, bytes);
    }
    if (wants_drain) mark_dirty(*c);
    core_.table.unpin(*c);
    return i;
  }

  // Replies are never dropped: what the socket does not take becomes backlog, up to the limit.
  void write(Connection& c, iovec* run, int parts, std::uint32_t bytes) {
    std::uint32_t left = bytes;
    if (output_.backlog(c) == 0 && !c.send.waiting && c.send.published_head == kNoBlock) {
      const ssize_t sent = output_.send_some(c, run, parts);
      if (sent < 0) return;
      left -= static_cast<std::uint32_t>(sent);
      output_.credit(c, static_cast<std::uint32_t>(sent));
      output_.skip(run, parts, static_cast<std::size_t>(sent));
    }
    if (left == 0) return;
    for (int i = 0; i < parts; ++i) {
      if (!output_.append(c, static_cast<const std::uint8_t*>(run[i].iov_base), run[i].iov_len)) {
        core_.close(c, CloseReason::kOverload);
        return;
      }
    }
    mark_dirty(c);
    relieve(c, 0);
    if (core_.options.max_write_bytes != 0 && output_.backlog(c) > core_.options.max_write_bytes) {
      core_.close(c, CloseReason::kSlowConsumer);
    }
  }

  // Output gathers within a step; before anybody is called slow the socket gets its chance.
  void relieve(Connection& c, std::uint32_t more) {
    if (c.send.waiting || output_.backlog(c) + more <= core_.options.high_water_bytes) return;
    if (serve(c)) mark_dirty(c);
  }

  // --- Connections with output -------------------------------------------------------------------

  void visit(ConnectionKey key) {
    ConnectionTable::Slot& slot = core_.table.slot(key.fd);
    slot.send.begin();
    Connection* connection = core_.table.pin(key, true);
    if (connection == nullptr) connection = core_.table.pin_current(key.fd);
    bool again = false;
    if (connection != nullptr) {
      key = connection->key;
      slot.blocked.exchange(false, std::memory_order_seq_cst);
      connection->send.waiting = false;
      again = serve(*connection);
      core_.table.unpin(*connection);
    }
    if (again) {
      slot.send.requeue();
      core_.send_queue.push(key);
    } else if (slot.send.finish()) {
      core_.send_queue.push(key);
    }
  }

  // Connections that got output in this step are flushed once, at its end.
  void mark_dirty(Connection& c) {
    if (c.send.dirty) return;
    c.send.dirty = true;
    c.send.next_dirty = dirty_;
    dirty_ = c.key.fd + 1;
    core_.table.pin(c.key, true);  // the list's pin
  }

  void flush_dirty() {
    while (dirty_ != 0) {
      Connection* c = core_.table.pin_current(dirty_ - 1);
      dirty_ = c->send.next_dirty;
      c->send.dirty = false;
      if (!c->send.waiting && serve(*c)) core_.queue_send(c->key);
      if (c->send.waiting) watermarks(*c);
      core_.table.unpin(*c);
      core_.table.unpin(*c);  // the list's
    }
  }

  // True: the budget is spent and there is more.
  bool serve(Connection& c) {
    if (core_.table.closing(c)) {
      core_.drop_output(c);
      return false;
    }
    std::uint32_t budget = Output::kWriteBudgetBytes;
    bool flushed = output_.flush(c, budget);
    while (flushed && budget != 0 && c.send.published_head != kNoBlock && !core_.table.closing(c)) {
      if (!append_published(c)) core_.close(c, CloseReason::kOverload);
      flushed = output_.flush(c, budget);
    }
    if (core_.table.closing(c)) {
      core_.drop_output(c);
      return false;
    }
    const bool more = budget == 0 && (output_.backlog(c) != 0 || c.send.published_head != kNoBlock);
    if (!flushed && !more) {
      if (wait_for_edge(c)) return true;
    }
    watermarks(c);
    if (flushed && output_.backlog(c) == 0 && c.send.ending && !c.send.ended) finish_end(c);
    return more;
  }

  // The edge may have come between the full socket and this announcement: try once more after it.
  // True: it had. seq_cst: pairs with EventLoop::step().
  bool wait_for_edge(Connection& c) {
    c.send.waiting = true;
    core_.table.slot(c.key.fd).blocked.exchange(true, std::memory_order_seq_cst);
    const std::uint32_t before = output_.backlog(c);
    std::uint32_t budget = Output::kWriteBudgetBytes;
    output_.flush(c, budget);
    if (core_.table.closing(c) || output_.backlog(c) == before) return false;
    c.send.waiting = false;
    core_.table.slot(c.key.fd).blocked.exchange(false, std::memory_order_seq_cst);
    return true;
  }

  void watermarks(Connection& c) {
    const std::uint32_t bytes = output_.backlog(c) + c.send.published_bytes;
    if (bytes > core_.options.high_water_bytes) {
      if ((c.paused.load(std::memory_order_relaxed) & kPauseWrite) == 0) {
        core_.pause(c, kPauseWrite);
      }
      return;
    }
    if (bytes > core_.options.low_water_bytes) return;
    if ((c.paused.load(std::memory_order_relaxed) & kPauseWrite) != 0) {
      core_.resume(c, kPauseWrite);
    }
    if (c.send.want_drain) {
      c.send.want_drain = false;
      core_.tell(c, kEventDrain);
    }
  }

  // --- Ends --------------------------------------------------------------------------------------

  void end(const OutboundOperation& operation) {
    Connection* c = core_.table.pin({operation.fd, operation.sequence});
    if (c == nullptr) {
      count(core_.counters.operations_stale);
      return;
    }
    // The list is JavaScript's to write, and this names a counter.
    const auto reason =
        operation.a < kCloseReasons ? static_cast<CloseReason>(operation.a) : CloseReason::kLocal;
    if (operation.b != 0) {  // at once: what is not sent yet is dropped
      core_.close(*c, reason);
    } else if (!c->send.ending) {
      c->send.ending = true;
      c->send.end_reason = reason;
      mark_dirty(*c);
    }
    core_.table.unpin(*c);
  }

  // All is sent. When the peer has ended too that is all; else it is told, and what it still sends
  // is read and thrown away for a while: closing over unread input would reset the connection, and
  // take the last reply with it.
  void finish_end(Connection& c) {
    c.send.ended = true;
    ::shutdown(static_cast<int>(c.key.fd), SHUT_WR);
    c.linger_until_ms.store(now_ms_ + kLingerMs, std::memory_order_relaxed);
    // seq_cst: pairs with Receiver::discard(): one of the two sees the other's word.
    c.lingering.exchange(true, std::memory_order_seq_cst);
    if (c.peer_ended.load(std::memory_order_seq_cst)) {
      core_.close(c, c.send.end_reason);
      return;
    }
    core_.timers.arm_by(c, [&] {
      CloseReason reason = CloseReason::kNone;
      return next_deadline(core_.options, c, reason);
    });
    core_.queue_receive(c.key);
  }

  // --- Published messages ------------------------------------------------------------------------

  void publish(const OutboundOperation& operation) {
    PublishHeader header;
    if (operation.length < sizeof header) return;
    std::memcpy(&header, core_.store.data(operation.offset), sizeof header);
    // The arena is JavaScript's to write: what it says is checked against what was handed over.
    if (header.topic_bytes > operation.length - sizeof header ||
        header.payload_bytes > operation.length - sizeof header - header.topic_bytes) {
      return;
    }
    const std::uint8_t* topic = core_.store.data(operation.offset) + sizeof header;
    const std::uint8_t* payload = topic + header.topic_bytes;
    const std::string_view name(reinterpret_cast<const char*>(topic), header.topic_bytes);
    const std::uint64_t key = (static_cast<std::uint64_t>(header.key_high) << 32) | header.key_low;
    for (const ConnectionKey to : core_.topics.match(name, {operation.fd, operation.sequence})) {
      Connection* c = core_.table.pin(to);
      if (c == nullptr || c->send.ending) {
        core_.counters.published.offer(PublishedFigures::kClosed);
      } else {
        deliver(*c, payload, header.payload_bytes, key);
      }
      if (c != nullptr) core_.table.unpin(*c);
    }
  }

  void deliver(Connection& c, const std::uint8_t* bytes, std::uint32_t size, std::uint64_t key) {
    const PipelineOptions& options = core_.options;
    PublishedFigures& figures = core_.counters.published;
    relieve(c, size);
    const std::uint32_t waiting = output_.backlog(c) + c.send.published_bytes;
    const bool slow = c.send.waiting && waiting + size > options.high_water_bytes;
    if (c.send.published_head == kNoBlock &&
        (!slow || options.slow_consumer == SlowConsumer::kPause)) {
      if (options.max_write_bytes != 0 && waiting + size > options.max_write_bytes) {
        figures.offer(PublishedFigures::kSlow);
        core_.close(c, CloseReason::kSlowConsumer);
      } else if (append_message(c, bytes, size)) {
        figures.offer(PublishedFigures::kDelivered);
        mark_dirty(c);
      } else {
        figures.offer(PublishedFigures::kMemory);
        core_.close(c, CloseReason::kOverload);
      }
      return;
    }
    if (options.slow_consumer == SlowConsumer::kDisconnect) {
      figures.offer(PublishedFigures::kSlow);
      core_.close(c, CloseReason::kSlowConsumer);
      return;
    }
    switch (core_.published.push(c, bytes, size, key)) {
      case PublishedQueue::PushResult::kTooSlow:
        core_.close(c, CloseReason::kSlowConsumer);
        return;
      case PublishedQueue::PushResult::kNoMemory:
        core_.close(c, CloseReason::kOverload);
        return;
      case PublishedQueue::PushResult::kDone:
        mark_dirty(c);
        return;
    }
  }

  bool append_message(Connection& c, const std::uint8_t* bytes, std::uint32_t size) {
    if (!output_.append(c, bytes, size)) return false;
    // Not a worker's bytes: its account of what has left must not move when these do.
    core_.sent[c.key.fd].fetch_sub(size, std::memory_order_relaxed);
    return true;
  }

  // What a slow subscriber was kept waiting for, a block's worth at a time.
  bool append_published(Connection& c) {
    while (c.send.published_head != kNoBlock && output_.backlog(c) < Output::kBacklogBlockBytes) {
      const std::uint32_t block = core_.published.front(c);
      const bool appended =
          append_message(c, core_.published.bytes(block), core_.published.size(block));
      core_.published.pop(c, !appended);
      if (!appended) return false;
    }
    return true;
  }

  PipelineCore& core_;
  Output output_;
  std::uint32_t dirty_ = 0;
  std::uint64_t now_ms_ = 0;
};

}  // namespace millrace
