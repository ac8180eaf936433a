#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <utility>

#include "millrace/base/clock.h"
#include "millrace/base/doorbell.h"
#include "millrace/feed/feed_entry.h"
#include "millrace/feed/lease_table.h"

namespace millrace {

// How a batch ended.
enum class BatchOutcome : std::uint8_t {
  kNone,  // there was none
  kDelivered,
  kFailed,
};

// One reader of a feed on one thread: its bell, its lease and where it stands. It is made by its
// thread, sits on a seat of the feed (FeedSeats), and is leased one batch at a time.
// What is marked so belongs to the feed's lock; the rest belongs to the consumer's thread.
class FeedConsumer {
 public:
  // Batches and time after which a consumer lets its event loop turn.
  static constexpr std::uint32_t kTurnBatches = 16;
  static constexpr std::int64_t kTurnNs = 10 * kNanosPerMilli;
  static constexpr std::int64_t kBatchNs = 4 * kNanosPerMilli;
  // A batch of fewer messages that took less time: the reader is faster than who pushes.
  static constexpr std::uint32_t kFewMessages = 64;
  static constexpr std::int64_t kGatherNs = 10'000;

  // thread: any number by which the threads of the process are told apart.
  FeedConsumer(std::shared_ptr<Doorbell> rung, std::uint64_t thread_number)
      : bell(std::move(rung)), thread(thread_number) {}

  const std::shared_ptr<Doorbell> bell;
  const std::uint64_t thread;
  LeaseTable table;

  // Its own thread: the event loop has turned, so that the next batches are in a new turn.
  void begin_turn() {
    turn_batches_ = 0;
    turn_began_ns_ = monotonic_ns();
  }

  // Its own thread: the turn has lasted long enough.
  bool turn_is_over(std::int64_t now) const {
    return turn_batches_ >= kTurnBatches || now - turn_began_ns_ > kTurnNs;
  }

  void begin_batch(std::int64_t now) {
    batch_began_ns_ = now;
    ++turn_batches_;
  }

  // A batch of so many messages was handled without a break: batches shall take about kBatchNs, so
  // that messages do not age in a lease while a handler is slow.
  void note_pace(std::uint32_t messages, std::int64_t now) {
    const std::int64_t each = (now - batch_began_ns_) / messages + 1;
    pace_ns_ += (each - pace_ns_) / 4;
  }

  // A reader that came back at once would find a message or two each time, and each of its looks
  // takes the lock's and the queue's cache lines away from the producers, whose pushes then cost
  // several times as much; one that slept would have to be woken. So it gives them a moment.
  void let_some_gather(std::uint32_t settled, std::int64_t& now) const {
    if (settled >= kFewMessages) return;
    while (now - batch_began_ns_ < kGatherNs) now = monotonic_ns();
  }

  std::uint32_t batch_limit() const {
    const std::int64_t fits = kBatchNs / (pace_ns_ + 1);
    if (fits < 1) return 1;
    return fits > LeaseTable::kMaxRows ? LeaseTable::kMaxRows : static_cast<std::uint32_t>(fits);
  }

  // The feed's lock guards what follows.
  static constexpr std::uint32_t kNoSeat = 0xffffffffu;
  std::uint32_t seat = kNoSeat;
  std::uint32_t lease_count = 0;
  std::array<std::uint32_t, LeaseTable::kMaxRows> lease;  // entries
  // Blocks of messages that found their end when the consumer was evicted: it may be reading them.
  std::uint32_t retired_count = 0;
  std::array<std::uint32_t, LeaseTable::kMaxRows> retired;
  bool idle = false;   // nothing was there when it looked last: ring it
  bool ended = false;  // gets nothing more
  bool evicted = false;
  bool in_barrier = false;  // its lease is from before the last change of shards
  std::uint64_t batches = 0;
  std::uint64_t answers = 0;  // how often its event loop has answered a ring
  FeedConsumer* previous = nullptr;
  FeedConsumer* next = nullptr;

 private:
  std::uint32_t turn_batches_ = 0;
  std::int64_t turn_began_ns_ = 0;
  std::int64_t batch_began_ns_ = 0;
  std::int64_t pace_ns_ = 0;  // a message, smoothed
};

}  // namespace millrace
