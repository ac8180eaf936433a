#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>

#include "millrace/base/clock.h"
#include "millrace/base/doorbell.h"
#include "millrace/base/spin_lock.h"
#include "millrace/base/system_error.h"
#include "millrace/concurrent/spsc_cursor.h"
#include "millrace/server/bridge_layout.h"
#include "millrace/server/close_reason.h"
#include "millrace/server/connection_key.h"

namespace millrace {

class Outbox;

// What a moment's look at a worker's messages says. received = handled + failed + dropped +
// in_flight, where in_flight is counted in the ring and among the unsettled handlers, never as the
// difference.
struct MessageLedger {
  std::uint64_t received = 0;
  std::uint64_t handled = 0;
  std::uint64_t failed = 0;
  std::uint64_t dropped = 0;
  std::uint64_t in_flight = 0;
};

// One worker's ring of inbound descriptors, in memory that its JavaScript reads (bridge_layout.h).
// The receiver stages and publishes; one consumer at a time reads and releases. The ring outlives
// its consumer: when a worker dies the next one goes on where it stopped.
//
// A publish rings the doorbell only when the consumer said that it sleeps; a consumer that frees
// room wakes the receiver only when that said that it is short of room.
class Inbox {
 public:
  Inbox(const Inbox&) = delete;
  Inbox& operator=(const Inbox&) = delete;
  ~Inbox() {
    if (memory_ != nullptr) ::munmap(memory_, bytes(cursor_.capacity()));
  }

  // Words: control, list of operations, descriptors.
  static std::size_t bytes(std::uint32_t capacity) {
    return kControlWords * 4 + kOperationListCapacity * sizeof(OutboundOperation) +
           capacity * sizeof(InboundDescriptor);
  }

  explicit Inbox(std::uint32_t capacity) : cursor_(capacity) {}

  SystemError open() {
    void* memory = ::mmap(nullptr, bytes(cursor_.capacity()), PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return last_system_error("mmap");
    memory_ = static_cast<std::uint32_t*>(memory);
    return {};
  }

  std::uint32_t* memory() { return memory_; }
  std::uint32_t& control(ControlWord word) { return memory_[word]; }
  OutboundOperation* operations() {
    return reinterpret_cast<OutboundOperation*>(memory_ + kControlWords);
  }
  InboundDescriptor& at(std::uint64_t position) {
    return reinterpret_cast<InboundDescriptor*>(
        memory_ + kControlWords +
        kOperationListCapacity * (sizeof(OutboundOperation) / 4))[position & cursor_.mask()];
  }

  // Receiver.
  std::uint32_t room() {
    const std::uint32_t wanted = staged_ + 1;
    const std::uint32_t free = cursor_.writable(wanted);
    return free < wanted ? 0 : free - staged_;
  }
  InboundDescriptor& stage() { return at(cursor_.write_position() + staged_++); }
  std::uint32_t staged() const { return staged_; }

  void publish() {
    if (staged_ == 0) return;
    std::uint32_t messages = 0;
    for (std::uint32_t i = 0; i < staged_; ++i) {
      messages += is_message(at(cursor_.write_position() + i)) ? 1 : 0;
    }
    {
      const std::lock_guard guard(ledger_lock_);
      received_ += messages;
      cursor_.publish(staged_);
      high_water_.store(std::max(high_water_.load(std::memory_order_relaxed), cursor_.depth()),
                        std::memory_order_relaxed);
    }
    staged_ = 0;
    // seq_cst: pairs with try_sleep(), which says so first and looks at the ring afterwards.
    if (asleep_.load(std::memory_order_seq_cst) &&
        asleep_.exchange(false, std::memory_order_seq_cst)) {
      doorbell_.ring();
    }
  }

  // Receiver, on finding no room: true when there is some after all. Otherwise the next release()
  // answers true. seq_cst: pairs with release().
  bool starve() {
    starving_.exchange(true, std::memory_order_seq_cst);
    return cursor_.writable(staged_ + 1) > staged_;
  }
  void feed() { starving_.exchange(false, std::memory_order_seq_cst); }
  bool starving() const { return starving_.load(std::memory_order_seq_cst); }

  // Consumer.
  std::uint32_t readable() { return cursor_.readable(cursor_.capacity()); }
  std::uint64_t read_position() const { return cursor_.read_position(); }

  // True: nothing to read, and the next publish rings. seq_cst: pairs with publish().
  bool try_sleep() {
    asleep_.exchange(true, std::memory_order_seq_cst);
    if (cursor_.readable() == 0) return true;
    return !asleep_.exchange(false, std::memory_order_seq_cst);
  }

  // Takes over what JavaScript counted, and gives `count` descriptors back. True: the receiver
  // waits for room and has to be woken.
  bool release(std::uint32_t count) {
    {
      const std::lock_guard guard(ledger_lock_);
      commit();
      if (count != 0) cursor_.release(count);
    }
    return count != 0 && starving_.load(std::memory_order_seq_cst) &&
           starving_.exchange(false, std::memory_order_seq_cst);
  }

  // A dead consumer's unfinished business: `lost` messages that it could not account for, its
  // unsettled ones, `count` descriptors gone.
  bool abandon(std::uint32_t count, std::uint32_t lost) {
    {
      const std::lock_guard guard(ledger_lock_);
      commit();
      failed_ += lost + held_;
      held_ = 0;
      control(kControlHeld) = 0;
      if (count != 0) cursor_.release(count);
    }
    return starving_.exchange(false, std::memory_order_seq_cst);
  }

  // Any thread.
  MessageLedger ledger() {
    const std::lock_guard guard(ledger_lock_);
    MessageLedger ledger{received_, handled_, failed_, dropped_, held_};
    for (std::uint64_t p = cursor_.released(); p != cursor_.published(); ++p) {
      // The consumer may mark it as parked meanwhile.
      const std::atomic_ref<std::uint32_t> kind(at(p).kind);
      ledger.in_flight += (kind.load(std::memory_order_relaxed) & 0xff) == kInMessage ? 1 : 0;
    }
    return ledger;
  }
  std::uint32_t depth() const { return cursor_.depth(); }
  std::uint32_t high_water() const { return high_water_.load(std::memory_order_relaxed); }
  std::uint32_t capacity() const { return cursor_.capacity(); }
  std::uint64_t passed() const { return cursor_.released(); }

  static bool is_message(const InboundDescriptor& descriptor) {
    return (descriptor.kind & 0xff) == kInMessage;
  }

  Doorbell& doorbell() { return doorbell_; }

  // The batch that the consumer is in: set around the call into JavaScript, so that a successor
  // knows what was started.
  struct {
    std::uint64_t first = 0;
    std::uint32_t count = 0;
    std::atomic<std::int64_t> since_ns{0};  // 0: not in JavaScript
  } batch;

  // Why the connections close that a dying worker loses.
  std::atomic<CloseReason> end_reason{CloseReason::kError};

  // Any thread, a hint for reports: whose descriptor JavaScript has been on for a while.
  bool running_key(ConnectionKey& key) {
    if (batch.since_ns.load(std::memory_order_relaxed) == 0) return false;
    const InboundDescriptor& running = at(control(kControlRunning));
    key = {running.fd, running.sequence};
    return true;
  }

  // Connections given to this worker and not closed yet (acceptor counts up, the release down).
  std::atomic<std::uint32_t> connections{0};
  std::atomic<bool> consumed{false};   // a consumer is attached
  std::atomic<bool> abandoned{false};  // no consumer will come: give it no connections

  // Where the last consumer's output went. What the sender has not taken of that must leave before
  // anything of the next one: it takes the same outbox.
  Outbox* outbox = nullptr;

 private:
  void commit() {
    const std::uint32_t handled = control(kControlHandled);
    const std::uint32_t failed = control(kControlFailed);
    handled_ += handled - seen_handled_;
    failed_ += failed - seen_failed_;
    seen_handled_ = handled;
    seen_failed_ = failed;
    const std::uint32_t dropped = control(kControlDropped);
    dropped_ += dropped - seen_dropped_;
    seen_dropped_ = dropped;
    held_ = control(kControlHeld);
  }

  SpscCursor cursor_;
  std::uint32_t* memory_ = nullptr;
  std::uint32_t staged_ = 0;
  std::atomic<bool> asleep_{false};
  std::atomic<bool> starving_{false};
  Doorbell doorbell_;

  SpinLock ledger_lock_;
  std::uint64_t received_ = 0;
  std::uint64_t handled_ = 0;
  std::uint64_t failed_ = 0;
  std::uint64_t dropped_ = 0;
  std::uint32_t held_ = 0;
  std::uint32_t seen_handled_ = 0;
  std::uint32_t seen_failed_ = 0;
  std::uint32_t seen_dropped_ = 0;
  std::atomic<std::uint32_t> high_water_{0};
};

}  // namespace millrace
