#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <utility>

#include "millrace/base/shared_object.h"
#include "millrace/concurrent/spsc_ring.h"
#include "millrace/queue/message_queue.h"
#include "millrace/queue/queue_memory.h"

namespace millrace {

// Who has one side of a ring: the first that used it, until it leaves.
class RingSide {
 public:
  bool take(std::uint64_t user) noexcept {
    // Acquire: pairs with leave(), so that the next one goes on where the last one stopped.
    std::uint64_t holder = holder_.load(std::memory_order_acquire);
    if (holder == user) return true;
    return holder == 0 && holder_.compare_exchange_strong(holder, user, std::memory_order_acquire,
                                                          std::memory_order_relaxed);
  }

  // Of the user's own thread.
  bool is_of(std::uint64_t user) const noexcept {
    return holder_.load(std::memory_order_relaxed) == user;
  }

  void leave(std::uint64_t user) noexcept {
    // Release: pairs with take().
    holder_.compare_exchange_strong(user, 0, std::memory_order_release, std::memory_order_relaxed);
  }

 private:
  std::atomic<std::uint64_t> holder_{0};
};

// A SpscRing that threads share: one user pushes, one pops, whoever comes first. Each side may pass
// to another user when the one that had it leaves, or ends. Owns its memory together with those
// that look at it. Costs what the ring does, and a look at each side's holder and waiters; a
// thread that is stopped in the middle of a call holds up nobody but those who wait for its side.
class ByteRing final : public MessageQueue, public SharedObject<ByteRing> {
 public:
  static constexpr std::uint32_t kMinBytes = SpscRing::kMinBytes;
  static constexpr std::uint32_t kMaxBytes = std::uint32_t{1} << 30;
  static constexpr std::uint32_t kNothing = 0xffff'ffffu;

  // `bytes` is rounded up to a power of two. A largest message of 0 is the largest that fits: half
  // of the ring, less 8 bytes. Null, and an error, when there is no memory.
  static std::shared_ptr<ByteRing> open(std::uint32_t bytes, std::uint32_t max_message_bytes,
                                        SystemError& error, std::uint64_t start = 0) {
    bytes = std::bit_ceil(bytes < kMinBytes ? kMinBytes : bytes > kMaxBytes ? kMaxBytes : bytes);
    auto memory = std::make_shared<QueueMemory>();
    error = memory->open(bytes);
    if (error) return nullptr;
    return make(std::move(memory), bytes, max_message_bytes, start);
  }

  // For make().
  ByteRing(std::shared_ptr<QueueMemory> memory, std::uint32_t bytes,
           std::uint32_t max_message_bytes, std::uint64_t start)
      : memory_(std::move(memory)), ring_(memory_->data(), bytes, start) {
    const std::uint32_t largest = ring_.max_record_bytes();
    max_message_bytes_ =
        max_message_bytes == 0 || max_message_bytes > largest ? largest : max_message_bytes;
  }

  QueueResult push(User user, std::span<const std::byte> message, bool waits) override {
    if (message.size() > max_message_bytes_) return QueueResult::kTooLarge;
    if (!producer_.take(user)) return QueueResult::kTaken;
    reserved_ = kNothing;
    if (!ring_.try_push(message)) return refuse(1, waits);
    readers_.wake_one_published();
    return QueueResult::kDone;
  }

  QueueResult push_many(User user, std::span<const std::byte> packed, const std::uint32_t* lengths,
                        std::uint32_t count, std::uint32_t& done) override {
    done = 0;
    if (!producer_.take(user)) return QueueResult::kTaken;
    reserved_ = kNothing;
    std::size_t at = 0;
    std::uint32_t staged = 0;
    for (; staged < count; ++staged) {
      const std::uint32_t length = lengths[staged];
      if (length > max_message_bytes_ || at > packed.size() || length > packed.size() - at) break;
      std::byte* const room = ring_.reserve(length);
      if (room == nullptr) break;
      std::memcpy(room, packed.data() + at, length);
      ring_.commit(length);
      at += align_message(length);
    }
    if (ring_.publish()) done = staged;
    if (done != 0) readers_.wake_one_published();
    if (done != count) refuse(count - done, false);
    return QueueResult::kDone;
  }

  // Producer: where in memory() a message of up to `bytes` may be written. kFull, kClosed,
  // kTooLarge, kTaken: there is no such place, which does not count as a refusal.
  QueueResult reserve(User user, std::uint32_t bytes, std::uint32_t& offset) {
    if (bytes > max_message_bytes_) return QueueResult::kTooLarge;
    if (!producer_.take(user)) return QueueResult::kTaken;
    const std::byte* const room = ring_.reserve(bytes);
    reserved_ = room == nullptr ? kNothing : bytes;
    if (room == nullptr) return ring_.closed() ? QueueResult::kClosed : QueueResult::kFull;
    offset = static_cast<std::uint32_t>(room - memory_->data());
    return QueueResult::kDone;
  }

  // Producer: what was written there is a message. kTooLarge: more than was reserved; kEmpty:
  // nothing is reserved (a push takes a reservation back); kClosed: it came too late.
  QueueResult commit(User user, std::uint32_t bytes) {
    if (!producer_.take(user)) return QueueResult::kTaken;
    if (reserved_ == kNothing) return QueueResult::kEmpty;
    if (bytes > reserved_) return QueueResult::kTooLarge;
    reserved_ = kNothing;
    ring_.commit(bytes);
    if (!ring_.publish()) return refuse(1, false);
    readers_.wake_one_published();
    return QueueResult::kDone;
  }

  QueueResult pop(User user, std::span<std::byte> target, std::uint32_t& length) override {
    std::uint32_t count = 0;
    const QueueResult result = pop_many(user, 1, target, &length, count);
    if (result == QueueResult::kTooSmall) length = count;
    return result;
  }

  QueueResult pop_many(User user, std::uint32_t most, std::span<std::byte> target,
                       std::uint32_t* lengths, std::uint32_t& count) override {
    count = 0;
    if (!consumer_.take(user)) return QueueResult::kTaken;
    std::size_t at = 0;
    std::uint32_t unfit = kNothing;
    std::span<std::byte> record;
    while (count < most && ring_.next(record)) {
      if (at > target.size() || record.size() > target.size() - at) {
        ring_.put_back();
        unfit = static_cast<std::uint32_t>(record.size());
        break;
      }
      // An empty target may be null.
      if (!record.empty()) std::memcpy(target.data() + at, record.data(), record.size());
      lengths[count++] = static_cast<std::uint32_t>(record.size());
      at += align_message(static_cast<std::uint32_t>(record.size()));
    }
    ring_.release();
    if (count != 0) {
      writers_.wake_one_published();
      return QueueResult::kDone;
    }
    if (unfit != kNothing) {
      count = unfit;
      return QueueResult::kTooSmall;
    }
    return ring_.drained() ? QueueResult::kClosed : QueueResult::kEmpty;
  }

  void close() override {
    ring_.close();
    wake_everybody();
  }
  bool closed() const override { return ring_.closed(); }
  bool ended() const override { return ring_.drained(); }

  QueueStats stats() const override {
    QueueStats stats;
    count_into(stats);
    stats.popped = ring_.popped();
    // Two looks, of which the second may be the older one to a weakly ordered processor.
    stats.pushed = std::max(ring_.pushed(), stats.popped);
    stats.depth = stats.pushed - stats.popped;
    stats.high_water = ring_.high_water_records();
    return stats;
  }
  std::uint32_t capacity() const override { return ring_.capacity_bytes(); }
  std::uint32_t max_message_bytes() const override { return max_message_bytes_; }
  const std::shared_ptr<QueueMemory>& memory() const { return memory_; }

  void leave(User user) override {
    // What it had reserved is not the next one's to commit.
    if (producer_.is_of(user)) reserved_ = kNothing;
    producer_.leave(user);
    consumer_.leave(user);
  }

 private:
  bool may_have_room() const override { return ring_.depth_bytes() < ring_.capacity_bytes(); }

  QueueResult refuse(std::uint32_t messages, bool waits) {
    if (ring_.closed()) {
      dropped_closed_.fetch_add(messages, std::memory_order_relaxed);
      return QueueResult::kClosed;
    }
    if (!waits) rejected_.fetch_add(messages, std::memory_order_relaxed);
    return QueueResult::kFull;
  }

  const std::shared_ptr<QueueMemory> memory_;
  SpscRing ring_;
  std::uint32_t max_message_bytes_;
  std::uint32_t reserved_ = kNothing;  // the producer's
  RingSide producer_;
  RingSide consumer_;
};

}  // namespace millrace
