#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <vector>

#include "millrace/base/clock.h"
#include "millrace/server/outbound.h"
#include "millrace/server/pipeline_core.h"

namespace millrace {

// A JavaScript thread's end of one worker's inbox: batches in, operations out, and the accounts
// between them. Everything here happens on that thread; a successor on another thread takes over
// when it is gone. Owns its place as the inbox's consumer, an outbox, and the frames that outlive
// their batch.
class Consumer {
 private:
  struct Parked {
    std::uint32_t block;
    std::uint32_t charged;  // bytes of unhandled_bytes and of held memory
    ConnectionKey key;
  };

 public:
  static constexpr std::uint32_t kBatch = 256;
  static constexpr std::uint32_t kNoHandle = 0xffffffffu;

  Consumer(PipelineCore& core, std::uint32_t worker)
      : core_(core), inbox_(*core.inboxes[worker]), worker_(worker), outbound_(core) {}
  Consumer(const Consumer&) = delete;
  Consumer& operator=(const Consumer&) = delete;

  // False: another consumer is attached, or there is no memory for output blocks.
  bool attach() {
    bool expected = false;
    if (!inbox_.consumed.compare_exchange_strong(expected, true, std::memory_order_acq_rel)) {
      return false;
    }
    if (!outbound_.open(inbox_.memory(), inbox_.operations(), &inbox_.outbox)) {
      inbox_.consumed.store(false, std::memory_order_release);
      return false;
    }
    return true;
  }

  // The thread ends, perhaps in the middle of a batch. What it had begun is settled so that its
  // successor finds whole messages only: output of messages before the running one is sent, the
  // running one fails and its connection closes behind that, as do those with unsettled handlers;
  // the rest stays in the ring, in order.
  void detach(CloseReason reason) {
    if (!attached()) return;
    bool starved = inbox_.batch.count != 0 && abandon_batch(reason);
    for (Parked& parked : parked_) {
      if (parked.block == kNoBlock) continue;
      close(parked.key, reason);
      let_go(parked);
    }
    parked_.clear();
    free_handles_.clear();
    outbound_.flush();
    starved |= inbox_.abandon(0, 0);
    if (starved) core_.receiver_parker.unpark();
    outbound_.close();
    inbox_.consumed.store(false, std::memory_order_release);
  }

  bool attached() const { return outbound_.is_open(); }

  // Connections that the predecessor had opened, for JavaScript to know again.
  template <class Visit>
  void for_each_open(Visit&& visit) {
    for (std::uint32_t fd = 0; fd < core_.table.descriptors(); ++fd) {
      Connection* c = core_.table.pin_current(fd);
      if (c == nullptr) continue;
      if (c->worker.load(std::memory_order_relaxed) == worker_ &&
          c->opened.load(std::memory_order_relaxed)) {
        take_over(*c);
        if (!core_.table.closing(*c)) visit(*c);
      }
      core_.table.unpin(*c);
    }
  }

  // What the thread before barred is barred no more: nobody else would lift it. A connection whose
  // async handler went with that thread closes.
  void take_over(Connection& c) {
    constexpr std::uint32_t kBars = kPauseUser | kPauseWrite | kPauseAsync;
    if ((c.paused.fetch_and(~kBars, std::memory_order_seq_cst) & kPauseAsync) != 0) {
      core_.close(c, inbox_.end_reason.load(std::memory_order_relaxed));
    }
    core_.queue_receive(c.key);
  }

  // The next batch: its first ring position, and how many descriptors. 0: none, or the last one was
  // not ended: a thread that is being terminated may come here again before its detach().
  std::uint32_t begin_batch(std::uint64_t& first) {
    if (inbox_.batch.count != 0) return 0;
    const std::uint32_t count = std::min(inbox_.readable(), kBatch);
    first = inbox_.read_position();
    if (count == 0) return 0;
    inbox_.batch.first = first;
    inbox_.batch.count = count;
    accounted_before_ = accounted();
    // Nothing of it is begun until JavaScript says so, and what stands in the list is finished.
    inbox_.control(kControlRunning) = static_cast<std::uint32_t>(first) - 1;
    inbox_.control(kControlOutMark) = inbox_.control(kControlOpCount);
    inbox_.control(kControlOutMarkBytes) = UINT32_MAX;
    inbox_.control(kControlState) = 1;
    inbox_.batch.since_ns.store(monotonic_ns(), std::memory_order_relaxed);
    return count;
  }

  // JavaScript came back from the batch.
  void end_batch() {
    inbox_.batch.since_ns.store(0, std::memory_order_relaxed);
    inbox_.control(kControlState) = 0;
    const std::uint32_t count = inbox_.batch.count;
    inbox_.batch.count = 0;
    outbound_.flush();
    finish_descriptors(inbox_.read_position(), count);
    if (inbox_.release(count)) core_.receiver_parker.unpark();
  }

  // Hands over the operations in the list, and takes over JavaScript's counts.
  void flush() {
    outbound_.flush();
    if (inbox_.batch.count == 0) inbox_.release(0);
  }

  bool try_sleep() { return inbox_.try_sleep(); }

  // For a worker that will not come back: its connections close, and what stands in its ring fails.
  // Close events follow, so this is called again until nothing is left.
  void discard(CloseReason reason) {
    inbox_.abandoned.store(true, std::memory_order_relaxed);
    for (std::uint32_t fd = 0; fd < core_.table.descriptors(); ++fd) {
      Connection* c = core_.table.pin_current(fd);
      if (c == nullptr) continue;
      if (c->worker.load(std::memory_order_relaxed) == worker_) core_.close(*c, reason);
      core_.table.unpin(*c);
    }
    std::uint64_t first = 0;
    while (const std::uint32_t count = begin_batch(first)) {
      for (std::uint32_t i = 0; i < count; ++i) {
        if (Inbox::is_message(inbox_.at(first + i))) ++inbox_.control(kControlFailed);
      }
      end_batch();
    }
  }

  // --- Frames that outlive their batch (async handlers, and those that wait behind one) ----------

  // Gives the frame at a ring position of the present batch a block of its own, which is held and
  // charged whole to the connection; kNoHandle without memory. Its parts stand behind its bytes.
  std::uint32_t park(std::uint64_t position, std::uint32_t& offset, std::uint32_t& parts) {
    if (parked_.size() - free_handles_.size() >= most_parked(inbox_.capacity())) return kNoHandle;
    InboundDescriptor& d = inbox_.at(position);
    const std::uint32_t table = d.part_count * static_cast<std::uint32_t>(sizeof(Part));
    const std::uint32_t at = (d.length + 3) & ~std::uint32_t{3};
    std::uint32_t block = d.block;
    if (core_.store.block_bytes(d.block) <= 2 * std::size_t{at + table}) {
      // It has a block of its own already.
      if (!core_.store.hold(core_.store.block_bytes(block))) return kNoHandle;
      core_.store.reference(block);
      offset = d.offset;
      parts = d.parts;
    } else {
      block = core_.store.allocate_held(at + table);
      if (block == kNoBlock) return kNoHandle;
      std::memcpy(core_.store.data(block), core_.store.data(d.offset), d.length);
      std::memcpy(core_.store.data(block + at), core_.store.data(d.parts), table);
      offset = block;
      parts = block + at;
    }
    // Whoever reads the ledger looks at it.
    std::atomic_ref<std::uint32_t>(d.kind).fetch_or(kInParked, std::memory_order_relaxed);
    const auto charged = static_cast<std::uint32_t>(core_.store.block_bytes(block));
    const Parked parked{block, charged, {d.fd, d.sequence}};
    charge(parked.key, charged - std::min(charged, d.length));
    if (free_handles_.empty()) {
      parked_.push_back(parked);
      return static_cast<std::uint32_t>(parked_.size() - 1);
    }
    const std::uint32_t handle = free_handles_.back();
    free_handles_.pop_back();
    parked_[handle] = parked;
    return handle;
  }

  // The block of a parked frame, for an operation that sends it as it is.
  std::uint32_t parked_block(std::uint32_t handle) const {
    return handle < parked_.size() ? parked_[handle].block : kNoBlock;
  }

  void unpark(std::uint32_t handle) {
    if (handle >= parked_.size() || parked_[handle].block == kNoBlock) return;
    let_go(parked_[handle]);
    parked_[handle].block = kNoBlock;
    free_handles_.push_back(handle);
  }

  // Frames that wait for async handlers at a time, and what keeping account of them takes.
  static constexpr std::uint32_t most_parked(std::uint32_t inbox_capacity) {
    return 4 * inbox_capacity;
  }
  static constexpr std::size_t bytes(std::uint32_t inbox_capacity) {
    return most_parked(inbox_capacity) * (sizeof(Parked) + sizeof(std::uint32_t));
  }

  Inbox& inbox() { return inbox_; }
  Outbound& outbound() { return outbound_; }
  PipelineCore& core() { return core_; }

 private:
  void charge(ConnectionKey key, std::uint32_t bytes) {
    Connection* c = core_.table.pin(key, true);
    if (c == nullptr) return;
    c->unhandled_bytes.fetch_add(bytes, std::memory_order_relaxed);
    core_.table.unpin(*c);
  }

  void let_go(const Parked& parked) {
    settle(parked.key, parked.charged);
    core_.store.release_held(parked.block);
  }

  // Gives back what `count` descriptors held: blocks by runs, unhandled bytes by connection, and
  // the lives of closed connections.
  void finish_descriptors(std::uint64_t first, std::uint32_t count) {
    std::uint32_t block = kNoBlock;
    std::uint32_t references = 0;
    ConnectionKey key;
    std::uint32_t bytes = 0;
    for (std::uint32_t i = 0; i < count; ++i) {
      const InboundDescriptor& d = inbox_.at(first + i);
      if (d.block != block) {
        if (block != kNoBlock) core_.store.release(block, references);
        block = d.block;
        references = 0;
      }
      ++references;
      const ConnectionKey owner{d.fd, d.sequence};
      if (!(owner == key)) {
        if (bytes != 0) settle(key, bytes);
        key = owner;
        bytes = 0;
      }
      switch (d.kind & 0xff) {
        case kInMessage:
          bytes += (d.kind & kInParked) == 0 ? d.length : 0;
          break;
        case kInOpen:
          note_opened(owner);
          break;
        case kInClose:
          if (bytes != 0) settle(key, bytes);
          bytes = 0;
          end_life(owner);
          break;
        default:
          break;
      }
    }
    if (bytes != 0) settle(key, bytes);
    if (block != kNoBlock) core_.store.release(block, references);
  }

  // Messages of this many bytes are handled. seq_cst: pairs with Receiver::over_limit().
  void settle(ConnectionKey key, std::uint32_t bytes) {
    Connection* c = core_.table.pin(key, true);
    if (c == nullptr) return;
    const std::uint32_t left =
        c->unhandled_bytes.fetch_sub(bytes, std::memory_order_seq_cst) - bytes;
    if (left <= core_.options.high_water_bytes &&
        (c->paused.load(std::memory_order_seq_cst) & kPauseUnhandled) != 0) {
      core_.resume(*c, kPauseUnhandled);
    }
    core_.table.unpin(*c);
  }

  void note_opened(ConnectionKey key) {
    Connection* c = core_.table.pin(key, true);
    if (c == nullptr) return;
    c->opened.store(true, std::memory_order_relaxed);
    core_.table.unpin(*c);
  }

  void end_life(ConnectionKey key) {
    Connection* c = core_.table.pin(key, true);
    if (c == nullptr) return;
    c->opened.store(false, std::memory_order_relaxed);
    core_.table.unpin(*c);
    core_.table.unpin(*c);  // the pin of its life
  }

  // Behind the output that stands in the list: what was answered is sent.
  void close(ConnectionKey key, CloseReason reason) {
    outbound_.append(
        {key.fd, key.sequence, 0, 0, kOutEnd, static_cast<std::uint32_t>(reason), 1, kNoBlock});
  }

  // JavaScript wrote the position that it came to before each message, and how many operations
  // stood in the list: both survive its end. True: the receiver waits for room.
  bool abandon_batch(CloseReason reason) {
    const std::uint64_t first = inbox_.batch.first;
    const std::uint32_t begun =
        std::min(inbox_.control(kControlRunning) - static_cast<std::uint32_t>(first) + 1,
                 inbox_.batch.count);
    inbox_.batch.count = 0;
    inbox_.batch.since_ns.store(0, std::memory_order_relaxed);
    inbox_.control(kControlState) = 0;
    std::uint32_t messages = 0;
    for (std::uint32_t i = 0; i < begun; ++i) {
      messages += Inbox::is_message(inbox_.at(first + i)) ? 1 : 0;
    }
    // JavaScript accounts for each message when its handler returns, so what is missing is the
    // running one, unless it ended between that and the next.
    const std::uint32_t missing = messages - (accounted() - accounted_before_);
    const std::uint32_t lost = missing <= messages ? missing : 0;
    const InboundDescriptor& running = inbox_.at(first + begun - 1);
    // What a finished message wrote is behind the mark, too: that moves when the next one begins.
    const bool finished = begun == 0 || (Inbox::is_message(running) && lost == 0);
    if (!finished) {
      outbound_.cut(inbox_.control(kControlOutMark), inbox_.control(kControlOutMarkBytes));
      // Also for a lost event: without an end of input, say, the connection would have no end.
      if ((running.kind & 0xff) != kInClose) close({running.fd, running.sequence}, reason);
    }
    outbound_.flush();
    finish_descriptors(first, begun);
    return inbox_.abandon(begun, lost);
  }

  std::uint32_t accounted() {
    return inbox_.control(kControlHandled) + inbox_.control(kControlFailed) +
           inbox_.control(kControlDropped) + inbox_.control(kControlHeld);
  }

  PipelineCore& core_;
  Inbox& inbox_;
  const std::uint32_t worker_;
  Outbound outbound_;
  std::uint32_t accounted_before_ = 0;
  std::vector<Parked> parked_;
  std::vector<std::uint32_t> free_handles_;
};

}  // namespace millrace
