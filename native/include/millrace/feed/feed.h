#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "millrace/base/clock.h"
#include "millrace/base/doorbell.h"
#include "millrace/base/spin_lock.h"
#include "millrace/base/system_error.h"
#include "millrace/feed/delay_histogram.h"
#include "millrace/feed/feed_consumer.h"
#include "millrace/feed/feed_options.h"
#include "millrace/feed/feed_queue.h"
#include "millrace/feed/feed_seats.h"
#include "millrace/feed/feed_stats.h"
#include "millrace/feed/push_times.h"
#include "millrace/feed/room_gate.h"
#include "millrace/memory/slab_allocator.h"

namespace millrace {

// A bounded hand-over of messages from any threads to consumers: a push copies the message and
// returns, consumers read batches out of shared memory, a policy decides what happens when they
// cannot keep up, and every message is accounted for.
// Any thread may call anything; what takes a FeedConsumer is called by that consumer's thread, but
// for those that say otherwise.
// Owns the memory of messages, entries and the key index; consumers and bells are their makers'.
// One spin lock guards the books, so that they balance at every instant. It is held for tens of
// nanoseconds, 32 messages at most when consumers claim, and never while bytes are copied, memory
// is allocated or a bell is rung. A push costs about 100 ns, and 2-4 us more if it wakes a
// consumer.
class Feed {
 public:
  // What next() answers instead of a number of messages.
  static constexpr std::int32_t kIdle = 0;    // nothing there: the bell will be rung
  static constexpr std::int32_t kEnded = -1;  // nothing will ever be there again
  static constexpr std::int32_t kYield = -2;  // let the event loop turn, then call begin_turn()

  // What a supervisor sees of a seat. The counts wrap.
  struct SeatReport {
    bool exists = false;
    bool occupied = false;
    bool busy = false;          // has a batch, or was rung and has not come yet
    std::uint32_t batches = 0;  // that the consumer was leased
    std::uint32_t answers = 0;  // rings that its event loop answered
    std::uint32_t started = 0;  // messages of the batch that it has looked at
    std::uint32_t settled = 0;  // batches that all consumers of the seat have finished
  };

  Feed() = default;
  Feed(const Feed&) = delete;
  Feed& operator=(const Feed&) = delete;

  // REQUIRES: 1 <= capacity <= kMaxCapacity; max_message_bytes fits into max_bytes.
  static constexpr std::uint32_t kMaxCapacity = 1u << 26;
  SystemError open(const FeedOptions& options);

  const FeedOptions& options() const { return options_; }
  std::byte* arena() const { return slab_.data(); }
  std::size_t arena_bytes() const { return slab_.max_bytes(); }

  // --- Producers (feed_push.h) ---

  // Copies the message; nothing of it is needed afterwards. Never waits.
  PushResult push(const void* bytes, std::uint32_t length, const FeedKey& key);
  // The same, but waits for room up to timeout_ns (negative: for ever) if that is the policy.
  PushResult push_waiting(const void* bytes, std::uint32_t length, const FeedKey& key,
                          std::int64_t timeout_ns);
  // To wait in slices instead: a ticket taken before a push that answered kFull, push_again() after
  // each wait, or give_up(), which counts the message as dropped for lack of time, and in the end
  // note_wait(), which says when the first push began.
  std::uint32_t room_ticket() const { return room_.ticket(); }
  void wait_for_room(std::uint32_t ticket, std::int64_t timeout_ns) {
    room_.wait(ticket, timeout_ns);
  }
  PushResult push_again(const void* bytes, std::uint32_t length, const FeedKey& key);
  void give_up();
  void note_wait(std::int64_t began_ns) { note_push(began_ns, 1); }
  // Pushes that took longer than warn_push_after_ns.
  PushTimes::Slow slow_pushes() const { return push_times_.slow(); }
  // Room can only be made by consumers of this very thread.
  bool waits_for_itself(std::uint64_t thread) const;

  // --- Consumers (feed_lease.h) ---

  // Settles the consumer's batch, if it has one, and leases the next: its length (rows of the
  // table), or kIdle, kEnded, kYield. unbroken: the batch was handled in one go, so its time
  // counts.
  std::int32_t next(FeedConsumer& consumer, BatchOutcome outcome, bool unbroken);
  // The event loop has answered the bell; fresh: it has turned since the last time.
  void answer(FeedConsumer& consumer, bool fresh);
  // Ends a consumer, whatever it is at. Messages of its batch that it had begun count as failed,
  // the others wait again at their old places. The last call for a consumer that has been given a
  // seat.
  void leave(FeedConsumer& consumer);

  // --- Seats, any thread (feed_seating.h) ---

  // As FeedSeats::open().
  std::uint32_t open_group(bool sticky, std::span<std::uint32_t> tickets);
  // Ends a group, if it still is there: batches are finished, then next() answers kEnded.
  void close_group(std::uint32_t group);
  // Takes a seat away for good, with the same effect for its consumer.
  void remove_seat(std::uint32_t ticket);
  bool occupy(std::uint32_t ticket, FeedConsumer& consumer);
  // Does for the consumer of a seat what leave() does, from another thread: for one that is stuck.
  // What it had begun stays in memory until it leaves; what it says afterwards does not count.
  bool evict(std::uint32_t ticket);
  // Consumers that were evicted and have not left yet: what they hold is not free.
  std::uint32_t evicted() const;
  SeatReport inspect(std::uint32_t ticket) const;
  // Rings the consumer of a seat, to see if its event loop answers.
  void ping(std::uint32_t ticket);
  std::uint32_t members() const;

  // --- Ends and figures (feed_seating.h) ---

  // No more pushes. Consumers get what waits, then kEnded.
  void close();
  // After close(): what waits counts as dropped; of leased batches, if they are included, what was
  // begun counts as failed and the rest as dropped.
  void discard(bool leases);
  bool closing() const { return closing_.load(std::memory_order_relaxed); }

  // Bells that are rung when seats, groups or the feed itself come to an end or start, and, while
  // somebody watches for it, when nothing is in flight. A watcher looks at empty() once it watches.
  void observe(const std::shared_ptr<Doorbell>& bell);
  void unobserve(const Doorbell* bell);
  void watch_empty(bool watch);
  bool empty() const;

  FeedStats stats() const;
  FeedMemoryPlan memory_plan() const;
  // Recounts by walking queues and leases: for tests, at any moment.
  std::uint64_t walk() const;
  // Gives memory that holds no message back to the system.
  void trim() { slab_.trim(); }

 private:
  static constexpr std::uint32_t kChunk = 32;  // messages claimed under one hold of the lock
  static constexpr std::uint32_t kEntrySpare = FeedSeats::kMaxSeats * LeaseTable::kMaxRows;

  // What remains to be done when the lock is free again.
  struct Aftermath {
    bool room = false;       // let producers in
    bool members = false;    // ring idle consumers that have work
    bool observers = false;  // ring observers
  };
  using Blocks = std::array<std::uint32_t, LeaseTable::kMaxRows>;

  static SlabOptions slab_options(const FeedOptions& options);

  PushResult take(const void* bytes, std::uint32_t length, const FeedKey& key,
                  std::int64_t& began_ns);
  PushResult admit(std::uint32_t block, std::uint32_t length, const FeedKey& key,
                   std::int64_t began_ns);
  void note_push(std::int64_t began_ns, std::uint32_t weight);
  PushResult refuse_early();
  PushResult find_memory(const void* bytes, std::uint32_t length, const FeedKey& key,
                         std::uint32_t& block);
  PushResult overwrite(const void* bytes, std::uint32_t length, const FeedKey& key);
  bool drop_oldest();
  PushResult count_refused(std::uint64_t& counter, PushResult result);

  // The lock is held in these.
  std::uint64_t in_flight() const { return std::uint64_t{queue_.depth()} + leased_; }
  void note_depth() { depth_hint_.store(queue_.depth(), std::memory_order_relaxed); }
  PushResult make_room(std::uint32_t& dropped);
  std::shared_ptr<Doorbell> bell_for(std::uint32_t shard);
  void set_idle(FeedConsumer& consumer, bool idle);
  void claim(FeedConsumer& consumer, std::uint32_t limit, std::size_t& bytes_left,
             std::int64_t now);
  void end_lease(FeedConsumer& consumer, Aftermath& after);
  std::uint32_t hand_back(FeedConsumer& consumer, bool retire, Blocks& blocks, Aftermath& after);
  void unlink(FeedConsumer& consumer);
  void note_empty(Aftermath& after);
  std::shared_ptr<Doorbell> stand_up(std::uint32_t ticket);
  void change_seats(Aftermath& after);

  std::uint32_t settle(FeedConsumer& consumer, BatchOutcome outcome);
  bool discard_lease();
  void finish(const Aftermath& after);
  void ring_members();
  void ring_at_end();
  void ring_observers();
  void free_blocks(const Blocks& blocks, std::uint32_t count);

  FeedOptions options_;
  std::uint32_t limit_ = 0;      // messages that may wait
  std::size_t lease_bytes_ = 0;  // message bytes in one lease, about
  std::int64_t born_ns_ = 0;
  SlabAllocator slab_;

  alignas(kCacheLineBytes) mutable SpinLock lock_;
  FeedQueue queue_;
  FeedSeats seats_;
  FeedConsumer* consumers_ = nullptr;  // all that have been given a seat and have not left
  std::uint32_t consumer_count_ = 0;
  std::uint32_t evicted_count_ = 0;
  std::uint32_t idle_count_ = 0;
  std::uint32_t leased_ = 0;
  std::uint32_t barrier_ = 0;  // leases from before the last change of shards
  std::uint32_t sample_tick_ = 0;
  bool discarded_ = false;
  FeedStats books_;
  DelayHistogram latency_;

  alignas(kCacheLineBytes) std::atomic<std::uint32_t> depth_hint_{0};
  std::atomic<bool> closing_{false};  // written under the lock
  std::atomic<std::uint32_t> empty_watchers_{0};
  RoomGate room_;
  PushTimes push_times_;

  std::mutex observers_lock_;
  std::vector<std::shared_ptr<Doorbell>> observers_;
};

}  // namespace millrace

#include "millrace/feed/feed_ending.h"
#include "millrace/feed/feed_lease.h"
#include "millrace/feed/feed_push.h"
#include "millrace/feed/feed_seating.h"
