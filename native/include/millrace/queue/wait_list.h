#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

#include "millrace/base/cache_line.h"
#include "millrace/base/doorbell.h"

namespace millrace {

// One that waits: a thread that sleeps, or an event loop with something pending. Its owner's thread
// alone uses it, and has left the list before it goes; the bell may be rung a little later still.
struct Waiter {
  explicit Waiter(std::shared_ptr<Doorbell> rung) : bell(std::move(rung)) {}

  const std::shared_ptr<Doorbell> bell;

  // It has entered since it last settled.
  bool waits() const noexcept { return ticket_ != 0; }

 private:
  friend class WaitList;
  std::uint64_t ticket_ = 0;  // 0: none
  bool listed_ = false;
  Waiter* next_ = nullptr;
};

// Those that wait for one thing of a queue (a message, or room), in the order in which they came.
// Any thread may call anything; a waiter is listed by its own. Owns nothing. Costs one locked
// instruction where nobody waits, and a mutex and a ring where somebody does.
//
// No wake-up is lost: every change of listed_ is a read-modify-write, so they have one order. A
// waiter enters, and then tries again before it sleeps; the other side does its work, and then asks
// whether somebody is listed. Whichever comes second sees the other. Who was woken is not listed
// any more: it tries, and enters again in its old place, or settles. Because it may be gone before
// it tries, and because one wake-up may stand for many messages, whoever settles must wake the
// next if there is more.
class WaitList {
 public:
  WaitList() = default;
  WaitList(const WaitList&) = delete;
  WaitList& operator=(const WaitList&) = delete;

  // In the place of the first time since it settled. REQUIRES: then try again before sleeping.
  void enter(Waiter& waiter) {
    const std::lock_guard guard(lock_);
    if (waiter.listed_) return;
    if (waiter.ticket_ == 0) waiter.ticket_ = ++last_ticket_;
    Waiter** place = &first_;
    while (*place != nullptr && (*place)->ticket_ < waiter.ticket_) place = &(*place)->next_;
    waiter.next_ = *place;
    *place = &waiter;
    waiter.listed_ = true;
    // Seq_cst: pairs with wake_one() and wake_one_published().
    listed_.fetch_add(1, std::memory_order_seq_cst);
  }

  // It got what it wanted, or wants it no more. REQUIRES: wake_one() if there is more to get.
  void settle(Waiter& waiter) {
    const std::lock_guard guard(lock_);
    waiter.ticket_ = 0;
    if (!waiter.listed_) return;
    Waiter** place = &first_;
    while (*place != &waiter) place = &(*place)->next_;
    unlist(place);
  }

  // After what they wait for was published, in whatever way a second try can see.
  void wake_one() {
    // Seq_cst: pairs with enter(). Not a load: it must not pass the publishing store.
    if (listed_.fetch_add(0, std::memory_order_seq_cst) != 0) wake_first();
  }

  // wake_one() without a write while nobody waits. REQUIRES: what they wait for was published by a
  // seq_cst read-modify-write, and a try looks for it with a seq_cst load.
  void wake_one_published() {
    // Seq_cst: pairs with enter().
    if (listed_.load(std::memory_order_seq_cst) != 0) wake_first();
  }

  void wake_all() {
    while (wake_first()) {
    }
  }

 private:
  bool wake_first() {
    std::shared_ptr<Doorbell> bell;
    {
      const std::lock_guard guard(lock_);
      if (first_ == nullptr) return false;
      bell = first_->bell;
      unlist(&first_);
    }
    bell->ring();
    return true;
  }

  void unlist(Waiter** place) {
    Waiter* const waiter = *place;
    *place = waiter->next_;
    waiter->listed_ = false;
    // Seq_cst: pairs with wake_one(), as every change of this word does.
    listed_.fetch_sub(1, std::memory_order_seq_cst);
  }

  // Asked by everybody; the lock and the list are for those who found somebody in it.
  alignas(kCacheLineBytes) std::atomic<std::uint32_t> listed_{0};
  alignas(kCacheLineBytes) std::mutex lock_;
  Waiter* first_ = nullptr;
  std::uint64_t last_ticket_ = 0;
};

}  // namespace millrace
