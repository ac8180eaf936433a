#pragma once

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "millrace/base/clock.h"
#include "millrace/server/pipeline_core.h"
#include "millrace/server/waiting_list.h"

namespace millrace {

// The stage that reads. It takes keys, reads each connection until it is drained or its budget is
// spent (then the key goes to the tail of the queue: one uploading client never starves the quiet
// ones), finds frames and stages their descriptors into the worker's inbox. Being the one producer
// of every inbox, it also passes on what else a worker must hear of a connection, in order: open,
// messages, end, close.
//
// One thread runs step(). Reads go into a block that all connections share; a connection keeps
// memory of its own only for an unfinished frame, or for what its worker's inbox had no room for.
// Costs one recv a visit, one atomic addition a read, no allocation for frames that arrive whole.
class Receiver {
 public:
  explicit Receiver(PipelineCore& core) : core_(core), room_waiting_(core.inboxes.size()) {}
  ~Receiver() {
    if (block_ != kNoBlock) core_.store.release(block_);
  }

  static constexpr std::uint32_t kReadBlockBytes = 64 * 1024;

  // Serves a batch of keys. False: there was nothing to do.
  bool step() {
    now_ms_ = coarse_ms();
    // Those that waited come before those that have just got an edge, who would take the room again.
    const bool resumed = resume_waiting();
    std::uint64_t keys[kBatch];
    const std::uint32_t found = core_.receive_queue.pop(keys);
    for (std::uint32_t i = 0; i < found; ++i) visit(ConnectionKey::unpack(keys[i]));
    for (const auto& inbox : core_.inboxes) inbox->publish();
    return found != 0 || resumed;
  }

  // What step() would find, for the thread that is about to sleep.
  bool ready() {
    if (core_.stopping.load(std::memory_order_seq_cst) || core_.receive_queue.can_pop()) return true;
    for (std::size_t i = 0; i < room_waiting_.size(); ++i) {
      if (!room_waiting_[i].empty() && !core_.inboxes[i]->starving()) return true;
    }
    return false;
  }

  // How long the thread may sleep: memory comes back without anybody's saying so.
  std::int64_t sleep_ns() const { return memory_waiting_.empty() ? -1 : kMemoryRetryNs; }

 private:
  static constexpr std::uint32_t kBatch = 64;
  static constexpr std::uint32_t kPublishAt = 128;
  static constexpr std::uint32_t kMinRoom = 16 * 1024;
  static constexpr std::uint32_t kCopyDownBytes = 4096;
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
      drop_kept(c);
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
    drop_kept(c);
    if (!say(c, inbox, kInClose, static_cast<std::uint32_t>(reason))) return wait_for_room(c, inbox);
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

  // Connections that waited for room, where there is room now (starve() is announced again while some
  // still wait), and those that waited for memory. True: there were some.
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
    for (; n < kBatch && !memory_waiting_.empty() && take_read_block(); ++n) resume(memory_waiting_);
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
      drop_kept(c);
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
    const std::int64_t until_ns =
        core_.options.read_budget_us == 0
            ? INT64_MAX
            : monotonic_ns() + std::int64_t{core_.options.read_budget_us} * 1000;
    for (;;) {
      if (inbox.room() == 0) return wait_for_room(c, inbox);
      std::uint32_t asked = 0;
      const ssize_t got = receive_once(c, inbox, budget, asked);
      if (got == kNoMemory) return wait_for_memory(c, inbox);
      if (got == kClosed) return finish(c, inbox);
      if (got == 0) return end_of_input(c, inbox);
      if (got < 0) {
        if (errno == EINTR) continue;
        if (errno == EAGAIN || errno == EWOULDBLOCK) return Outcome::kDone;
        core_.close(c, CloseReason::kReset);
        return finish(c, inbox);
      }
      c.touch(now_ms_);
      if (!c.first_byte.load(std::memory_order_relaxed)) c.first_byte.store(true, std::memory_order_relaxed);
      c.bytes_read.fetch_add(static_cast<std::uint64_t>(got), std::memory_order_relaxed);
      count(core_.counters.bytes_read, static_cast<std::uint64_t>(got));
      if (c.receive.ended) return tell_end(c, inbox);
      if (c.receive.unparsed) return wait_for_room(c, inbox);
      if (core_.table.closing(c)) return finish(c, inbox);
      if (over_limit(c)) return Outcome::kDone;
      // A short read drained the socket: the next byte brings an edge.
      if (static_cast<std::uint32_t>(got) < asked && !c.receive.last_bytes) return Outcome::kDone;
      budget -= std::min(budget, static_cast<std::uint32_t>(got));
      if (budget == 0 || (until_ns != INT64_MAX && monotonic_ns() >= until_ns)) {
        return Outcome::kContinue;
      }
    }
  }

  static constexpr ssize_t kNoMemory = -2;
  static constexpr ssize_t kClosed = -3;

  // One recv, and the frames in what came.
  ssize_t receive_once(Connection& c, Inbox& inbox, std::uint32_t budget, std::uint32_t& asked) {
    const int fd = static_cast<int>(c.key.fd);
    const std::uint32_t kept = c.receive.end - c.receive.begin;
    if (c.receive.block == kNoBlock || kept <= kCopyDownBytes) {
      if (!take_read_block()) return kNoMemory;
      std::uint8_t* at = core_.store.data(block_ + used_);
      asked = std::min(budget, read_room() - kept);
      if (kept != 0) std::memcpy(at, kept_bytes(c), kept);
      const ssize_t got = ::recv(fd, at + kept, asked, 0);
      if (got <= 0) return got;
      drop_kept(c);
      const std::uint32_t begin = used_;
      const std::uint32_t end = used_ + kept + static_cast<std::uint32_t>(got);
      used_ = end;
      return parse(c, inbox, block_, begin, end, kReadBlockBytes, used_) ? got : kClosed;
    }
    const std::uint32_t block_bytes = static_cast<std::uint32_t>(core_.store.block_bytes(c.receive.block));
    if (c.receive.end + kPartsSlack >= block_bytes && !grow(c)) return kClosed;
    const std::uint32_t bytes = static_cast<std::uint32_t>(core_.store.block_bytes(c.receive.block));
    asked = std::min(budget, bytes - kPartsSlack - c.receive.end);
    const ssize_t got = ::recv(fd, core_.store.data(c.receive.block + c.receive.end), asked, 0);
    if (got <= 0) return got;
    c.receive.end += static_cast<std::uint32_t>(got);
    return parse_own(c, inbox) ? got : kClosed;
  }

  // Parts tables stand behind the bytes of a block: 8 bytes for an argument of 6 bytes or more.
  static constexpr std::uint32_t kPartsSlack = 128;
  std::uint32_t read_room() const {
    const std::uint32_t room = kReadBlockBytes - used_;
    return core_.framing.max_parts() == 0 ? room : room / 2;
  }

  bool take_read_block() {
    if (block_ != kNoBlock) {
      // Nobody else holds it: start again at its hot beginning.
      if (core_.store.unique(block_)) used_ = 0;
      if (kReadBlockBytes - used_ >= kMinRoom) return true;
      core_.store.release(block_);
    }
    block_ = core_.store.allocate(kReadBlockBytes);
    used_ = 0;
    return block_ != kNoBlock;
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

  // --- Frames ------------------------------------------------------------------------------------

  Outcome parse_kept(Connection& c, Inbox& inbox) {
    if (!parse_own(c, inbox)) return finish(c, inbox);
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

  // Frames in the connection's own block, which goes with them; the tail gets a new one.
  bool parse_own(Connection& c, Inbox& inbox) {
    const std::uint32_t block = c.receive.block;
    const std::uint32_t begin = c.receive.begin;
    const std::uint32_t end = c.receive.end;
    const std::uint32_t bytes = static_cast<std::uint32_t>(core_.store.block_bytes(block));
    c.receive.block = kNoBlock;
    c.receive.begin = c.receive.end = 0;
    std::uint32_t used = end;
    core_.store.unhold(bytes);
    own_block_ = block;
    const bool open = parse(c, inbox, block, begin, end, bytes, used);
    if (c.receive.block != block) core_.store.release(block);
    own_block_ = kNoBlock;
    return open;
  }

  // Stages the frames of [begin, end) in `block`; parts tables go behind `used`. What is left over
  // becomes the connection's own, and where there was nothing else `used` goes back to `begin`: a
  // byte at a time would fill blocks with copies. False when it had to be closed.
  bool parse(Connection& c, Inbox& inbox, std::uint32_t block, std::uint32_t begin, std::uint32_t end,
             std::uint32_t block_bytes, std::uint32_t& used) {
    std::uint32_t staged = 0;
    std::uint32_t bytes = 0;
    std::uint32_t needed = 0;
    std::uint32_t room = inbox.room();
    const std::uint32_t start = begin;
    bool incomplete = false;
    while (begin < end) {
      if (room == 0) {
        c.receive.unparsed = true;
        break;
      }
      const std::uint32_t parts_at = (used + 3) & ~std::uint32_t{3};
      Part* parts = reinterpret_cast<Part*>(core_.store.data(block + parts_at));
      const std::uint32_t parts_room =
          parts_at < block_bytes ? (block_bytes - parts_at) / static_cast<std::uint32_t>(sizeof(Part)) : 0;
      Frame frame;
      FrameError error = FrameError::kNone;
      const ScanResult result =
          core_.framing.next(core_.store.data(block + begin), end - begin, c.receive.framing,
                             std::span<Part>(parts, parts_room), frame, needed, error);
      if (result == ScanResult::kIncomplete) {
        incomplete = true;
        break;
      }
      if (result == ScanResult::kSkipped) {
        begin += frame.end;
        continue;
      }
      if (result == ScanResult::kError) {
        c.receive.ended = true;
        c.receive.error = static_cast<std::uint32_t>(error);
        break;
      }
      if (result == ScanResult::kPartsFull) {
        if (!stage_moved(c, inbox, block + begin, frame)) {
          if (staged != 0) core_.store.reference(block, staged);
          c.unhandled_bytes.fetch_add(bytes, std::memory_order_relaxed);
          core_.close(c, CloseReason::kOverload);
          return false;
        }
      } else {
        const std::uint32_t exact =
            core_.framing.echo_is_exact(frame) ? std::uint32_t{kInExactEcho} : 0;
        inbox.stage() = {c.key.fd,           c.key.sequence,
                         block + begin + frame.begin, frame.length,
                         kInMessage | exact, block + parts_at,
                         frame.part_count,   block};
        if (frame.part_count != 0) {
          used = parts_at + frame.part_count * static_cast<std::uint32_t>(sizeof(Part));
        }
        ++staged;
      }
      begin += frame.end;
      bytes += frame.length;
      --room;
    }
    if (staged != 0) core_.store.reference(block, staged);
    if (bytes != 0) c.unhandled_bytes.fetch_add(bytes, std::memory_order_relaxed);
    if (inbox.staged() >= kPublishAt) inbox.publish();
    if (staged == 0) used = start;
    if (begin == end || c.receive.ended) return true;
    if (!keep(c, block, begin, end, incomplete ? needed : 0)) {
      core_.close(c, CloseReason::kOverload);
      return false;
    }
    return true;
  }

  // A frame whose parts table does not fit behind it moves to a block of its own, table first.
  bool stage_moved(Connection& c, Inbox& inbox, std::uint32_t from, Frame& frame) {
    const std::uint32_t table = frame.part_count * static_cast<std::uint32_t>(sizeof(Part));
    const std::uint32_t size = frame.end;
    const std::uint32_t block = core_.store.allocate(table + size);
    if (block == kNoBlock) return false;
    std::uint8_t* bytes = core_.store.data(block + table);
    std::memcpy(bytes, core_.store.data(from), size);
    std::uint32_t needed = 0;
    FrameError error = FrameError::kNone;
    Part* parts = reinterpret_cast<Part*>(core_.store.data(block));
    const ScanResult result =
        core_.framing.next(bytes, size, c.receive.framing,
                           std::span<Part>(parts, frame.part_count), frame, needed, error);
    if (result != ScanResult::kFrame) {
      core_.store.release(block);
      return false;
    }
    inbox.stage() = {c.key.fd,   c.key.sequence, block + table + frame.begin, frame.length,
                     kInMessage, block,          frame.part_count,            block};
    return true;
  }

  // Makes [begin, end) of a block the connection's own: by staying in its own block when nothing of
  // that was handed on, else by copying into the smallest block that fits.
  bool keep(Connection& c, std::uint32_t block, std::uint32_t begin, std::uint32_t end,
            std::uint32_t needed) {
    const std::uint32_t size = end - begin;
    if (block == own_block_ && core_.store.unique(block)) {
      if (!core_.store.hold(core_.store.block_bytes(block))) return false;
      c.receive.block = block;
      c.receive.begin = begin;
      c.receive.end = end;
      return true;
    }
    const std::uint32_t wanted = wanted_bytes(size, needed);
    const std::uint32_t own = core_.store.allocate_held(wanted);
    if (own == kNoBlock) return false;
    std::memcpy(core_.store.data(own), core_.store.data(block + begin), size);
    c.receive.block = own;
    c.receive.begin = 0;
    c.receive.end = size;
    return true;
  }

  // Memory follows what a peer has really sent, not what it announces: at most twice as much.
  static std::uint32_t wanted_bytes(std::uint32_t size, std::uint32_t needed) {
    if (size <= kCopyDownBytes && needed <= kReadBlockBytes / 2) return size;
    return std::max(size, std::min(needed, size * 2)) + kPartsSlack * 2;
  }

  // The connection's block is full: a larger one, with the bytes moved to its start.
  bool grow(Connection& c) {
    const std::uint32_t size = c.receive.end - c.receive.begin;
    const std::uint32_t own = core_.store.allocate_held(size * 2 + kPartsSlack * 2);
    if (own == kNoBlock) {
      core_.close(c, CloseReason::kOverload);
      return false;
    }
    std::memcpy(core_.store.data(own), kept_bytes(c), size);
    drop_kept(c);
    c.receive.block = own;
    c.receive.end = size;
    return true;
  }

  const std::uint8_t* kept_bytes(Connection& c) {
    return core_.store.data(c.receive.block + c.receive.begin);
  }

  void drop_kept(Connection& c) {
    if (c.receive.block != kNoBlock) core_.store.release_held(c.receive.block);
    c.receive.block = kNoBlock;
    c.receive.begin = c.receive.end = 0;
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
    drop_kept(c);
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
  std::uint32_t block_ = kNoBlock;      // the shared read block
  std::uint32_t used_ = 0;              // bytes of it in use
  std::uint32_t own_block_ = kNoBlock;  // while parse() works on a connection's own block
  std::vector<WaitingList> room_waiting_;  // for each worker
  WaitingList memory_waiting_;
  std::int64_t memory_retry_ns_ = 0;
  std::uint64_t now_ms_ = 0;
};

}  // namespace millrace
