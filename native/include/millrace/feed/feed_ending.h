#pragma once

// How a feed ends, and who is told of what has happened (feed.h, which includes this).

#include "millrace/feed/feed.h"

namespace millrace {

inline void Feed::finish(const Aftermath& after) {
  if (after.room && options_.overflow == FeedOverflow::kBlock) room_.open();
  if (after.members) ring_members();
  if (after.observers) ring_observers();
}

// Wakes idle consumers that have something to claim, or, at the end of the feed, to be told.
inline void Feed::ring_members() {
  for (std::uint32_t number = 0; number < FeedSeats::kMaxSeats; ++number) {
    std::shared_ptr<Doorbell> bell;
    {
      const std::lock_guard guard(lock_);
      if (number >= seats_.members()) break;
      FeedConsumer* const member = seats_.member(number);
      if (member == nullptr || !member->idle) continue;
      const bool work = queue_.depth(seats_.sticky() ? number : 0) != 0;
      if (!work && !(closing() && in_flight() == 0)) continue;
      set_idle(*member, false);
      bell = member->bell;
    }
    bell->ring();
  }
  ring_at_end();
}

// Who still waits for the rest of its group is no member, but is told of the end all the same.
inline void Feed::ring_at_end() {
  for (;;) {
    std::shared_ptr<Doorbell> bell;
    {
      const std::lock_guard guard(lock_);
      if (!closing() || in_flight() != 0) return;
      FeedConsumer* one = consumers_;
      while (one != nullptr && !one->idle) one = one->next;
      if (one == nullptr) return;
      set_idle(*one, false);
      bell = one->bell;
    }
    bell->ring();
  }
}

inline void Feed::close() {
  {
    const std::lock_guard guard(lock_);
    // Relaxed: read under the lock where it decides.
    closing_.store(true, std::memory_order_relaxed);
  }
  finish({.room = true, .members = true, .observers = true});
}

inline void Feed::discard(bool leases) {
  Blocks blocks;
  bool discarded = false;
  for (std::uint32_t count = LeaseTable::kMaxRows; count == blocks.size();) {
    count = 0;
    {
      const std::lock_guard guard(lock_);
      discarded_ = discarded_ || leases;
      while (count < blocks.size()) {
        const std::uint32_t entry = queue_.take_oldest();
        if (entry == kNoEntry) break;
        blocks[count++] = queue_.at(entry).block;
        queue_.release(entry);
        ++books_.dropped_closed;
      }
      note_depth();
    }
    free_blocks(blocks, count);
    discarded = discarded || count != 0;
  }
  while (leases && discard_lease()) discarded = true;
  // Observers may be who called: without news they are left alone.
  if (discarded) finish({.room = true, .members = true, .observers = true});
}

// False when no consumer has a lease.
inline bool Feed::discard_lease() {
  Blocks blocks;
  Aftermath after;
  std::uint32_t unused;
  {
    const std::lock_guard guard(lock_);
    FeedConsumer* one = consumers_;
    while (one != nullptr && one->lease_count == 0) one = one->next;
    if (one == nullptr) return false;
    unused = hand_back(*one, true, blocks, after);
    one->ended = true;
  }
  free_blocks(blocks, unused);
  return true;
}

inline void Feed::observe(const std::shared_ptr<Doorbell>& bell) {
  const std::lock_guard guard(observers_lock_);
  observers_.push_back(bell);
}

inline void Feed::unobserve(const Doorbell* bell) {
  const std::lock_guard guard(observers_lock_);
  std::erase_if(observers_,
                [bell](const std::shared_ptr<Doorbell>& one) { return one.get() == bell; });
}

inline void Feed::ring_observers() {
  const std::lock_guard guard(observers_lock_);
  for (const std::shared_ptr<Doorbell>& bell : observers_) bell->ring();
}

inline void Feed::watch_empty(bool watch) {
  // Relaxed: see note_empty().
  watch ? empty_watchers_.fetch_add(1, std::memory_order_relaxed)
        : empty_watchers_.fetch_sub(1, std::memory_order_relaxed);
}

inline bool Feed::empty() const {
  const std::lock_guard guard(lock_);
  return in_flight() == 0;
}

}  // namespace millrace
