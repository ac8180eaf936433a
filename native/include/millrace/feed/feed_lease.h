#pragma once

// The consumers' half of Feed (feed.h, which includes this).

#include "millrace/feed/feed.h"

namespace millrace {

inline std::int32_t Feed::next(FeedConsumer& consumer, BatchOutcome outcome, bool unbroken) {
  const std::uint32_t settled = outcome == BatchOutcome::kNone ? 0 : settle(consumer, outcome);
  std::int64_t now = monotonic_ns();
  if (unbroken && settled != 0) {
    consumer.note_pace(settled, now);
    consumer.let_some_gather(settled, now);
  }
  // It stays marked as awake: nobody rings, it comes back by itself.
  if (consumer.turn_is_over(now)) return kYield;
  consumer.table.set_started(0);
  const std::uint32_t limit = consumer.batch_limit();
  std::size_t bytes_left = lease_bytes_;
  std::uint32_t leased = 0;
  for (;;) {
    const std::lock_guard guard(lock_);
    if (consumer.ended || (closing() && in_flight() == 0)) return kEnded;
    claim(consumer, limit, bytes_left, now);
    const bool more =
        consumer.lease_count > leased && consumer.lease_count < limit && bytes_left != 0;
    leased = consumer.lease_count;
    if (more) continue;
    set_idle(consumer, leased == 0);
    if (leased == 0) return kIdle;
    ++consumer.batches;
    break;
  }
  consumer.begin_batch(now);
  finish({.room = true});
  return static_cast<std::int32_t>(leased);
}

inline void Feed::answer(FeedConsumer& consumer, bool fresh) {
  if (fresh) consumer.begin_turn();
  const std::lock_guard guard(lock_);
  ++consumer.answers;
}

inline void Feed::leave(FeedConsumer& consumer) {
  Blocks blocks;
  Aftermath after{.room = true, .members = true, .observers = true};
  std::uint32_t unused;
  {
    const std::lock_guard guard(lock_);
    unused = hand_back(consumer, false, blocks, after);
    set_idle(consumer, false);
    seats_.vacate(consumer);
    unlink(consumer);
    consumer.ended = true;
    if (consumer.evicted) --evicted_count_;
    consumer.evicted = false;
    note_depth();
  }
  free_blocks(blocks, unused);
  free_blocks(consumer.retired, consumer.retired_count);
  consumer.retired_count = 0;
  finish(after);
}

// Claims up to kChunk messages.
inline void Feed::claim(FeedConsumer& consumer, std::uint32_t limit, std::size_t& bytes_left,
                        std::int64_t now) {
  std::uint32_t shard;
  if (!seats_.shard(consumer, shard)) return;
  // Messages of one key could still be in a lease from before their key changed hands.
  if (seats_.sticky() && barrier_ != 0) return;
  if (!seats_.sticky()) {
    // An equal part, so that no reader sleeps while another holds what it could have handled.
    const std::uint32_t had = consumer.lease_count;
    const std::uint32_t share = (queue_.depth() + had + seats_.members() - 1) / seats_.members();
    limit = std::min(limit, share);
  }
  const std::int64_t since = now - born_ns_;
  for (std::uint32_t taken = 0; taken < kChunk && consumer.lease_count < limit; ++taken) {
    const std::uint32_t entry = queue_.take_front(shard);
    if (entry == kNoEntry) break;
    const FeedEntry& claimed = queue_.at(entry);
    consumer.table.fill(consumer.lease_count, claimed);
    consumer.lease[consumer.lease_count++] = entry;
    ++leased_;
    latency_.record(since - claimed.received_ns);
    bytes_left -= std::min<std::size_t>(bytes_left, claimed.length);
    if (bytes_left == 0) break;
  }
  note_depth();
}

// Answers how many messages were settled: none if the consumer was evicted meanwhile.
inline std::uint32_t Feed::settle(FeedConsumer& consumer, BatchOutcome outcome) {
  Blocks blocks;
  Aftermath after{.room = true};
  std::uint32_t count;
  {
    const std::lock_guard guard(lock_);
    count = consumer.lease_count;
    if (count == 0) return 0;
    for (std::uint32_t row = 0; row < count; ++row) {
      blocks[row] = queue_.at(consumer.lease[row]).block;
      queue_.release(consumer.lease[row]);
    }
    (outcome == BatchOutcome::kDelivered ? books_.delivered : books_.failed) += count;
    seats_.note_settled(consumer);
    end_lease(consumer, after);
  }
  free_blocks(blocks, count);
  finish(after);
  return count;
}

// The entries of the lease have been dealt with.
inline void Feed::end_lease(FeedConsumer& consumer, Aftermath& after) {
  leased_ -= consumer.lease_count;
  consumer.lease_count = 0;
  if (consumer.in_barrier) {
    consumer.in_barrier = false;
    if (--barrier_ == 0) after.members = true;
  }
  note_empty(after);
}

// Relaxed: who watches has said so before it looked, under the lock, and found something in flight.
inline void Feed::note_empty(Aftermath& after) {
  if (in_flight() != 0) return;
  if (closing()) after.members = true;
  if (closing() || empty_watchers_.load(std::memory_order_relaxed) != 0) after.observers = true;
}

// Ends a lease half done: what was begun has failed, the rest waits again. Blocks that nobody needs
// are put into `blocks`, those that the consumer may be reading instead into the consumer's
// `retired` if asked to.
inline std::uint32_t Feed::hand_back(FeedConsumer& consumer, bool retire, Blocks& blocks,
                                     Aftermath& after) {
  const std::uint32_t count = consumer.lease_count;
  if (count == 0) return 0;
  const std::uint32_t started = std::min(consumer.table.started(), count);
  std::uint32_t unused = 0;
  // From the end, so that each finds its place near the head of its list.
  for (std::uint32_t row = count; row-- > 0;) {
    const std::uint32_t entry = consumer.lease[row];
    const bool begun = row < started;
    if (begun || discarded_) {
      ++(begun ? books_.failed : books_.dropped_closed);
      const std::uint32_t block = queue_.at(entry).block;
      (retire ? consumer.retired[consumer.retired_count++] : blocks[unused++]) = block;
      queue_.release(entry);
    } else if (const FeedQueue::PutBack back = queue_.put_back(entry); back.superseded) {
      ++books_.conflated;
      blocks[unused++] = back.block;
    }
  }
  end_lease(consumer, after);
  note_depth();
  return unused;
}

inline void Feed::free_blocks(const Blocks& blocks, std::uint32_t count) {
  for (std::uint32_t index = 0; index < count; ++index) {
    if (blocks[index] != kNoBlock) slab_.free(blocks[index]);
  }
}

inline void Feed::unlink(FeedConsumer& consumer) {
  if (consumer.previous == nullptr && consumers_ != &consumer) return;
  (consumer.previous == nullptr ? consumers_ : consumer.previous->next) = consumer.next;
  if (consumer.next != nullptr) consumer.next->previous = consumer.previous;
  consumer.previous = consumer.next = nullptr;
  --consumer_count_;
}

}  // namespace millrace
