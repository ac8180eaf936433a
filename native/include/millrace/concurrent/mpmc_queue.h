#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <type_traits>

#include "millrace/base/cache_line.h"
#include "millrace/base/spin_lock.h"

namespace millrace {

enum class PopIf { kEmpty, kRefused, kPopped };

// A bounded queue for small values: any number of producers and consumers, first in first out by
// order of claim. Every member may be called from any thread. Owns its slots (bytes()), allocated
// at construction and never again. Costs two locked instructions a push-pop pair; a batch claims a
// whole run of slots with one.
//
// Algorithm: Dmitry Vyukov's bounded MPMC queue; the run claims are ours. Nothing here blocks, but
// it is not lock-free: a thread that is suspended between claim and hand-over holds back its slots.
// Until it goes on, consumers find the queue empty at a slot that is being filled, and producers, a
// lap later, find it full at a slot that is being emptied, *even if every other slot is free*. With
// one consumer the second cannot happen; with several, a queue of keys that "cannot be full" must
// be pushed to with push_assured().
template <class T>
class MpmcQueue {
  static_assert(std::is_trivially_copyable_v<T> && std::is_default_constructible_v<T>);

 public:
  static constexpr std::uint32_t kMaxCapacity = std::uint32_t{1} << 31;

  // Capacity is rounded up to a power of two, 2 to 2^31. If the memory cannot be had, capacity() is
  // 0 and the queue is closed. `start` is the first position, below 2^62.
  explicit MpmcQueue(std::uint32_t capacity, std::uint64_t start = 0)
      : head_{{start}, start}, tail_{{start}, {start}, {0}} {
    const std::uint32_t rounded = round_up(capacity);
    slots_ = static_cast<Slot*>(
        ::operator new (bytes(rounded), std::align_val_t{kCacheLineBytes}, std::nothrow));
    if (slots_ == nullptr) {
      slots_ = new (&none_) Slot{start, T{}};
      close();
      return;
    }
    capacity_ = rounded;
    mask_ = rounded - 1;
    for (std::uint64_t i = 0; i < rounded; ++i) {
      new (&slots_[(start + i) & mask_]) Slot{start + i, T{}};
    }
  }
  MpmcQueue(const MpmcQueue&) = delete;
  MpmcQueue& operator=(const MpmcQueue&) = delete;
  ~MpmcQueue() {
    if (capacity_ != 0) ::operator delete (slots_, std::align_val_t{kCacheLineBytes});
  }

  // False when full or closed.
  bool try_push(T value) noexcept { return try_push_many(std::span<const T>(&value, 1)) == 1; }

  // Pushes a prefix of `values`, adjacent in the queue, and returns its length: 0 when full or
  // closed.
  std::uint32_t try_push_many(std::span<const T> values) noexcept {
    return push_run(clamp(values.size()),
                    [&](std::uint32_t i, std::uint32_t, T& value) { value = values[i]; });
  }

  // Claims up to `wanted` free slots in a row and calls fill(i, index, value) for each: its number
  // in the run, its index below capacity(), and where the value goes. Returns how many. The claim
  // holds others up: fill must be quick.
  template <class Fill>
  std::uint32_t push_run(std::uint32_t wanted, Fill&& fill) noexcept {
    std::uint64_t position;
    const std::uint32_t run = claim(tail_.position, 0, wanted, position);
    if (run == 0) return 0;
    for (std::uint32_t i = 0; i < run; ++i) {
      Slot& slot = slots_[(position + i) & mask_];
      fill(i, static_cast<std::uint32_t>((position + i) & mask_), slot.value);
      // Release: pairs with the acquire in ready_run() of the consumer.
      slot.sequence.store(position + i + 1, std::memory_order_release);
    }
    note_depth(position + run);
    return run;
  }

  // For a queue whose capacity covers everything that can ever be in it: waits (pausing, then
  // yielding) for a consumer that was suspended in the middle of a pop. False only when closed.
  bool push_assured(T value) noexcept {
    SpinBackoff backoff;
    while (!try_push(value)) {
      if (closed()) return false;
      backoff.pause();
    }
    return true;
  }

  // False when empty. A closed queue still gives out what is in it.
  bool try_pop(T& value) noexcept { return try_pop_many(std::span<T>(&value, 1)) == 1; }

  // Pops up to out.size() adjacent values and returns how many: 0 when empty.
  std::uint32_t try_pop_many(std::span<T> out) noexcept {
    return pop_run(clamp(out.size()),
                   [&](std::uint32_t i, std::uint32_t, const T& value) { out[i] = value; });
  }

  // The same of filled slots, and take(i, index, value).
  template <class Take>
  std::uint32_t pop_run(std::uint32_t wanted, Take&& take) noexcept {
    std::uint64_t position;
    const std::uint32_t run = claim(head_.position, 1, wanted, position);
    for (std::uint32_t i = 0; i < run; ++i) hand_back(position + i, i, take);
    return run;
  }

  // pop_run() of one value, if accept(value) says so; otherwise it stays. accept() may see a value
  // that is being replaced (its answer does not count then): through std::atomic_ref it reads with
  // an acquire what fill() stores with a release.
  template <class Accept, class Take>
  PopIf pop_if(Accept&& accept, Take&& take) noexcept {
    std::uint64_t position = head_.position.load(std::memory_order_relaxed);
    for (;;) {
      std::int64_t lead;
      if (ready_run(position, 1, 1, lead) == 0) {
        if (lead < 0) return PopIf::kEmpty;
        position = head_.position.load(std::memory_order_relaxed);
      } else if (accept(static_cast<T&>(slots_[position & mask_].value))) {
        // Succeeds only if the value was this lap's.
        if (head_.position.compare_exchange_weak(position, position + 1,
                                                 std::memory_order_relaxed)) {
          hand_back(position, 0, take);
          return PopIf::kPopped;
        }
      } else {
        const std::uint64_t looked_at = position;
        position = head_.position.load(std::memory_order_relaxed);
        if (position == looked_at) return PopIf::kRefused;
      }
    }
  }

  // Whether a pop would have found a value a moment ago. What a consumer asks before it sleeps:
  // unlike size(), it does not count a slot that is still being filled.
  bool can_pop() const noexcept {
    std::int64_t lead;
    std::uint64_t position = head_.position.load(std::memory_order_relaxed);
    while (ready_run(position, 1, 1, lead) == 0) {
      if (lead < 0) return false;
      position = head_.position.load(std::memory_order_relaxed);
    }
    return true;
  }

  std::uint32_t capacity() const noexcept { return capacity_; }

  // Approximate under load; counts slots that are still being filled.
  std::uint32_t size() const noexcept {
    const std::uint64_t head = passed();
    return static_cast<std::uint32_t>(std::clamp(pushed(), head, head + capacity_) - head);
  }

  // The greatest size a producer has seen after its push. Never above capacity().
  std::uint32_t high_water() const noexcept {
    return std::uint32_t(tail_.high_water.load(std::memory_order_relaxed));
  }

  // Values pushed, or being pushed, and values popped, since construction.
  std::uint64_t pushed() const noexcept {
    return (tail_.position.load(std::memory_order_relaxed) & ~kClosed) - head_.start;
  }
  std::uint64_t passed() const noexcept {
    return head_.position.load(std::memory_order_relaxed) - head_.start;
  }

  // Every later push fails; what has been claimed before still arrives. Idempotent.
  void close() noexcept {
    // Seq_cst: a consumer that is about to sleep sees it (Parker), like any other work.
    tail_.position.fetch_or(kClosed, std::memory_order_seq_cst);
  }

  bool closed() const noexcept {
    // Acquire: pairs with close().
    return (tail_.position.load(std::memory_order_acquire) & kClosed) != 0;
  }

  // Closed, and every value that was ever pushed has been popped: nothing more will come. (closed()
  // and an empty pop do not say that much: a push claimed before close() may still be under way.)
  // A consumer sleeps until can_pop() || closed(), not until drained(): the pop that drains a queue
  // wakes nobody.
  bool drained() const noexcept {
    // Acquire: pairs with close(). Once closed the tail stands still, so this answer is final.
    const std::uint64_t tail = tail_.position.load(std::memory_order_acquire);
    return (tail & kClosed) != 0 &&
           head_.position.load(std::memory_order_relaxed) == (tail & ~kClosed);
  }

  // Allocated beside sizeof(MpmcQueue).
  static constexpr std::size_t bytes(std::uint32_t capacity) noexcept {
    return std::size_t{round_up(capacity)} * sizeof(Slot);
  }

 private:
  // Of the tail: set by close(). The compare-and-swap that claims slots fails on it, so a push that
  // starts after close() returned cannot succeed.
  static constexpr std::uint64_t kClosed = std::uint64_t{1} << 63;

  // Sequence p: free for the value of position p. p + 1: holds it. p + capacity: free again.
  struct Slot {
    std::atomic<std::uint64_t> sequence;
    T value;
  };
  static_assert(sizeof(T) > 8 || sizeof(Slot) == 16);

  struct alignas(kCacheLineBytes) Head {
    std::atomic<std::uint64_t> position;
    std::uint64_t start;
  };
  struct alignas(kCacheLineBytes) Tail {
    std::atomic<std::uint64_t> position;
    std::atomic<std::uint64_t> head_seen;
    std::atomic<std::int64_t> high_water;
  };

  static constexpr std::uint32_t round_up(std::uint32_t capacity) noexcept {
    return capacity < 2 ? 2 : capacity > kMaxCapacity ? kMaxCapacity : std::bit_ceil(capacity);
  }

  static std::uint32_t clamp(std::size_t count) noexcept {
    return static_cast<std::uint32_t>(std::min<std::size_t>(count, kMaxCapacity));
  }

  // Claims up to `wanted` slots from `end` on, moving it. 0 when the first is not ready, or closed.
  std::uint32_t claim(std::atomic<std::uint64_t>& end, std::uint64_t offset, std::uint32_t wanted,
                      std::uint64_t& position) noexcept {
    position = end.load(std::memory_order_relaxed);
    for (;;) {
      if ((position & kClosed) != 0 || wanted == 0) return 0;
      std::int64_t lead;
      const std::uint32_t run = ready_run(position, offset, wanted, lead);
      if (run == 0) {
        if (lead < 0) return 0;
        position = end.load(std::memory_order_relaxed);
        // Relaxed: the slots' sequences order the values. Fails if somebody claimed, or closed.
      } else if (end.compare_exchange_weak(position, position + run, std::memory_order_relaxed)) {
        return run;
      }
    }
  }

  template <class Take>
  void hand_back(std::uint64_t position, std::uint32_t i, Take&& take) noexcept {
    Slot& slot = slots_[position & mask_];
    take(i, static_cast<std::uint32_t>(position & mask_), static_cast<const T&>(slot.value));
    // Release: pairs with the acquire in ready_run() of the producer of the next lap.
    slot.sequence.store(position + capacity_, std::memory_order_release);
  }

  // How many slots from `position` on are `offset` past their position, at most `wanted`. A claim
  // by compare-and-swap from `position` cannot be wrong: a slot leaves that state only when it is
  // claimed, and positions never repeat. If none: lead < 0 means that the slot is not ready yet,
  // lead > 0 that the caller's position is old.
  std::uint32_t ready_run(std::uint64_t position, std::uint64_t offset, std::uint32_t wanted,
                          std::int64_t& lead) const noexcept {
    std::uint32_t run = 0;
    do {
      const std::uint64_t expected = position + run + offset;
      // Acquire: pairs with the release stores of try_push_many() and try_pop_many().
      const std::uint64_t sequence =
          slots_[(position + run) & mask_].sequence.load(std::memory_order_acquire);
      lead = static_cast<std::int64_t>(sequence - expected);
      if (lead != 0) break;
    } while (++run < wanted);
    return run;
  }

  // The consumers' line is read only if an old look at it says that the queue is deeper than ever.
  void note_depth(std::uint64_t tail) noexcept {
    std::int64_t highest = tail_.high_water.load(std::memory_order_relaxed);
    const auto depth_from = [tail](std::uint64_t head) { return std::int64_t(tail - head); };
    if (depth_from(tail_.head_seen.load(std::memory_order_relaxed)) <= highest) return;
    const std::uint64_t head = head_.position.load(std::memory_order_relaxed);
    tail_.head_seen.store(head, std::memory_order_relaxed);
    while (depth_from(head) > highest &&
           !tail_.high_water.compare_exchange_weak(highest, depth_from(head),
                                                   std::memory_order_relaxed)) {
    }
  }

  // Read by everybody.
  alignas(kCacheLineBytes) Slot* slots_;
  std::uint64_t mask_ = 0;
  std::uint32_t capacity_ = 0;
  alignas(Slot) std::byte none_[sizeof(Slot)];
  Head head_;
  Tail tail_;
};

}  // namespace millrace
