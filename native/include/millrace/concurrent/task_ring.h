#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include "millrace/base/cache_line.h"

namespace millrace {

// A callable in 56 bytes: in place where it fits, else on the heap. One thread at a time. Moves by
// relocation: the source is empty afterwards. Costs an indirect call; destroyed uncalled it only
// destroys what it holds.
class RingTask {
 public:
  RingTask() = default;
  RingTask(const RingTask&) = delete;
  RingTask& operator=(const RingTask&) = delete;
  ~RingTask() {
    if (operations_ != nullptr) operations_->destroy(storage_);
  }

  // REQUIRES: empty.
  template <class F>
  void emplace(F&& function) {
    using Function = std::decay_t<F>;
    if constexpr (sizeof(Function) <= kBytes && alignof(Function) <= alignof(void*) &&
                  std::is_nothrow_move_constructible_v<Function>) {
      new (storage_) Function(std::forward<F>(function));
      operations_ = &kOf<Function>;
    } else {
      emplace(Boxed<Function>{std::make_unique<Function>(std::forward<F>(function))});
    }
  }

  // REQUIRES: empty.
  void take(RingTask& from) noexcept {
    operations_ = std::exchange(from.operations_, nullptr);
    operations_->relocate(from.storage_, storage_);
  }

  // REQUIRES: not empty. It is afterwards.
  void run() {
    const Operations* const operations = std::exchange(operations_, nullptr);
    operations->run(storage_);
  }

 private:
  static constexpr std::size_t kBytes = 48;

  template <class Function>
  struct Boxed {
    void operator()() { (*function)(); }
    std::unique_ptr<Function> function;
  };

  struct Operations {
    void (*run)(void* at);
    void (*relocate)(void* from, void* to) noexcept;
    void (*destroy)(void* at) noexcept;
  };

  template <class Function>
  static constexpr Operations kOf = {
      [](void* at) {
        auto* const function = static_cast<Function*>(at);
        // Destroyed also when it throws.
        struct Destroy {
          Function* function;
          ~Destroy() { function->~Function(); }
        } const destroy{function};
        (*function)();
      },
      [](void* from, void* to) noexcept {
        auto* const function = static_cast<Function*>(from);
        new (to) Function(std::move(*function));
        function->~Function();
      },
      [](void* at) noexcept { static_cast<Function*>(at)->~Function(); },
  };

  const Operations* operations_ = nullptr;
  alignas(void*) std::byte storage_[kBytes];
};

// A bounded queue of tasks that lie in its slots: any number of producers and consumers, first in
// first out by order of claim. Any thread may call anything; what is still in it is destroyed with
// it, uncalled. Owns `capacity` slots of a cache line each. Costs two locked instructions a side,
// and no allocation for callables of up to 48 bytes.
//
// Algorithm: Dmitry Vyukov's bounded MPMC queue. The stores that hand a slot over are seq_cst
// exchanges, so that a thread that is about to sleep, and says so before it looks again, either
// sees the slot or is seen: both sides of a Dekker pair.
class TaskRing {
 public:
  // Rounded up to a power of two, at least 2.
  explicit TaskRing(std::uint32_t capacity)
      : mask_(std::bit_ceil(capacity < 2 ? 2u : capacity) - 1),
        slots_(std::make_unique<Slot[]>(std::size_t{mask_} + 1)) {
    for (std::uint64_t i = 0; i <= mask_; ++i) {
      slots_[i].sequence.store(i, std::memory_order_relaxed);
    }
  }
  TaskRing(const TaskRing&) = delete;
  TaskRing& operator=(const TaskRing&) = delete;

  enum class Push { kDone, kFull, kClosed };

  // Takes the task only if the answer is kDone.
  Push try_push(RingTask& task) noexcept {
    std::uint64_t position = tail_.load(std::memory_order_relaxed);
    for (;;) {
      if ((position & kClosed) != 0) return Push::kClosed;
      Slot& slot = slots_[position & mask_];
      // Acquire: pairs with the exchange in try_pop().
      const std::uint64_t sequence = slot.sequence.load(std::memory_order_acquire);
      const auto lead = static_cast<std::int64_t>(sequence - position);
      if (lead < 0) return Push::kFull;
      if (lead > 0) {
        position = tail_.load(std::memory_order_relaxed);
      } else if (tail_.compare_exchange_weak(position, position + 1, std::memory_order_relaxed,
                                             std::memory_order_relaxed)) {
        slot.task.take(task);
        // Pairs with the load in can_pop() and with the acquire in try_pop().
        slot.sequence.exchange(position + 1, std::memory_order_seq_cst);
        return Push::kDone;
      }
    }
  }

  // False when empty.
  bool try_pop(RingTask& task) noexcept {
    std::uint64_t position = head_.load(std::memory_order_relaxed);
    for (;;) {
      Slot& slot = slots_[position & mask_];
      // Acquire: pairs with the exchange in try_push().
      const std::uint64_t sequence = slot.sequence.load(std::memory_order_acquire);
      const auto lead = static_cast<std::int64_t>(sequence - (position + 1));
      if (lead < 0) return false;
      if (lead > 0) {
        position = head_.load(std::memory_order_relaxed);
      } else if (head_.compare_exchange_weak(position, position + 1, std::memory_order_relaxed,
                                             std::memory_order_relaxed)) {
        task.take(slot.task);
        // Pairs with the load in can_push() and with the acquire in try_push().
        slot.sequence.exchange(position + mask_ + 1, std::memory_order_seq_cst);
        return true;
      }
    }
  }

  // What a consumer asks between saying that it sleeps and sleeping.
  bool can_pop() const noexcept {
    const std::uint64_t position = head_.load(std::memory_order_seq_cst);
    // Seq_cst: pairs with the exchange in try_push(). A head that others have moved on meanwhile
    // was popped by somebody who is awake.
    return slots_[position & mask_].sequence.load(std::memory_order_seq_cst) > position;
  }

  // What a producer asks between saying that it waits and waiting.
  bool can_push() const noexcept {
    const std::uint64_t position = tail_.load(std::memory_order_seq_cst);
    // Seq_cst: pairs with the exchange in try_pop().
    return (position & kClosed) != 0 ||
           slots_[position & mask_].sequence.load(std::memory_order_seq_cst) >= position;
  }

  // No push succeeds from here on. Seq_cst: a consumer about to sleep sees it.
  void close() noexcept { tail_.fetch_or(kClosed, std::memory_order_seq_cst); }

  bool closed() const noexcept { return (tail_.load(std::memory_order_seq_cst) & kClosed) != 0; }

  // Closed, and all that was ever pushed has been popped; until then a push may be under way.
  bool drained() const noexcept {
    const std::uint64_t tail = tail_.load(std::memory_order_seq_cst);
    return (tail & kClosed) != 0 && head_.load(std::memory_order_seq_cst) == (tail & ~kClosed);
  }

  std::uint32_t capacity() const noexcept { return static_cast<std::uint32_t>(mask_) + 1; }

 private:
  static constexpr std::uint64_t kClosed = std::uint64_t{1} << 63;

  // Sequence p: free for position p. p + 1: holds its task.
  struct alignas(kCacheLineBytes) Slot {
    std::atomic<std::uint64_t> sequence{0};
    RingTask task;
  };
  static_assert(sizeof(Slot) == kCacheLineBytes);

  const std::uint64_t mask_;
  const std::unique_ptr<Slot[]> slots_;
  alignas(kCacheLineBytes) std::atomic<std::uint64_t> head_{0};
  alignas(kCacheLineBytes) std::atomic<std::uint64_t> tail_{0};
};

}  // namespace millrace
