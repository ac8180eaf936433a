#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "millrace/queue.h"
#include "millrace/queue/wait_list.h"

namespace millrace {

enum class QueueResult : std::int32_t {
  kDone = MILLRACE_QUEUE_DONE,
  kFull = MILLRACE_QUEUE_FULL,
  kEmpty = MILLRACE_QUEUE_EMPTY,
  kClosed = MILLRACE_QUEUE_CLOSED,
  kTooLarge = MILLRACE_QUEUE_TOO_LARGE,
  kTooSmall = MILLRACE_QUEUE_TOO_SMALL,
  kTaken = MILLRACE_QUEUE_TAKEN,
  kDropped = MILLRACE_QUEUE_DROPPED,
};

struct QueueStats {
  std::uint64_t pushed = 0;
  std::uint64_t popped = 0;
  std::uint64_t dropped_newest = 0;
  std::uint64_t dropped_oldest = 0;
  std::uint64_t dropped_closed = 0;
  std::uint64_t rejected = 0;
  std::uint64_t depth = 0;
  std::uint64_t high_water = 0;
};

// Messages one after another, each at a multiple of kMessageAlign; `lengths` says where they end.
inline constexpr std::uint32_t kMessageAlign = 8;
inline constexpr std::uint32_t align_message(std::uint32_t bytes) noexcept {
  return (bytes + kMessageAlign - 1) & ~(kMessageAlign - 1);
}

// What users of a queue of bytes see of it, of either kind: messages go in and come out as copies,
// one or many at a time, and those who find nothing wait in a list. Which thread may do what is
// the kind's to say; users have numbers, by which a kind that allows one on each side tells them
// apart. Owns the lists and the counters of what did not go in. No call blocks, allocates, or
// enters code that is not of the queue.
//
// pushed = popped + dropped_oldest + depth, whatever moment stats() is of.
class MessageQueue {
 public:
  using User = std::uint64_t;

  MessageQueue(const MessageQueue&) = delete;
  MessageQueue& operator=(const MessageQueue&) = delete;
  virtual ~MessageQueue() = default;

  // kDone, kFull, kDropped (by the policy, and counted), kClosed, kTooLarge, kTaken. A push that
  // waits when it is refused does not count the refusals: it calls give_up() in the end.
  virtual QueueResult push(User user, std::span<const std::byte> message, bool waits) = 0;

  // The first `done` of `count` packed messages have gone in, or were dropped as the policy says.
  // kDone, kTaken. The others are counted as push() counts them.
  virtual QueueResult push_many(User user, std::span<const std::byte> packed,
                                const std::uint32_t* lengths, std::uint32_t count,
                                std::uint32_t& done) = 0;

  // kDone, and the message's length; kEmpty; kClosed, when nothing will ever come again; kTooSmall,
  // and the length that was found (the message stays); kTaken.
  virtual QueueResult pop(User user, std::span<std::byte> target, std::uint32_t& length) = 0;

  // Up to `most` messages, as many as are there and fit, packed. As pop(), `count` of them; where
  // kTooSmall, `count` is the length of the first.
  virtual QueueResult pop_many(User user, std::uint32_t most, std::span<std::byte> target,
                               std::uint32_t* lengths, std::uint32_t& count) = 0;

  // From here on nothing goes in; who waits finds out. Idempotent.
  virtual void close() = 0;
  virtual bool closed() const = 0;
  // Closed, and everything has come out.
  virtual bool ended() const = 0;
  virtual QueueStats stats() const = 0;
  virtual std::uint32_t capacity() const = 0;
  virtual std::uint32_t max_message_bytes() const = 0;

  // The user does nothing more here: what only one may be, another may become.
  virtual void leave(User user) = 0;

  // Pushes that waited and ran out of patience, or that were not tried behind one that was refused.
  void give_up(std::uint32_t pushes = 1) noexcept {
    rejected_.fetch_add(pushes, std::memory_order_relaxed);
  }

  // Those who wait for messages, and for room. After a try that succeeded or was given up:
  void settle_reader(Waiter& waiter) {
    readers_.settle(waiter);
    if (stats().depth != 0 || closed()) readers_.wake_one();
  }
  void settle_writer(Waiter& waiter) {
    writers_.settle(waiter);
    if (may_have_room() || closed()) writers_.wake_one();
  }
  void enter_reader(Waiter& waiter) { readers_.enter(waiter); }
  void enter_writer(Waiter& waiter) { writers_.enter(waiter); }

 protected:
  MessageQueue() = default;

  virtual bool may_have_room() const = 0;

  void wake_everybody() {
    readers_.wake_all();
    writers_.wake_all();
  }

  void count_into(QueueStats& stats) const noexcept {
    stats.dropped_newest = dropped_newest_.load(std::memory_order_relaxed);
    stats.dropped_closed = dropped_closed_.load(std::memory_order_relaxed);
    stats.rejected = rejected_.load(std::memory_order_relaxed);
  }

  WaitList readers_;
  WaitList writers_;
  std::atomic<std::uint64_t> dropped_newest_{0};
  std::atomic<std::uint64_t> dropped_closed_{0};
  std::atomic<std::uint64_t> rejected_{0};
};

}  // namespace millrace
