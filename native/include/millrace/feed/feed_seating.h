#pragma once

// Seats and figures of Feed (feed.h, which includes this): what happens rarely.

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
