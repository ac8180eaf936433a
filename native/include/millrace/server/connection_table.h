#pragma once

#include <sys/mman.h>

#include <atomic>
#include <cstdint>
#include <memory>

#include "millrace/base/system_error.h"
#include "millrace/memory/object_pool.h"
#include "millrace/server/admission.h"
#include "millrace/server/connection.h"

namespace millrace {

// Connections by (descriptor, sequence). Descriptors are small and dense, so an array indexed by
// descriptor whose slot carries the sequence is a perfect hash of the key: one load to find, and a
// stale key finds nothing. The slot's word
//
//    63           32  31        30            0
//   ┌───────────────┬─────────┬───────────────┐
//   │   sequence    │ closing │     pins      │     0: free
//   └───────────────┴─────────┴───────────────┘
//
// changes only by compare-and-swap: "look at the sequence, then count" in two steps would race with
// the close. One pin belongs to the connection's life, and goes when its worker has taken the close
// event; the others belong to stages for as long as they touch the record. The last unpin releases;
// from then on the key finds nothing, although the slot carries its sequence until forget().
//
// Any thread may pin, unpin and close. It owns the slots and the records, not the descriptors: the
// Releaser closes those. All operations are O(1) and allocate nothing.
class ConnectionTable {
 public:
  struct Slot {
    std::atomic<std::uint64_t> word{0};
    std::atomic<std::uint32_t> record{0};
    Admission receive;
    Admission send;
    std::atomic<bool> blocked{false};  // the sender waits for this descriptor's EPOLLOUT edge
  };

  // Called with the last unpin; must free what the record owns, and may not pin it again.
  class Releaser {
   public:
    virtual void release(Connection& connection) = 0;

   protected:
    ~Releaser() = default;
  };

  ConnectionTable(std::uint32_t descriptors, std::uint32_t max_connections, Releaser& releaser)
      : descriptors_(descriptors), max_connections_(max_connections), releaser_(releaser) {}
  ConnectionTable(const ConnectionTable&) = delete;
  ConnectionTable& operator=(const ConnectionTable&) = delete;
  ~ConnectionTable() {
    if (slots_ != nullptr) ::munmap(slots_, descriptors_ * sizeof(Slot));
  }

  static std::size_t bytes(std::uint32_t descriptors, std::uint32_t max_connections) {
    return descriptors * sizeof(Slot) + ObjectPool<Connection>::bytes(max_connections);
  }

  SystemError open() {
    // Zeroed pages are valid slots: every member's initial value is all zero bits.
    void* memory = ::mmap(nullptr, descriptors_ * sizeof(Slot), PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return last_system_error("mmap");
    slots_ = static_cast<Slot*>(memory);
    return pool_.open(max_connections_);
  }

  // One thread (the acceptor): a fresh record for this descriptor, not yet findable; nullptr when
  // `max_connections` are in use. REQUIRES: fd < descriptors().
  Connection* claim(int fd) {
    const std::uint32_t index = pool_.acquire();
    if (index == kNoObject) return nullptr;
    Connection& connection = *new (&pool_.at(index)) Connection();
    if (++sequence_ == 0) sequence_ = 1;
    connection.key = {static_cast<std::uint32_t>(fd), sequence_};
    connection.record = index;
    slots_[fd].blocked.store(false, std::memory_order_relaxed);
    slots_[fd].record.store(index, std::memory_order_relaxed);
    return &connection;
  }

  // Gives a claimed record back that was never published.
  void abandon(Connection& connection) { pool_.release(connection.record); }

  // Makes a claimed record findable, with the pin of its life, and more if the caller goes on with
  // it: from here on others may close and release it.
  void publish(Connection& connection, std::uint32_t pins = 1) {
    open_.fetch_add(1, std::memory_order_relaxed);
    // release: pairs with the acquire of pin().
    slots_[connection.key.fd].word.store(word_of(connection.key.sequence) | pins,
                                         std::memory_order_release);
  }

  // The record of a key, pinned; nullptr when the key is stale, or closing (unless `closing_too`).
  Connection* pin(ConnectionKey key, bool closing_too = false) {
    if (key.fd >= descriptors_) return nullptr;
    Slot& slot = slots_[key.fd];
    std::uint64_t word = slot.word.load(std::memory_order_acquire);
    do {
      if (sequence_of(word) != key.sequence || (word & kPins) == 0) return nullptr;
      if ((word & kClosing) != 0 && !closing_too) return nullptr;
    } while (!slot.word.compare_exchange_weak(word, word + 1, std::memory_order_acq_rel,
                                              std::memory_order_acquire));
    return &pool_.at(slot.record.load(std::memory_order_relaxed));
  }

  // As pin(), whatever connection the descriptor has now.
  Connection* pin_current(std::uint32_t fd) {
    if (fd >= descriptors_) return nullptr;
    const std::uint64_t word = slots_[fd].word.load(std::memory_order_acquire);
    return word == 0 ? nullptr : pin({fd, sequence_of(word)}, true);
  }

  // acq_rel: whoever releases has seen what the others did.
  void unpin(Connection& connection) {
    const std::uint64_t before =
        slots_[connection.key.fd].word.fetch_sub(1, std::memory_order_acq_rel);
    if ((before & kPins) != 1) return;
    releaser_.release(connection);
  }

  // Marks a pinned connection as closing; true for the first who does.
  bool begin_close(Connection& connection, CloseReason reason) {
    Slot& slot = slots_[connection.key.fd];
    const std::uint64_t before = slot.word.fetch_or(kClosing, std::memory_order_acq_rel);
    if ((before & kClosing) != 0) return false;
    // seq_cst: whoever closes admits the key next, and must not be passed by that.
    connection.reason.exchange(reason, std::memory_order_seq_cst);
    return true;
  }

  bool closing(const Connection& connection) const {
    return (slots_[connection.key.fd].word.load(std::memory_order_acquire) & kClosing) != 0;
  }

  // The Releaser's last step but one: the key finds nothing, the record may be claimed again. The
  // descriptor is closed after this, or the kernel could give it out while the slot is taken.
  void forget(Connection& connection) {
    slots_[connection.key.fd].word.store(0, std::memory_order_release);
    open_.fetch_sub(1, std::memory_order_relaxed);
    pool_.release(connection.record);
  }

  Slot& slot(std::uint32_t fd) { return slots_[fd]; }
  std::uint32_t sequence(std::uint32_t fd) const {
    return sequence_of(slots_[fd].word.load(std::memory_order_acquire));
  }
  std::uint32_t descriptors() const { return descriptors_; }
  std::uint32_t open_count() const { return open_.load(std::memory_order_relaxed); }

 private:
  static constexpr std::uint64_t kClosing = std::uint64_t{1} << 31;
  static constexpr std::uint64_t kPins = kClosing - 1;
  static constexpr std::uint64_t word_of(std::uint32_t sequence) {
    return static_cast<std::uint64_t>(sequence) << 32;
  }
  static constexpr std::uint32_t sequence_of(std::uint64_t word) {
    return static_cast<std::uint32_t>(word >> 32);
  }

  const std::uint32_t descriptors_;
  const std::uint32_t max_connections_;
  Releaser& releaser_;
  ObjectPool<Connection> pool_;
  Slot* slots_ = nullptr;
  std::uint32_t sequence_ = 0;
  std::atomic<std::uint32_t> open_{0};
};

}  // namespace millrace
