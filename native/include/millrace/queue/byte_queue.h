#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>

#include "millrace/base/shared_object.h"
#include "millrace/base/spin_lock.h"
#include "millrace/concurrent/mpmc_queue.h"
#include "millrace/queue/message_queue.h"
#include "millrace/queue/queue_memory.h"

namespace millrace {

enum class QueueOverflow : std::uint32_t { kReject, kDropOldest, kDropNewest };

// A MpmcQueue of messages up to a fixed size: any user may push and pop. Messages of up to 7 bytes
// lie in the queue's 16-byte slots; larger ones in blocks, one for each slot. Owns both. Costs the
// queue's claim and a copy, and one more locked instruction for those that wait; a batch pays both
// once. What MpmcQueue says of a thread that is suspended holds here: nobody waits for it, but
// consumers find the queue empty at the slot that it is filling, producers find it full at the slot
// that it is emptying, and a policy that would make room gives up after a while.
//
//   slot, where messages are small:  | length (8 bits) | payload (56 bits) |
//   otherwise:                       | length (64 bits)                    |  block: payload
class ByteQueue final : public MessageQueue, public SharedObject<ByteQueue> {
 public:
  static constexpr std::uint32_t kMinCapacity = 2;
  static constexpr std::uint32_t kMaxCapacity = std::uint32_t{1} << 26;
  static constexpr std::uint32_t kMaxMessageBytes = std::uint32_t{1} << 30;

  // `capacity` is rounded up to a power of two. Null, and an error, when there is no memory.
  static std::shared_ptr<ByteQueue> open(std::uint32_t capacity, std::uint32_t message_bytes,
                                         QueueOverflow overflow, SystemError& error,
                                         std::uint64_t start = 0) {
    auto queue = make(capacity, message_bytes, overflow, start);
    error = queue->capacity() == 0 ? SystemError{ENOMEM, "malloc"}
                                   : queue->blocks_.open(queue->block_bytes());
    return error ? nullptr : queue;
  }

  // For make().
  ByteQueue(std::uint32_t capacity, std::uint32_t message_bytes, QueueOverflow overflow,
            std::uint64_t start)
      : slots_(capacity, start),
        max_message_bytes_(message_bytes),
        stride_(message_bytes <= kInlineBytes ? 0 : align_message(message_bytes)),
        overflow_(overflow) {}

  QueueResult push(User, std::span<const std::byte> message, bool waits) override {
    if (message.size() > max_message_bytes_) return QueueResult::kTooLarge;
    const QueueResult result = place(message, waits);
    if (result == QueueResult::kDone) readers_.wake_one();
    return result;
  }

  QueueResult push_many(User, std::span<const std::byte> packed, const std::uint32_t* lengths,
                        std::uint32_t count, std::uint32_t& done) override {
    done = 0;
    std::size_t at = 0;
    std::uint32_t sound = 0;  // what packed really holds, and the queue takes
    for (; sound < count && lengths[sound] <= max_message_bytes_; ++sound) {
      if (at > packed.size() || lengths[sound] > packed.size() - at) break;
      at += align_message(lengths[sound]);
    }
    const std::byte* next = packed.data();
    std::uint32_t run;
    do {
      const std::uint32_t* const sizes = lengths + done;
      run = slots_.push_run(sound - done, [&](std::uint32_t i, std::uint32_t index, auto& slot) {
        write(index, slot, {next, sizes[i]});
        next += align_message(sizes[i]);
      });
      done += run;
    } while (run != 0 && done < sound);
    bool placed = done != 0;
    std::uint32_t refused = count - done;
    if (overflow_ == QueueOverflow::kDropOldest && !slots_.closed()) {
      for (; done < sound; ++done, --refused) {
        const QueueResult result = place({next, lengths[done]}, false);
        if (result == QueueResult::kClosed) {
          --refused;  // counted
          break;
        }
        placed = true;
        next += align_message(lengths[done]);
      }
    }
    if (placed) readers_.wake_one();
    if (refused != 0) refuse(refused, false);
    return QueueResult::kDone;
  }

  QueueResult pop(User, std::span<std::byte> target, std::uint32_t& length) override {
    const auto take = [&](std::uint32_t, std::uint32_t index, std::uint64_t slot) {
      length = read(index, slot, target.data());
    };
    if (target.size() >= max_message_bytes_) {
      if (slots_.pop_run(1, take) == 0) return nothing();
    } else {
      const auto fits = [&](std::uint64_t& slot) {
        // Acquire: pairs with write(), as MpmcQueue::pop_if() asks for.
        const std::uint64_t word = std::atomic_ref(slot).load(std::memory_order_acquire);
        length = length_of(word);
        return length <= target.size();
      };
      const PopIf outcome = slots_.pop_if(fits, take);
      if (outcome == PopIf::kEmpty) return nothing();
      if (outcome == PopIf::kRefused) return QueueResult::kTooSmall;
    }
    writers_.wake_one();
    return QueueResult::kDone;
  }

  QueueResult pop_many(User user, std::uint32_t most, std::span<std::byte> target,
                       std::uint32_t* lengths, std::uint32_t& count) override {
    count = 0;
    const std::uint32_t largest = align_message(max_message_bytes_ == 0 ? 1 : max_message_bytes_);
    if (most != 0 && target.size() < largest) {
      std::uint32_t length = 0;
      const QueueResult result = pop(user, target, length);
      if (result == QueueResult::kDone) lengths[0] = length;
      if (result == QueueResult::kDone || result == QueueResult::kTooSmall) {
        count = result == QueueResult::kDone ? 1 : length;
      }
      return result;
    }
    std::size_t at = 0;
    std::uint32_t run;
    do {
      const std::size_t fitting = (target.size() - at) / largest;
      const std::uint32_t wanted =
          fitting < most - count ? static_cast<std::uint32_t>(fitting) : most - count;
      std::uint32_t* const sizes = lengths + count;
      run = slots_.pop_run(wanted, [&](std::uint32_t i, std::uint32_t index, std::uint64_t slot) {
        sizes[i] = read(index, slot, target.data() + at);
        at += align_message(sizes[i]);
      });
      count += run;
    } while (run != 0);
    if (count == 0) return nothing();
    writers_.wake_one();
    return QueueResult::kDone;
  }

  void close() override {
    slots_.close();
    wake_everybody();
  }
  bool closed() const override { return slots_.closed(); }
  bool ended() const override { return slots_.drained(); }

  QueueStats stats() const override {
    QueueStats stats;
    count_into(stats);
    stats.dropped_oldest = dropped_oldest_.load(std::memory_order_relaxed);
    const std::uint64_t passed = slots_.passed();
    // Two looks: what it was at some moment between them, at which it held 0 to capacity.
    stats.pushed = std::clamp(slots_.pushed(), passed, passed + slots_.capacity());
    stats.depth = stats.pushed - passed;
    stats.popped = passed > stats.dropped_oldest ? passed - stats.dropped_oldest : 0;
    stats.high_water = slots_.high_water();
    return stats;
  }
  std::uint32_t capacity() const override { return slots_.capacity(); }
  std::uint32_t max_message_bytes() const override { return max_message_bytes_; }
  QueueOverflow overflow() const { return overflow_; }

  void leave(User) override {}

 private:
  static constexpr std::uint32_t kInlineBytes = 7;
  // How often a push that may drop the oldest looks again at a slot that somebody is in: the first
  // 64 times it pauses, then it yields.
  static constexpr int kPatience = 1000;
  static_assert(std::endian::native == std::endian::little);

  std::size_t block_bytes() const { return std::size_t{stride_} * slots_.capacity(); }
  bool may_have_room() const override { return slots_.size() < slots_.capacity(); }

  QueueResult nothing() const {
    return slots_.drained() ? QueueResult::kClosed : QueueResult::kEmpty;
  }

  void write(std::uint32_t index, std::uint64_t& slot, std::span<const std::byte> message) {
    std::uint64_t word = message.size();
    if (stride_ == 0) {
      std::uint64_t payload = 0;
      if (!message.empty()) std::memcpy(&payload, message.data(), message.size());
      word |= payload << 8;
    } else if (!message.empty()) {
      std::memcpy(blocks_.data() + std::size_t{index} * stride_, message.data(), message.size());
    }
    // Release: pairs with the acquire in pop().
    std::atomic_ref(slot).store(word, std::memory_order_release);
  }

  std::uint32_t length_of(std::uint64_t word) const {
    return static_cast<std::uint32_t>(stride_ == 0 ? word & 0xff : word);
  }

  std::uint32_t read(std::uint32_t index, std::uint64_t word, std::byte* target) const {
    const std::uint32_t length = length_of(word);
    if (length == 0) return 0;  // The target may be null.
    if (stride_ == 0) {
      const std::uint64_t payload = word >> 8;
      std::memcpy(target, &payload, length);
    } else {
      std::memcpy(target, blocks_.data() + std::size_t{index} * stride_, length);
    }
    return length;
  }

  QueueResult place(std::span<const std::byte> message, bool waits) {
    SpinBackoff backoff;
    for (int patience = kPatience; patience > 0;) {
      const auto fill = [&](std::uint32_t, std::uint32_t index, std::uint64_t& slot) {
        write(index, slot, message);
      };
      if (slots_.push_run(1, fill) == 1) return QueueResult::kDone;
      if (overflow_ != QueueOverflow::kDropOldest || slots_.closed()) return refuse(1, waits);
      // What somebody is just emptying is room soon: nothing needs to be dropped for it.
      const auto ignore = [](std::uint32_t, std::uint32_t, std::uint64_t) {};
      if (slots_.size() == slots_.capacity() && slots_.pop_run(1, ignore) == 1) {
        dropped_oldest_.fetch_add(1, std::memory_order_relaxed);
      } else {
        --patience;
        backoff.pause();
      }
    }
    dropped_newest_.fetch_add(1, std::memory_order_relaxed);
    return QueueResult::kDropped;
  }

  QueueResult refuse(std::uint32_t messages, bool waits) {
    if (slots_.closed()) {
      dropped_closed_.fetch_add(messages, std::memory_order_relaxed);
      return QueueResult::kClosed;
    }
    if (overflow_ != QueueOverflow::kReject) {
      dropped_newest_.fetch_add(messages, std::memory_order_relaxed);
      return QueueResult::kDropped;
    }
    if (!waits) rejected_.fetch_add(messages, std::memory_order_relaxed);
    return QueueResult::kFull;
  }

  MpmcQueue<std::uint64_t> slots_;
  QueueMemory blocks_;
  const std::uint32_t max_message_bytes_;
  const std::uint32_t stride_;
  const QueueOverflow overflow_;
  std::atomic<std::uint64_t> dropped_oldest_{0};
};

}  // namespace millrace
