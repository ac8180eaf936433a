#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "millrace/queue.h"
#include "millrace/queue/message_queue.h"
#include "millrace/queue/queue_wait.h"

namespace millrace {

// A number for one who uses queues: never 0, never the same again.
inline MessageQueue::User next_queue_user() noexcept {
  static std::atomic<MessageQueue::User> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

// What the address of a queue points to, and what native code holds of it (millrace/queue.h): the
// table of functions, a share in the queue, and the number by which it is known there. Any thread.
// Lives until as many release() as make() and retain() were called. Costs what the queue does.
class QueueUser {
 public:
  static QueueUser* make(std::shared_ptr<MessageQueue> queue) {
    return new QueueUser(std::move(queue));
  }

  std::uint64_t address() const { return reinterpret_cast<std::uintptr_t>(&face_); }

  void release() {
    // Acq_rel: pairs with itself, so that who deletes comes after everybody's last use.
    if (shares_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

 private:
  explicit QueueUser(std::shared_ptr<MessageQueue> queue)
      : number_(next_queue_user()), queue_(std::move(queue)) {}
  ~QueueUser() { queue_->leave(number_); }

  // face_ is the first member of a class without virtual functions.
  static QueueUser& of(millrace_queue* face) { return *reinterpret_cast<QueueUser*>(face); }

  static millrace_queue* open(millrace_queue* face) { return &make(of(face).queue_)->face_; }
  static void retain(millrace_queue* face) {
    of(face).shares_.fetch_add(1, std::memory_order_relaxed);
  }
  static void release(millrace_queue* face) { of(face).release(); }
  static void close(millrace_queue* face) { of(face).queue_->close(); }

  static int push(millrace_queue* face, const void* data, std::uint32_t length,
                  std::int64_t timeout_ms) {
    MessageQueue& queue = *of(face).queue_;
    const std::span message(static_cast<const std::byte*>(data), length);
    const auto attempt = [&] { return queue.push(of(face).number_, message, timeout_ms != 0); };
    if (timeout_ms == 0) return static_cast<int>(attempt());
    FutexSleeper sleeper;
    Waiter waiter(sleeper.bell);
    const QueueDeadline deadline(timeout_ms);
    return static_cast<int>(
        push_waiting(queue, waiter, attempt, [&] { return sleeper.sleep(deadline.left_ns()); }));
  }

  static int pop(millrace_queue* face, void* target, std::uint32_t room, std::uint32_t* length,
                 std::int64_t timeout_ms) {
    const std::span bytes(static_cast<std::byte*>(target), room);
    return pop_by(face, timeout_ms, [&](MessageQueue& queue, MessageQueue::User user) {
      return queue.pop(user, bytes, *length);
    });
  }

  static int push_many(millrace_queue* face, const void* packed, const std::uint32_t* lengths,
                       std::uint32_t count, std::uint32_t* done) {
    std::size_t bytes = 0;
    for (std::uint32_t i = 0; i < count; ++i) bytes += align_message(lengths[i]);
    return static_cast<int>(of(face).queue_->push_many(
        of(face).number_, {static_cast<const std::byte*>(packed), bytes}, lengths, count, *done));
  }

  static int pop_many(millrace_queue* face, std::uint32_t most, void* target, std::uint32_t room,
                      std::uint32_t* lengths, std::uint32_t* count, std::int64_t timeout_ms) {
    const std::span bytes(static_cast<std::byte*>(target), room);
    return pop_by(face, timeout_ms, [&](MessageQueue& queue, MessageQueue::User user) {
      return queue.pop_many(user, most, bytes, lengths, *count);
    });
  }

  template <class Pop>
  static int pop_by(millrace_queue* face, std::int64_t timeout_ms, Pop&& pop) {
    MessageQueue& queue = *of(face).queue_;
    const auto attempt = [&] { return pop(queue, of(face).number_); };
    QueueResult result = attempt();
    if (result != QueueResult::kEmpty || timeout_ms == 0) return static_cast<int>(result);
    FutexSleeper sleeper;
    Waiter waiter(sleeper.bell);
    const QueueDeadline deadline(timeout_ms);
    bool other;
    result = pop_waiting(queue, waiter, other, attempt,
                         [&] { return sleeper.sleep(deadline.left_ns()); });
    return static_cast<int>(result);
  }

  static constexpr millrace_queue_table kTable{MILLRACE_QUEUE_MAGIC,
                                               MILLRACE_QUEUE_VERSION,
                                               sizeof(millrace_queue_table),
                                               &open,
                                               &release,
                                               &push,
                                               &pop,
                                               &push_many,
                                               &pop_many,
                                               &close,
                                               &retain};

  millrace_queue face_{&kTable};
  std::atomic<std::uint32_t> shares_{1};
  const MessageQueue::User number_;
  const std::shared_ptr<MessageQueue> queue_;
};

}  // namespace millrace
