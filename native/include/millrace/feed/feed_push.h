#pragma once

// The producers' half of Feed (feed.h, which includes this).

#include <cstring>

#include "millrace/feed/feed.h"

namespace millrace {

inline PushResult Feed::push(const void* bytes, std::uint32_t length, const FeedKey& key) {
  std::int64_t began_ns = 0;
  const PushResult result = take(bytes, length, key, began_ns);
  if (began_ns != 0 && result != PushResult::kFull && PushTimes::sampled(began_ns)) [[unlikely]]
    note_push(began_ns, PushTimes::kSampleEvery);
  return result;
}

inline PushResult Feed::push_again(const void* bytes, std::uint32_t length, const FeedKey& key) {
  std::int64_t unused;
  return take(bytes, length, key, unused);
}

inline void Feed::note_push(std::int64_t began_ns, std::uint32_t weight) {
  if (push_times_.record(began_ns, monotonic_ns(), weight)) ring_observers();
}

// began_ns: when it began, unless it was refused before anything was done.
inline PushResult Feed::take(const void* bytes, std::uint32_t length, const FeedKey& key,
                             std::int64_t& began_ns) {
  if (length > options_.max_message_bytes) return PushResult::kTooLarge;
  if (depth_hint_.load(std::memory_order_relaxed) >= limit_) {
    const PushResult refused = refuse_early();
    if (refused != PushResult::kAccepted) return refused;
  }
  began_ns = monotonic_ns();
  std::uint32_t block = kNoBlock;
  if (length != 0) {
    block = slab_.allocate(length);
    if (block == kNoBlock) [[unlikely]] {
      const PushResult without = find_memory(bytes, length, key, block);
      if (block == kNoBlock) return without;
    }
    std::memcpy(slab_.data(block), bytes, length);
  }
  return admit(block, length, key, began_ns);
}

inline PushResult Feed::push_waiting(const void* bytes, std::uint32_t length, const FeedKey& key,
                                     std::int64_t timeout_ns) {
  std::uint32_t ticket = room_.ticket();
  PushResult result = push(bytes, length, key);
  if (result != PushResult::kFull) return result;
  const std::int64_t began_ns = monotonic_ns();
  while (result == PushResult::kFull) {
    const std::int64_t left = timeout_ns - (monotonic_ns() - began_ns);
    if (timeout_ns >= 0 && left <= 0) {
      give_up();
      result = PushResult::kDropped;
    } else {
      room_.wait(ticket, timeout_ns < 0 ? timeout_ns : left);
      ticket = room_.ticket();
      result = push_again(bytes, length, key);
    }
  }
  note_wait(began_ns);
  return result;
}

inline void Feed::give_up() {
  const std::lock_guard guard(lock_);
  ++books_.offered;
  ++books_.dropped_timeout;
}

// Room for a message comes from claims, room for its bytes from settled batches too.
inline bool Feed::waits_for_itself(std::uint64_t thread) const {
  const std::lock_guard guard(lock_);
  bool mine = false;
  for (std::uint32_t number = 0; number < seats_.members(); ++number) {
    const FeedConsumer* const member = seats_.member(number);
    const bool elsewhere = member == nullptr || member->thread != thread;
    if (elsewhere && (!seats_.sticky() || queue_.depth(number) != 0)) return false;
    mine = mine || !elsewhere;
  }
  if (queue_.depth() >= limit_) return mine;
  for (const FeedConsumer* other = consumers_; other != nullptr; other = other->next) {
    if (other->thread != thread && (other->lease_count != 0 || other->retired_count != 0))
      return false;
  }
  return mine;
}

// The feed looked full: what can be refused without copying it first. kAccepted: go on.
inline PushResult Feed::refuse_early() {
  if (options_.overflow == FeedOverflow::kBlock) {
    return closing() ? PushResult::kAccepted : PushResult::kFull;
  }
  const bool sample = options_.overflow == FeedOverflow::kSample;
  if (!sample && options_.overflow != FeedOverflow::kDropNewest) return PushResult::kAccepted;
  const std::lock_guard guard(lock_);
  if (closing() || queue_.depth() < limit_) return PushResult::kAccepted;
  if (!sample) return count_refused(books_.dropped_newest, PushResult::kDropped);
  if ((sample_tick_ + 1) % options_.sample_every == 0) return PushResult::kAccepted;
  ++sample_tick_;
  return count_refused(books_.dropped_sampled, PushResult::kDropped);
}

// REQUIRES: the lock is held.
inline PushResult Feed::count_refused(std::uint64_t& counter, PushResult result) {
  ++books_.offered;
  ++counter;
  return result;
}

// There is no block for the message. By policy: `block` is set after others have made room, or the
// message has found its end, which is answered.
inline PushResult Feed::find_memory(const void* bytes, std::uint32_t length, const FeedKey& key,
                                    std::uint32_t& block) {
  if (options_.overflow == FeedOverflow::kConflate) return overwrite(bytes, length, key);
  if (options_.overflow == FeedOverflow::kDropOldest) {
    while (block == kNoBlock && drop_oldest()) block = slab_.allocate(length);
    if (block != kNoBlock) return PushResult::kAccepted;
  }
  const std::lock_guard guard(lock_);
  if (closing()) return count_refused(books_.dropped_closed, PushResult::kClosed);
  if (options_.overflow == FeedOverflow::kBlock) return PushResult::kFull;
  return count_refused(books_.dropped_newest, PushResult::kDropped);
}

// Conflating without memory: the value goes into the block of the one that it replaces. Nobody
// reads that one, since no consumer has claimed it; the only copy that is made under the lock.
inline PushResult Feed::overwrite(const void* bytes, std::uint32_t length, const FeedKey& key) {
  const std::lock_guard guard(lock_);
  if (closing()) return count_refused(books_.dropped_closed, PushResult::kClosed);
  const std::uint32_t entry = queue_.find(key);
  if (entry == kNoEntry) return count_refused(books_.dropped_newest, PushResult::kDropped);
  const std::uint32_t block = queue_.at(entry).block;
  if (block == kNoBlock || slab_.block_bytes(block) < length) {
    return count_refused(books_.dropped_newest, PushResult::kDropped);
  }
  std::memcpy(slab_.data(block), bytes, length);
  queue_.exchange(entry, block, length, monotonic_ns() - born_ns_);
  ++books_.accepted;
  return count_refused(books_.conflated, PushResult::kAccepted);
}

// False when nothing waits.
inline bool Feed::drop_oldest() {
  std::uint32_t block;
  Aftermath after;
  {
    const std::lock_guard guard(lock_);
    const std::uint32_t oldest = queue_.take_oldest();
    if (oldest == kNoEntry) return false;
    block = queue_.at(oldest).block;
    queue_.release(oldest);
    ++books_.dropped_oldest;
    note_depth();
    note_empty(after);
  }
  if (block != kNoBlock) slab_.free(block);
  finish(after);
  return true;
}

inline PushResult Feed::admit(std::uint32_t block, std::uint32_t length, const FeedKey& key,
                              std::int64_t began_ns) {
  const std::int64_t received_ns = began_ns - born_ns_;
  std::uint32_t unused = kNoBlock;
  std::shared_ptr<Doorbell> bell;
  PushResult result = PushResult::kAccepted;
  {
    const std::lock_guard guard(lock_);
    std::uint32_t waiting = kNoEntry;
    if (closing()) {
      result = count_refused(books_.dropped_closed, PushResult::kClosed);
    } else if (options_.overflow == FeedOverflow::kConflate &&
               (waiting = queue_.find(key)) != kNoEntry) {
      unused = queue_.exchange(waiting, block, length, received_ns);
      ++books_.offered;
      ++books_.accepted;
      ++books_.conflated;
    } else if (queue_.depth() < limit_ || (result = make_room(unused)) == PushResult::kAccepted) {
      ++books_.offered;
      ++books_.accepted;
      bell = bell_for(queue_.append(key, block, length, received_ns));
      note_depth();
    }
    if (result != PushResult::kAccepted) unused = block;
  }
  if (unused != kNoBlock) slab_.free(unused);
  if (bell != nullptr) bell->ring();
  return result;
}

// The feed is full. kAccepted: the oldest message has gone, `dropped` is its block.
inline PushResult Feed::make_room(std::uint32_t& dropped) {
  switch (options_.overflow) {
    case FeedOverflow::kBlock:
      return PushResult::kFull;
    case FeedOverflow::kDropNewest:
    case FeedOverflow::kConflate:
      return count_refused(books_.dropped_newest, PushResult::kDropped);
    case FeedOverflow::kSample:
      if (++sample_tick_ % options_.sample_every != 0) {
        return count_refused(books_.dropped_sampled, PushResult::kDropped);
      }
      break;
    case FeedOverflow::kDropOldest:
      break;
  }
  const std::uint32_t oldest = queue_.take_oldest();
  dropped = queue_.at(oldest).block;
  queue_.release(oldest);
  ++books_.dropped_oldest;
  return PushResult::kAccepted;
}

// Who has to be woken for a new message in a shard: nobody while its reader is awake.
inline std::shared_ptr<Doorbell> Feed::bell_for(std::uint32_t shard) {
  if (idle_count_ == 0) return nullptr;
  const std::uint32_t first = seats_.sticky() ? shard : 0;
  const std::uint32_t last = seats_.sticky() ? shard + 1 : seats_.members();
  for (std::uint32_t number = first; number < last && number < seats_.members(); ++number) {
    FeedConsumer* const member = seats_.member(number);
    if (member == nullptr || !member->idle) continue;
    set_idle(*member, false);
    return member->bell;
  }
  return nullptr;
}

inline void Feed::set_idle(FeedConsumer& consumer, bool idle) {
  if (consumer.idle == idle) return;
  consumer.idle = idle;
  idle ? ++idle_count_ : --idle_count_;
}

}  // namespace millrace
