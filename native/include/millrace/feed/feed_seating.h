#pragma once

// Seats, ends and figures of Feed (feed.h, which includes this): what happens rarely.

#include "millrace/feed/feed.h"

namespace millrace {

inline SlabOptions Feed::slab_options(const FeedOptions& options) {
  SlabOptions slab;
  slab.max_bytes = options.max_bytes;
  slab.max_block_bytes = std::min(options.max_message_bytes, SizeClasses::kMaxBlockBytes);
  slab.min_block_bytes = std::min(slab.min_block_bytes, slab.max_block_bytes);
  slab.max_thread_caches = 16;
  return slab;
}

inline SystemError Feed::open(const FeedOptions& options) {
  options_ = options;
  limit_ = options.capacity;
  if (options.overflow == FeedOverflow::kConflate) limit_ = std::min(limit_, options.max_keys);
  if (auto error = slab_.open(slab_options(options))) return error;
  if (auto error = queue_.open(options, options.capacity + kEntrySpare)) return error;
  // Leases must leave room to push into.
  lease_bytes_ = slab_.max_bytes() / 4;
  born_ns_ = monotonic_ns();
  push_times_.set_limit(options.warn_push_after_ns);
  return {};
}

inline std::uint32_t Feed::open_group(bool sticky, std::span<std::uint32_t> tickets) {
  const std::lock_guard guard(lock_);
  return seats_.open(sticky, tickets);
}

inline bool Feed::occupy(std::uint32_t ticket, FeedConsumer& consumer) {
  consumer.begin_turn();
  Aftermath after;
  {
    const std::lock_guard guard(lock_);
    bool starts;
    if (discarded_ || !seats_.occupy(ticket, consumer, starts)) return false;
    consumer.next = consumers_;
    if (consumers_ != nullptr) consumers_->previous = &consumer;
    consumers_ = &consumer;
    ++consumer_count_;
    if (starts) change_seats(after);
  }
  finish(after);
  return true;
}

inline void Feed::close_group(std::uint32_t group) {
  std::array<std::uint32_t, FeedSeats::kMaxSeats> tickets;
  std::array<std::shared_ptr<Doorbell>, FeedSeats::kMaxSeats> bells;
  Aftermath after;
  {
    const std::lock_guard guard(lock_);
    const std::uint32_t count = seats_.tickets(group, tickets);
    for (std::uint32_t index = 0; index < count; ++index) bells[index] = stand_up(tickets[index]);
    if (count != 0) change_seats(after);
  }
  for (const std::shared_ptr<Doorbell>& bell : bells) {
    if (bell != nullptr) bell->ring();
  }
  finish(after);
}

inline void Feed::remove_seat(std::uint32_t ticket) {
  std::shared_ptr<Doorbell> bell;
  Aftermath after;
  {
    const std::lock_guard guard(lock_);
    bell = stand_up(ticket);
    change_seats(after);
  }
  if (bell != nullptr) bell->ring();
  finish(after);
}

// Takes a seat away; answers the bell of who sat there, for it to be told.
inline std::shared_ptr<Doorbell> Feed::stand_up(std::uint32_t ticket) {
  FeedConsumer* const occupant = seats_.occupant(ticket);
  seats_.remove(ticket);
  if (occupant == nullptr) return nullptr;
  occupant->ended = true;
  set_idle(*occupant, false);
  return occupant->bell;
}

inline bool Feed::evict(std::uint32_t ticket) {
  Blocks blocks;
  Aftermath after{.room = true, .members = true, .observers = true};
  std::uint32_t unused;
  {
    const std::lock_guard guard(lock_);
    FeedConsumer* const occupant = seats_.occupant(ticket);
    if (occupant == nullptr) return false;
    unused = hand_back(*occupant, true, blocks, after);
    set_idle(*occupant, false);
    seats_.vacate(*occupant);
    occupant->ended = true;
    occupant->evicted = true;
    ++evicted_count_;
  }
  free_blocks(blocks, unused);
  finish(after);
  return true;
}

inline std::uint32_t Feed::evicted() const {
  const std::lock_guard guard(lock_);
  return evicted_count_;
}

inline Feed::SeatReport Feed::inspect(std::uint32_t ticket) const {
  const std::lock_guard guard(lock_);
  SeatReport report;
  report.exists = seats_.exists(ticket);
  report.settled = seats_.settled(ticket);
  const FeedConsumer* const occupant = seats_.occupant(ticket);
  if (occupant == nullptr) return report;
  report.occupied = true;
  report.busy = occupant->lease_count != 0 || !occupant->idle;
  report.batches = static_cast<std::uint32_t>(occupant->batches);
  report.answers = static_cast<std::uint32_t>(occupant->answers);
  report.started = occupant->table.started();
  return report;
}

inline void Feed::ping(std::uint32_t ticket) {
  std::shared_ptr<Doorbell> bell;
  {
    const std::lock_guard guard(lock_);
    if (FeedConsumer* const occupant = seats_.occupant(ticket)) bell = occupant->bell;
  }
  if (bell != nullptr) bell->ring();
}

inline std::uint32_t Feed::members() const {
  const std::lock_guard guard(lock_);
  return seats_.members();
}

// Seats have come or gone: messages are dealt out anew. Where each key has its reader, nobody
// claims until all leases of before are settled, so that no key is with two readers.
inline void Feed::change_seats(Aftermath& after) {
  const std::uint32_t members = seats_.renumber();
  const std::uint32_t shards = seats_.sticky() ? std::max(members, 1u) : 1;
  if (seats_.sticky() || shards != queue_.shards()) queue_.deal(shards);
  for (FeedConsumer* one = consumers_; one != nullptr && seats_.sticky(); one = one->next) {
    if (one->lease_count == 0 || one->in_barrier) continue;
    one->in_barrier = true;
    ++barrier_;
  }
  after.members = true;
  after.observers = true;
}

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

inline FeedStats Feed::stats() const {
  const PushTimes::Quantiles pushes = push_times_.quantiles();
  const std::lock_guard guard(lock_);
  FeedStats stats = books_;
  stats.push_p50_ns = pushes.p50_ns;
  stats.push_p99_ns = pushes.p99_ns;
  stats.push_max_ns = pushes.max_ns;
  stats.waiting = queue_.depth();
  stats.leased = leased_;
  stats.high_water = queue_.high_water();
  stats.latency_p50_ns = latency_.quantile(0.5);
  stats.latency_p99_ns = latency_.quantile(0.99);
  stats.latency_max_ns = latency_.max();
  return stats;
}

inline FeedMemoryPlan Feed::memory_plan() const {
  const std::lock_guard guard(lock_);
  const std::uint32_t readers = std::max(consumer_count_, 1u);
  FeedMemoryPlan plan;
  plan.messages = slab_.max_bytes();
  plan.allocator = SlabAllocator::metadata_bytes(slab_options(options_));
  plan.entries = FeedEntryPool::bytes(options_.capacity + readers * LeaseTable::kMaxRows);
  if (options_.overflow == FeedOverflow::kConflate) plan.keys = KeyIndex::bytes(options_.max_keys);
  plan.consumers = readers * (sizeof(FeedConsumer) + LeaseTable::kBytes);
  plan.feed = sizeof(Feed);
  return plan;
}

inline std::uint64_t Feed::walk() const {
  const std::lock_guard guard(lock_);
  std::uint64_t count = queue_.walk();
  for (const FeedConsumer* one = consumers_; one != nullptr; one = one->next)
    count += one->lease_count;
  return count;
}

}  // namespace millrace
